import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Outcome } from "./api";

// Dark enough that white text on them keeps a contrast of 4.5 to 1.
const COLOURS: Record<Outcome, string> = { approve: "#17703a", segment: "#8a5a00", hold: "#7a3aa3", reject: "#b3261e" };

export function Verdict({ outcome }: { outcome: Outcome }) {
  const { t } = useTranslation();
  return (
    <Badge color={COLOURS[outcome]} variant="filled" radius="sm" data-outcome={outcome}>
      {t(`outcome.${outcome}`)}
    </Badge>
  );
}
