import { Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Decision, Finding } from "./api";
import { seconds } from "./List";

type Lane = { name: string; findings: Finding[] };

/** One lane per family of categories that has findings with a place in time, the adverse ones first. */
export function lanes(findings: Finding[]): Lane[] {
  const families = new Map<string, Finding[]>();
  for (const one of findings) {
    const family = one.category.split(".")[0] ?? one.category;
    families.set(family, [...(families.get(family) ?? []), one]);
  }
  const quiet = ["label", "person", "text", "tool"];
  return [...families]
    .map(([name, list]) => ({ name, findings: list }))
    .sort((a, b) => Number(quiet.includes(a.name)) - Number(quiet.includes(b.name)) || a.name.localeCompare(b.name));
}

/** The film from left to right: shots, one lane per family, what is edited, and where the player is. */
export function Timeline({ decision, at_us, seek }: { decision: Decision; at_us: number; seek: (us: number) => void }) {
  const { t } = useTranslation();
  const whole = Math.max(1, decision.duration_us);
  const share = (us: number) => `${(100 * us) / whole}%`;
  const span = (start: number, end: number) => ({
    left: share(start),
    width: `max(3px, ${(100 * (end - start)) / whole}%)`,
  });
  const pick = (event: React.MouseEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * whole);
  };
  return (
    <section aria-label={t("timeline")} className="timeline">
      <div className="names" aria-hidden="true">
        <div>{t("shots")}</div>
        {lanes(decision.screening.findings).map((lane) => (
          <div key={lane.name}>{lane.name}</div>
        ))}
        {decision.verdict.edits.length > 0 && <div>{t("edits")}</div>}
      </div>
      <div className="film" onClick={pick}>
        <div className="lane shots">
          {decision.screening.shots.map((shot) => (
            <span key={shot.start_us} className="shot" style={span(shot.start_us, shot.end_us)} />
          ))}
        </div>
        {lanes(decision.screening.findings).map((lane) => (
          <div key={lane.name} className={`lane family-${lane.name}`}>
            {lane.findings.map((one) => (
              <Tooltip key={one.id} label={`${one.category} ${one.score.toFixed(2)} ${one.text ?? one.subject ?? one.work ?? ""}`}>
                <button
                  type="button"
                  className="mark"
                  data-finding={one.id}
                  aria-label={`${one.category}, ${seconds(one.start_us)}`}
                  style={span(one.start_us, one.end_us)}
                  onClick={(event) => {
                    event.stopPropagation();
                    seek(one.start_us);
                  }}
                />
              </Tooltip>
            ))}
          </div>
        ))}
        {decision.verdict.edits.length > 0 && (
          <div className="lane edits">
            {decision.verdict.edits.map((edit) => (
              <span key={`${edit.rule}${edit.start_us}${edit.do}`} className="edit" title={edit.do} style={span(edit.start_us, edit.end_us)} />
            ))}
          </div>
        )}
        <div className="playhead" style={{ left: share(at_us) }} />
      </div>
    </section>
  );
}
