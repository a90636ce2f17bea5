// What the gateway's API says (OpenAPI at /openapi.json), as far as the console reads it.

export type Outcome = "approve" | "segment" | "hold" | "reject";
export type Words = { zh: string; en: string };

export type Submission = {
  id: string;
  file_name: string;
  sha256: string;
  kind: string;
  media_type: string;
  state: string;
  outcome: Outcome | null;
  created_at: string;
  duration_us: number | null;
  released_sha256: string | null;
  superseded_by: string | null;
  failure: { code: string; detail: string } | null;
};

export type Finding = {
  id: string;
  category: string;
  score: number;
  calibrated: boolean;
  start_us: number;
  end_us: number;
  region: [number, number, number, number] | null;
  surface: string;
  classifier: string;
  version: string;
  subject: string | null;
  work: string | null;
  text: string | null;
  measured: Record<string, number>;
};

export type Source = { kind?: string; cite?: string | Words; read?: string; url?: string | null };

export type Reason = {
  rule: string;
  rulebook: string;
  territory: string;
  outcome: Outcome;
  title: Words;
  explanation: Words;
  source: Source;
  finding_ids: string[];
  ranges: [number, number][];
};

export type Edit = { do: string; start_us: number; end_us: number; rule: string; text?: Words };

export type Verdict = {
  reasons: Reason[];
  advisories: Reason[];
  edits: Edit[];
  obligations: { what: Words; rule: string; territory?: string }[];
  path_to_approval: { what: Words; removes: string[]; verified: boolean }[];
  not_checked: string[];
  rulebooks: { name: string; version: number; digest: string; territory: string }[];
  audience: Record<string, unknown>;
};

export type Link = {
  title: string | null;
  signer: string | null;
  relationship: string | null;
  state: string;
  tools: string[];
  actions: string[];
  manifest: string;
};

export type Provenance = {
  seal: string;
  ai_disclosure: string;
  signer: string | null;
  trust_list: string | null;
  aigc: { conforming: boolean; agrees_with_seal: boolean | null; carrier: string; fields: Record<string, string> } | null;
  problems: { code: string; zh: string; en: string }[];
  chain: Link[];
  generators: string[];
};

export type Screening = {
  findings: Finding[];
  gaps: { classifier: string; reason: string; remedy: string }[];
  ran: { classifier: string; version: string; frames_examined: number; frames_total: number; cpu_ms: number }[];
  shots: { start_us: number; end_us: number }[];
  duration_us: number;
};

/** What one version of the film was found to be: of the submitted file, and of the rendered one where there is one. */
export type Judgement = { outcome: Outcome; verdict: Verdict; screening: Screening; provenance: Provenance };

export type Decision = Judgement & {
  sha256: string;
  essence_sha256: string | null;
  released_sha256: string | null;
  gate: string;
  as_of: string;
  duration_us: number;
  media: { fps: number | null; width: number | null; height: number | null; rotation: number } | null;
  territories: Record<string, { outcome: Outcome }>;
  answers: { about: string; attribute: string; territory: string; covered: string; why: Words }[];
  rescreened: Judgement | null;
};

export type Page = { items: Submission[]; next_cursor: string | null };

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(path, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => null)) as { detail?: string; title?: string } | null;
    throw new ApiError(answer.status, problem?.detail ?? problem?.title ?? answer.statusText);
  }
  return (await answer.json()) as T;
}

const part = encodeURIComponent;
const address = (id: string, rest = "") => `/v1/submissions/${part(id)}${rest}`;

export const newest = (cursor: string | null, outcome: Outcome | null) => {
  const asked = new URLSearchParams({ limit: "50", ...(cursor && { cursor }), ...(outcome && { outcome }) });
  return get<Page>(`/v1/submissions?${asked}`);
};
export const submission = (id: string) => get<Submission>(address(id));
export const verdict = (id: string) => get<Decision>(address(id, "/verdict"));
export const mediaAddress = (id: string, variant: Variant) => address(id, `/media?variant=${variant}`);
export const reportAddress = (id: string) => address(id, "/report");
export const eventsAddress = (id: string) => address(id, "/events");

export type Variant = "submitted" | "released";

/** States in which nothing more happens by itself; what is not released when approved (a script) stays decided. */
export const SETTLED = new Set(["decided", "released", "rejected", "in_queue", "in_review", "failed", "withdrawn", "superseded"]);

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** What a stranger wrote, with characters that hide or turn text around made visible. */
export const plain = (text: string) =>
  text.replace(UNSEEN, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
