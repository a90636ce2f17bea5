import { useTranslation } from "react-i18next";

import { type Outcome, SETTLED } from "./api";

/** An outcome as a coloured word. */
export function Mark({ outcome, large = false }: { outcome: Outcome; large?: boolean }) {
  const { t } = useTranslation();
  return (
    <span className={`outcome ${outcome}${large ? " large" : ""}`} data-outcome={outcome}>
      {t(`outcome.${outcome}`)}
    </span>
  );
}

/** Where a submission is on its way; a moving dot while a machine works on it. */
export function State({ state }: { state: string }) {
  const { t } = useTranslation();
  return (
    <span className="state" data-state={state}>
      {!SETTLED.has(state) && <span className="working" aria-hidden="true" />}
      {t(`states.${state}`, state)}
    </span>
  );
}
