import { Loader, Progress } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Decision, eventsAddress, plain, reportAddress, SETTLED, type Submission, submission, type Variant, verdict } from "./api";
import { Basis } from "./Basis";
import { Credentials } from "./Credentials";
import { Findings, inOrder } from "./Findings";
import { Mark, State } from "./Mark";
import { Player } from "./Player";
import { Reasons } from "./Reasons";
import { clock } from "./time";
import { Timeline } from "./Timeline";
import { Wrong } from "./Wrong";

/** One submission: while it is under way how far it is, afterwards the film with everything found in it. */
export function Episode({ id }: { id: string }) {
  const { t } = useTranslation();
  const head = useQuery({
    queryKey: ["submission", id],
    queryFn: () => submission(id),
    refetchInterval: (query) => (query.state.data && SETTLED.has(query.state.data.state) ? 15000 : 1000),
  });
  const settled = head.data ? SETTLED.has(head.data.state) : false;
  const body = useQuery({
    queryKey: ["verdict", id, head.data?.state],
    queryFn: () => verdict(id),
    enabled: settled && Boolean(head.data?.outcome), // while a cut is rendered, the outcome is known and the verdict is not
    placeholderData: (before) => before,
  });
  useEffect(() => {
    document.title = head.data ? `${plain(head.data.file_name)} · dramagate` : "dramagate";
  }, [head.data]);
  const error = head.data ? (body.data ? null : body.error) : head.error;
  if (error) return <Wrong error={error} again={() => void (head.data ? body.refetch() : head.refetch())} />;
  if (!head.data) return <Loader size="sm" aria-label={t("loading")} role="status" />;
  const one = head.data;
  return (
    <>
      <div className="line head">
        <a href="#/" className="back">
          ← {t("back")}
        </a>
        <h2>
          <bdi>{plain(one.file_name)}</bdi>
        </h2>
        {one.outcome && <Mark outcome={one.outcome} large />}
        <State state={one.state} />
        {one.duration_us !== null && <span className="soft">{clock(one.duration_us)}</span>}
        {body.data && (
          <a className="end" href={reportAddress(id)} target="_blank" rel="noreferrer">
            {t("report")} ↗
          </a>
        )}
      </div>
      {one.failure && (
        <section className="panel wrong" role="alert">
          <h2>{t("failed")}</h2>
          <p>{plain(one.failure.detail)}</p>
        </section>
      )}
      {one.superseded_by && (
        <p>
          <a href={`#/${one.superseded_by}`}>{t("superseded")}</a>
        </p>
      )}
      {!settled && <Underway id={id} state={one.state} />}
      {body.data && <Judged head={one} decision={body.data} />}
    </>
  );
}

/** How far the screening is, as it happens. */
function Underway({ id, state }: { id: string; state: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [done, setDone] = useState<number | null>(null);
  useEffect(() => {
    const news = new EventSource(eventsAddress(id));
    news.addEventListener("progress", (event) => {
      const told = JSON.parse(event.data as string) as { done: number; total: number };
      setDone(told.total ? Math.min(100, (100 * told.done) / told.total) : null);
    });
    news.addEventListener("state", () => void client.invalidateQueries({ queryKey: ["submission", id] }));
    return () => news.close();
  }, [client, id]);
  const shown = state === "screening" && done !== null ? done : null;
  return (
    <section className="panel" role="status">
      <p>
        {t(`doing.${state}`, t(`states.${state}`, state))}
        {shown !== null && ` ${Math.floor(shown)} %`}
      </p>
      <Progress value={shown ?? 100} animated={shown === null} aria-label={t("progress")} />
    </section>
  );
}

function Judged({ head, decision }: { head: Submission; decision: Decision }) {
  const [film, setFilm] = useState<HTMLVideoElement | null>(null);
  const [variant, setVariant] = useState<Variant>("submitted");
  const [selected, setSelected] = useState<string | null>(null);
  // The rendered version was screened by itself: its findings lie at its own times.
  const shown = variant === "released" ? (decision.rescreened ?? decision) : decision;
  const duration_us = Math.max(1, shown.screening.duration_us || decision.duration_us);
  const findings = useMemo(() => inOrder(shown.screening.findings), [shown]);
  const seek = useCallback(
    (us: number) => {
      // A time in whole µs may lie just before the frame that begins there: a millisecond later it is on screen.
      if (film) film.currentTime = Math.min(Math.max(0, us / 1e6 + 0.001), Number.isFinite(film.duration) ? film.duration : Infinity);
    },
    [film],
  );
  const pick = useCallback(
    (id: string) => {
      setSelected(id);
      const one = findings.find((f) => f.id === id);
      if (one) seek(one.start_us);
    },
    [findings, seek],
  );
  const choose = (next: Variant) => {
    setVariant(next);
    setSelected(null);
  };
  return (
    <div className="episode">
      <Player
        head={head}
        media={decision.media}
        variant={variant}
        setVariant={choose}
        sensitive={shown.outcome === "hold" || shown.outcome === "reject"}
        findings={findings}
        selected={findings.find((f) => f.id === selected) ?? null}
        film={film}
        setFilm={setFilm}
        seek={seek}
        pick={pick}
      />
      <div className="told">
        <Reasons judgement={shown} territories={decision.territories} seek={seek} rendered={variant === "released"} />
        {duration_us > 1 && <Timeline judgement={shown} duration_us={duration_us} film={film} seek={seek} selected={selected} pick={pick} />}
        <Findings findings={findings} selected={selected} pick={pick} />
        <Credentials provenance={shown.provenance} />
        <Basis decision={decision} shown={shown} />
      </div>
    </div>
  );
}
