import { useTranslation } from "react-i18next";

import { type Decision, type Judgement, plain, type Reason, type Source, type Words } from "./api";
import { Mark } from "./Mark";
import { span } from "./time";
import { useSay } from "./words";

const STRICTNESS = { approve: 0, segment: 1, hold: 2, reject: 3 };

type Props = { judgement: Judgement; territories: Decision["territories"]; seek: (us: number) => void; rendered: boolean };

/** Why it was judged so, what is still owed, and what would make it pass. */
export function Reasons({ judgement, territories, seek, rendered }: Props) {
  const { t } = useTranslation();
  const say = useSay();
  const { verdict, outcome } = judgement;
  const reasons = [...verdict.reasons].sort((a, b) => STRICTNESS[b.outcome] - STRICTNESS[a.outcome]);
  const audience = Object.entries(verdict.audience);
  return (
    <section className={`panel verdict ${outcome}`} aria-labelledby="why">
      <div className="line between">
        <h3 id="why">{t("why")}</h3>
        <div className="line">
          {Object.entries(rendered ? {} : territories).map(([name, one]) => (
            <span key={name} className="territory">
              {name === "*" ? t("everywhere") : name} <Mark outcome={one.outcome} />
            </span>
          ))}
        </div>
      </div>
      <p>{t(rendered ? `renderedMeans.${outcome}` : `means.${outcome}`)}</p>
      {reasons.map((reason, n) => (
        <Why key={n} reason={reason} seek={seek} />
      ))}
      <Steps title={t("path")} steps={verdict.path_to_approval.map((one) => ({ what: one.what, note: t(one.verified ? "verified" : "unverified") }))} />
      <Steps title={t("obligations")} steps={verdict.obligations.map((one) => ({ what: one.what, note: one.rule }))} />
      {audience.length > 0 && (
        <Steps title={t("audience")} steps={audience.map(([key, value]) => ({ what: { zh: `${key}: ${String(value)}`, en: `${key}: ${String(value)}` }, note: "" }))} />
      )}
      {verdict.advisories.length > 0 && (
        <details>
          <summary>
            {t("advisories")} ({verdict.advisories.length})
          </summary>
          <ul>
            {verdict.advisories.map((one, n) => (
              <li key={n}>
                {say(one.title)}: {say(one.explanation)} <Cited source={one.source} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Why({ reason, seek }: { reason: Reason; seek: (us: number) => void }) {
  const { t } = useTranslation();
  const say = useSay();
  return (
    <article className={`reason ${reason.outcome}`}>
      <h4>
        <Mark outcome={reason.outcome} /> {plain(say(reason.title))}
      </h4>
      <p>{plain(say(reason.explanation))}</p>
      <p className="soft small">
        <code>{reason.rule}</code> · <Cited source={reason.source} />
        {reason.territory !== "*" && ` · ${reason.territory}`}
      </p>
      {reason.ranges.length > 0 && (
        <div className="line">
          {reason.ranges.map(([start, end]) => (
            <button key={`${start}-${end}`} type="button" className="seek chip" aria-label={`${t("goto")} ${span(start, end)}`} onClick={() => seek(start)}>
              {span(start, end)}
            </button>
          ))}
        </div>
      )}
    </article>
  );
}

function Cited({ source }: { source: Source }) {
  const { t } = useTranslation();
  const say = useSay();
  const cite = typeof source.cite === "object" ? say(source.cite) : source.cite;
  return (
    <>
      {source.kind && `${t(`sources.${source.kind}`, source.kind)}`}
      {cite && ` · ${cite}`}
      {source.read && ` · ${t(`read.${source.read}`, source.read)}`}
      {source.url?.startsWith("https://") && (
        <>
          {" · "}
          <a href={source.url} target="_blank" rel="noreferrer">
            {new URL(source.url).hostname} ↗
          </a>
        </>
      )}
    </>
  );
}

function Steps({ title, steps }: { title: string; steps: { what: Words; note: string }[] }) {
  const say = useSay();
  if (steps.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <ul>
        {steps.map((one, n) => (
          <li key={n}>
            {plain(say(one.what))} {one.note && <span className="soft small">({one.note})</span>}
          </li>
        ))}
      </ul>
    </>
  );
}
