import { SegmentedControl, TextInput } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Finding, plain } from "./api";
import { isAdverse, nameOf } from "./taxonomy";
import { span } from "./time";
import { useSay } from "./words";

/** Adverse ones first, then by time. */
export const inOrder = (findings: Finding[]) =>
  [...findings].sort(
    (a, b) =>
      Number(isAdverse(b.category)) - Number(isAdverse(a.category)) || a.start_us - b.start_us || a.end_us - b.end_us || a.id.localeCompare(b.id),
  );

/** What was read or matched, in one line. */
export function useFact() {
  return (one: Finding) => plain(one.text ?? one.subject ?? one.work ?? "");
}

/** Everything found, to look through; picking one shows it in the film. */
export function Findings({ findings, selected, pick }: { findings: Finding[]; selected: string | null; pick: (id: string) => void }) {
  const { t } = useTranslation();
  const say = useSay();
  const fact = useFact();
  const [words, setWords] = useState("");
  const [which, setWhich] = useState("all");
  const list = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => {
    const wanted = words.trim().toLowerCase();
    const told = (one: Finding) => [one.category, ...Object.values(nameOf(one.category)), one.classifier, fact(one)].join(" ").toLowerCase();
    return findings.filter((one) => (which === "all" || isAdverse(one.category) === (which === "adverse")) && told(one).includes(wanted));
  }, [findings, words, which, fact]);
  const adverse = findings.filter((one) => isAdverse(one.category)).length;
  useEffect(() => {
    const row = selected && list.current?.querySelector<HTMLElement>(`[data-row="${selected}"]`);
    if (row && list.current) {
      const [top, bottom] = [row.offsetTop - 34, row.offsetTop + row.offsetHeight];
      if (top < list.current.scrollTop) list.current.scrollTop = top;
      else if (bottom > list.current.scrollTop + list.current.clientHeight) list.current.scrollTop = bottom - list.current.clientHeight;
    }
  }, [selected]);
  return (
    <section className="panel findings" aria-labelledby="findings">
      <div className="line between">
        <h3 id="findings">
          {t("findings")} <span className="soft">{shown.length === findings.length ? findings.length : `${shown.length} / ${findings.length}`}</span>
        </h3>
        <div className="line">
          <SegmentedControl
            size="xs"
            aria-label={t("show")}
            data={[
              { value: "all", label: t("all") },
              { value: "adverse", label: `${t("adverse")} ${adverse}` },
              { value: "observed", label: `${t("observed")} ${findings.length - adverse}` },
            ]}
            value={which}
            onChange={setWhich}
          />
          <TextInput size="xs" type="search" aria-label={t("filter")} placeholder={t("filter")} value={words} onChange={(event) => setWords(event.currentTarget.value)} />
        </div>
      </div>
      {shown.length === 0 ? (
        <p className="empty">{t(findings.length ? "none" : "nothingFound")}</p>
      ) : (
        <div className="scroll tall" role="region" aria-labelledby="findings" tabIndex={0} ref={list}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("time")}</th>
                <th scope="col">{t("category")}</th>
                <th scope="col">{t("fact")}</th>
                <th scope="col" className="number">
                  {t("score")}
                </th>
                <th scope="col">{t("surface")}</th>
                <th scope="col">{t("classifier")}</th>
              </tr>
            </thead>
            {shown.map((one) => (
              <tbody key={one.id} className={one.id === selected ? "selected" : ""}>
                <tr data-row={one.id} aria-current={one.id === selected || undefined} onClick={() => pick(one.id)}>
                  <td className="nowrap">
                    <button type="button" className="seek" onClick={(event) => (event.stopPropagation(), pick(one.id))}>
                      {span(one.start_us, one.end_us)}
                    </button>
                  </td>
                  <td>
                    <span className={`dot ${isAdverse(one.category) ? "adverse" : "observed"}`} aria-hidden="true" />
                    <span title={one.category}>{say(nameOf(one.category))}</span>
                  </td>
                  <td className="wide">
                    <bdi>{fact(one)}</bdi>
                  </td>
                  <td className="number">{one.score.toFixed(2)}</td>
                  <td className="nowrap">{t(`surfaces.${one.surface}`, one.surface)}</td>
                  <td className="soft">
                    <code>{one.classifier}</code>
                  </td>
                </tr>
                {one.id === selected && (
                  <tr className="more">
                    <td colSpan={6}>
                      <code>{one.category}</code> · <code>{one.version}</code> · {t(one.calibrated ? "calibrated" : "uncalibrated")}
                      {Object.entries(one.measured).map(([name, value]) => (
                        <span key={name}>
                          {" "}
                          · {name} <b>{Number(value.toPrecision(5))}</b>
                        </span>
                      ))}
                    </td>
                  </tr>
                )}
              </tbody>
            ))}
          </table>
        </div>
      )}
    </section>
  );
}
