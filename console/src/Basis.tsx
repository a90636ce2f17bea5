import { useTranslation } from "react-i18next";

import { type Decision, type Judgement, plain } from "./api";
import { useSay } from "./words";

/** What the verdict rests on, exactly: rulebooks, registry answers, classifiers, digests; and what nobody looked at. */
export function Basis({ decision, shown }: { decision: Decision; shown: Judgement }) {
  const { t, i18n } = useTranslation();
  const say = useSay();
  const { screening, verdict } = shown;
  const unseen = [...new Set([...verdict.not_checked, ...screening.gaps.map((gap) => gap.classifier)])];
  return (
    <section className="panel" aria-labelledby="basis">
      <h3 id="basis">{t("basis")}</h3>
      <div className="pair">
        <div>
          <h4>{t("rulebooks")}</h4>
          <ul className="bare">
            {verdict.rulebooks.map((one) => (
              <li key={`${one.name}${one.territory}`}>
                <b>{one.name}</b> {t("edition", { version: one.version })} · {one.territory === "*" ? t("everywhere") : one.territory} ·{" "}
                <code className="soft" title={one.digest}>
                  {one.digest.slice(0, 12)}
                </code>
              </li>
            ))}
          </ul>
        </div>
        <div>
          <h4>{t("notChecked")}</h4>
          {unseen.length === 0 ? (
            <p className="soft">{t("allChecked")}</p>
          ) : (
            <ul className="bare">
              {unseen.map((name) => {
                const gaps = screening.gaps.filter((gap) => gap.classifier === name);
                return (
                  <li key={name}>
                    <b>{name}</b> {gaps.map((gap) => plain(gap.reason)).join("; ")}
                    {gaps.map((gap) => gap.remedy && <code key={gap.remedy} className="block">{plain(gap.remedy)}</code>)}
                  </li>
                );
              })}
            </ul>
          )}
        </div>
      </div>
      {decision.answers.length > 0 && (
        <>
          <h4>{t("answers")}</h4>
          <ul className="bare">
            {decision.answers.map((one, n) => (
              <li key={n}>
                {t(`covered.${one.covered}`, one.covered)}: {plain(say(one.why))}
              </li>
            ))}
          </ul>
        </>
      )}
      <details>
        <summary>{t("exactly")}</summary>
        <dl>
          <dt>{t("asOf")}</dt>
          <dd>{new Date(decision.as_of).toLocaleString(i18n.language === "zh" ? "zh-CN" : "en-GB")}</dd>
          <dt>{t("gate")}</dt>
          <dd>{t(`gates.${decision.gate}`, decision.gate)}</dd>
          <dt>{t("digest")}</dt>
          <dd>
            <code>{decision.sha256}</code>
          </dd>
          {decision.essence_sha256 && (
            <>
              <dt>{t("essence")}</dt>
              <dd>
                <code>{decision.essence_sha256}</code>
              </dd>
            </>
          )}
          {decision.released_sha256 && (
            <>
              <dt>{t("releasedDigest")}</dt>
              <dd>
                <code>{decision.released_sha256}</code>
              </dd>
            </>
          )}
          {screening.ran.map((one) => (
            <div key={one.classifier} className="row">
              <dt>
                <code>{one.classifier}</code>
              </dt>
              <dd>
                {one.frames_total > 0 && t("examined", { seen: one.frames_examined, all: one.frames_total })} <code className="soft">{one.version}</code>
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}
