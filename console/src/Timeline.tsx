import { useElementSize } from "@mantine/hooks";
import { type CSSProperties, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Finding, Judgement, Outcome } from "./api";
import { useFact } from "./Findings";
import { useNow } from "./Player";
import { familyOf, isAdverse, nameOf, orderOf } from "./taxonomy";
import { clock, rows, span, ticks } from "./time";
import { useSay } from "./words";

type Lane = { family: string; findings: Finding[] };
const MOST_ROWS = 4;
const ROW_PX = 12;

/** One lane per family of categories with a place in time, the adverse ones first, in the order of the taxonomy. */
function lanes(findings: Finding[]): Lane[] {
  const families = Map.groupBy(findings, (one) => familyOf(one.category));
  return [...families]
    .map(([family, list]) => ({ family, findings: list }))
    .sort((a, b) => orderOf(a.family) - orderOf(b.family) || a.family.localeCompare(b.family));
}

type Props = {
  judgement: Judgement;
  duration_us: number;
  film: HTMLVideoElement | null;
  seek: (us: number) => void;
  selected: string | null;
  pick: (id: string) => void;
};

/** The film from left to right: why it was judged so, what is edited, one lane per family, shots, and where the player is. */
export function Timeline({ judgement, duration_us, film, seek, selected, pick }: Props) {
  const { t } = useTranslation();
  const say = useSay();
  const fact = useFact();
  const { ref, width } = useElementSize();
  const [hover, setHover] = useState<number | null>(null);
  const [about, setAbout] = useState<{ text: string; left: number; top: number } | null>(null);
  const body = useRef<HTMLDivElement>(null);
  const { screening, verdict } = judgement;
  const least_us = width ? (4 * duration_us) / width : 0;
  const at = (start_us: number, end_us: number, row = 0): CSSProperties => ({
    left: `${(100 * start_us) / duration_us}%`,
    width: `max(4px, ${(100 * (end_us - start_us)) / duration_us}%)`,
    top: 2 + row * ROW_PX,
  });
  const families = lanes(screening.findings).map((lane) => ({ ...lane, laid: rows(lane.findings, MOST_ROWS, least_us) }));
  const reasons = verdict.reasons.flatMap((reason) => reason.ranges.map(([start_us, end_us]) => ({ reason, start_us, end_us })));
  const laidReasons = rows(reasons, MOST_ROWS, least_us);
  const laidEdits = rows(verdict.edits.filter((edit) => edit.end_us > edit.start_us), MOST_ROWS, least_us);
  const first = [...screening.findings].sort((a, b) => a.start_us - b.start_us)[0]?.id;

  const timeAt = (event: React.PointerEvent) => {
    const box = body.current?.getBoundingClientRect();
    return box ? Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration_us : 0;
  };
  const tell = (text: string) => ({
    onPointerEnter: (event: React.PointerEvent<HTMLElement>) => setAbout(placed(event.currentTarget, text)),
    onPointerLeave: () => setAbout(null),
    onFocus: (event: React.FocusEvent<HTMLElement>) => setAbout(placed(event.currentTarget, text)),
    onBlur: () => setAbout(null),
  });
  const walk = (event: React.KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || !body.current) return;
    event.preventDefault();
    const order = [...screening.findings].sort((a, b) => a.start_us - b.start_us || a.id.localeCompare(b.id));
    const here = order.findIndex((one) => one.id === (document.activeElement as HTMLElement | null)?.dataset.finding);
    const next = order[Math.min(order.length - 1, Math.max(0, here + by))];
    if (next) body.current.querySelector<HTMLElement>(`[data-finding="${next.id}"]`)?.focus();
  };
  const lane = (key: string, name: string, used: { row: number }[], marks: React.ReactNode, kind = "") => ({
    key,
    name,
    height: 4 + ROW_PX * (Math.max(0, ...used.map((one) => one.row)) + 1),
    marks,
    kind,
  });
  const all = [
    laidReasons.length > 0 &&
      lane(
        "reasons",
        t("why"),
        laidReasons,
        laidReasons.map(({ one, row }, n) => (
          <span key={n} className={`bar ${one.reason.outcome satisfies Outcome}`} style={at(one.start_us, one.end_us, row)} {...tell(`${say(one.reason.title)} · ${span(one.start_us, one.end_us)}`)} />
        )),
      ),
    laidEdits.length > 0 &&
      lane(
        "edits",
        t("edits"),
        laidEdits,
        laidEdits.map(({ one, row }, n) => (
          <span key={n} className="bar edit" style={at(one.start_us, one.end_us, row)} {...tell(`${t(`do.${one.do}`, one.do)} · ${span(one.start_us, one.end_us)}`)} />
        )),
      ),
    ...families.map(({ family, laid }) =>
      lane(
        `family-${family}`,
        say(nameOf(family)),
        laid,
        laid.map(({ one, row }) => (
          <button
            key={one.id}
            type="button"
            className={`bar finding${one.id === selected ? " selected" : ""}`}
            data-finding={one.id}
            tabIndex={one.id === (selected ?? first) ? 0 : -1}
            aria-label={`${say(nameOf(one.category))} ${fact(one)}, ${span(one.start_us, one.end_us)}`}
            aria-pressed={one.id === selected}
            style={at(one.start_us, one.end_us, row)}
            onClick={() => pick(one.id)}
            {...tell(`${say(nameOf(one.category))} ${one.score.toFixed(2)} · ${span(one.start_us, one.end_us)}${fact(one) && ` · ${fact(one)}`}`)}
          />
        )),
        isAdverse(family) ? "adverse" : "observed",
      ),
    ),
    screening.shots.length > 0 &&
      lane(
        "shots",
        t("shots"),
        [{ row: 0 }],
        screening.shots.map((shot, n) => (
          <span key={shot.start_us} className="bar shot" style={at(shot.start_us, shot.end_us)} {...tell(`${t("shot")} ${n + 1} · ${span(shot.start_us, shot.end_us)}`)} />
        )),
      ),
  ].filter((one) => one !== false);

  return (
    <section className="panel" aria-labelledby="timeline">
      <h3 id="timeline">{t("timeline")}</h3>
      <div className="timeline">
        <div className="names">
          <div className="scale" />
          {all.map((one) => (
            <div key={one.key} style={{ height: one.height }}>
              <span>{one.name}</span>
            </div>
          ))}
        </div>
        <div
          className="film"
          ref={(node) => {
            body.current = node;
            ref(node);
          }}
          onPointerDown={(event) => {
            if ((event.target as HTMLElement).closest("button")) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            seek(timeAt(event));
          }}
          onPointerMove={(event) => {
            setHover(timeAt(event));
            if (event.buttons === 1 && event.currentTarget.hasPointerCapture(event.pointerId)) seek(timeAt(event));
          }}
          onPointerLeave={() => setHover(null)}
          onKeyDown={walk}
        >
          <div className="scale" aria-hidden="true">
            {ticks(duration_us, width).map((us) => (
              <span key={us} className="tick" style={{ left: `${(100 * us) / duration_us}%` }}>
                {us / duration_us < 0.97 && clock(us, us % 1e6 ? 1 : 0)}
              </span>
            ))}
          </div>
          {all.map((one) => (
            <div key={one.key} className={`lane ${one.key} ${one.kind}`} role="group" aria-label={one.name} style={{ height: one.height }}>
              {one.marks}
            </div>
          ))}
          {hover !== null && (
            <div className="hover" aria-hidden="true" style={{ left: `${(100 * hover) / duration_us}%` }}>
              <span>{clock(hover)}</span>
            </div>
          )}
          <Playhead film={film} duration_us={duration_us} />
        </div>
      </div>
      {about && (
        <div className="tip" role="tooltip" style={{ left: about.left, top: about.top }}>
          {about.text}
        </div>
      )}
    </section>
  );
}

function placed(mark: HTMLElement, text: string) {
  const box = mark.getBoundingClientRect();
  const left = Math.min(innerWidth - 170, Math.max(170, box.left + box.width / 2));
  return { text, left, top: box.top - 6 };
}

function Playhead({ film, duration_us }: { film: HTMLVideoElement | null; duration_us: number }) {
  const now_us = useNow(film);
  return <div className="playhead" aria-hidden="true" style={{ left: `${Math.min(100, (100 * now_us) / duration_us)}%` }} />;
}
