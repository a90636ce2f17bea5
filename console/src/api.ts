// What the gateway's API says (OpenAPI at /openapi.json), as far as the console reads it.

export type Outcome = "approve" | "segment" | "hold" | "reject";
export type Words = { zh: string; en: string };

export type Submission = {
  id: string;
  file_name: string;
  sha256: string;
  kind: string;
  state: string;
  outcome: Outcome | null;
  created_at: string;
  duration_us: number | null;
  released_sha256: string | null;
  failure: { code: string; detail: string } | null;
};

export type Finding = {
  id: string;
  category: string;
  score: number;
  start_us: number;
  end_us: number;
  region: [number, number, number, number] | null;
  surface: string;
  classifier: string;
  subject: string | null;
  work: string | null;
  text: string | null;
  measured: Record<string, number>;
};

export type Reason = {
  rule: string;
  rulebook: string;
  outcome: Outcome;
  title: Words;
  explanation: Words;
  source: { kind?: string; cite?: string };
  finding_ids: string[];
  ranges: [number, number][];
};

export type Decision = {
  outcome: Outcome;
  duration_us: number;
  verdict: {
    reasons: Reason[];
    edits: { do: string; start_us: number; end_us: number; rule: string }[];
    obligations: { what: Words; rule: string }[];
    path_to_approval: { what: Words }[];
    not_checked: string[];
    rulebooks: { name: string; version: number; digest: string }[];
  };
  provenance: {
    seal: string;
    ai_disclosure: string;
    signer: string | null;
    problems: { code: string; zh: string; en: string }[];
    chain: { title: string | null; signer: string | null; relationship: string | null; state: string }[];
  };
  screening: {
    findings: Finding[];
    gaps: { classifier: string; reason: string; remedy: string }[];
    shots: { start_us: number; end_us: number }[];
  };
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

export const newest = (cursor: string | null) =>
  get<Page>(`/v1/submissions?limit=50${cursor ? `&cursor=${part(cursor)}` : ""}`);
export const submission = (id: string) => get<Submission>(`/v1/submissions/${part(id)}`);
export const verdict = (id: string) => get<Decision>(`/v1/submissions/${part(id)}/verdict`);
export const mediaAddress = (id: string, variant: "submitted" | "released") =>
  `/v1/submissions/${part(id)}/media?variant=${variant}`;

/** States in which nothing more happens by itself. */
export const SETTLED = new Set(["released", "rejected", "in_queue", "in_review", "failed", "withdrawn", "superseded"]);
