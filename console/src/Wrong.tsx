import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { ApiError } from "./api";

/** Why there is nothing to see here, and what to do about it. */
export function Wrong({ error, again }: { error: Error; again: () => void }) {
  const { t } = useTranslation();
  const status = error instanceof ApiError ? error.status : 0;
  const kind = status === 401 ? "denied" : status === 404 ? "missing" : status === 0 ? "unreachable" : "broken";
  return (
    <section className="panel wrong" role="alert" data-problem={kind}>
      <h2>{t(`wrong.${kind}.title`)}</h2>
      <p>{t(`wrong.${kind}.what`)}</p>
      {kind === "denied" ? <pre>dramagate serve</pre> : <p className="soft">{error.message}</p>}
      <div className="line">
        <Button size="xs" onClick={again}>
          {t("again")}
        </Button>
        {kind === "missing" && <a href="#/">{t("back")}</a>}
      </div>
    </section>
  );
}
