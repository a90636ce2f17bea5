import { useTranslation } from "react-i18next";

import { type Link, plain, type Provenance } from "./api";
import { useSay } from "./words";

/** Who sealed the file, what it was made from, and whether that holds. */
export function Credentials({ provenance }: { provenance: Provenance }) {
  const { t } = useTranslation();
  const say = useSay();
  const { aigc, chain } = provenance;
  const good = provenance.seal === "trusted" || provenance.seal === "valid";
  return (
    <section className="panel" aria-labelledby="seal">
      <h3 id="seal">{t("seal")}</h3>
      <dl>
        <dt>{t("sealState")}</dt>
        <dd className={good ? "good" : "bad"} data-seal={provenance.seal}>
          {t(`seals.${provenance.seal}`, provenance.seal)}
        </dd>
        <dt>{t("signer")}</dt>
        <dd>
          {plain(provenance.signer ?? t("nobody"))}
          {provenance.trust_list && <span className="soft"> · {plain(provenance.trust_list)}</span>}
        </dd>
        <dt>{t("disclosure")}</dt>
        <dd>{t(`disclosures.${provenance.ai_disclosure}`, provenance.ai_disclosure)}</dd>
        <dt>{t("aigc")}</dt>
        <dd>
          {aigc ? (
            <>
              {t(aigc.conforming ? "conforming" : "notConforming")}
              {aigc.fields.ContentProducer && ` · ${plain(aigc.fields.ContentProducer)}`}
              {aigc.agrees_with_seal === false && ` · ${t("disagrees")}`} <code className="soft">{plain(aigc.carrier)}</code>
            </>
          ) : (
            t("absent")
          )}
        </dd>
        {provenance.generators.length > 0 && (
          <>
            <dt>{t("generators")}</dt>
            <dd>{provenance.generators.map(plain).join(" · ")}</dd>
          </>
        )}
      </dl>
      {provenance.problems.length > 0 && (
        <ul className="problems">
          {provenance.problems.map((problem) => (
            <li key={problem.code}>
              {plain(say(problem))} <code className="soft">{problem.code}</code>
            </li>
          ))}
        </ul>
      )}
      {chain.length > 0 && (
        <details>
          <summary>{t("chain", { count: chain.length })}</summary>
          <ol className="chain">
            {chain.map((link, n) => (
              <One key={`${link.manifest}${n}`} link={link} />
            ))}
          </ol>
        </details>
      )}
    </section>
  );
}

function One({ link }: { link: Link }) {
  const { t } = useTranslation();
  const good = link.state === "ok";
  return (
    <li className={link.relationship ? "part" : "whole"}>
      <span className={good ? "good" : "bad"} title={t(`links.${link.state}`, link.state)}>
        {good ? "✓" : "✗"} <span className="hidden">{t(`links.${link.state}`, link.state)}</span>
      </span>
      <span>
        <b>
          <bdi>{plain(link.title ?? t("untitled"))}</bdi>
        </b>{" "}
        <span className="soft">{link.relationship ? t(`relationships.${link.relationship}`, link.relationship) : t("thisFile")}</span>
        <br />
        <span className="soft small">
          {t("by")} {plain(link.signer ?? t("nobody"))} · {link.tools.map(plain).join(", ")} · {[...new Set(link.actions)].map((action) => t(`actions.${action.replace(".", "_")}`, action)).join(", ")}
        </span>
      </span>
    </li>
  );
}
