import { Button, Loader, SegmentedControl } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { newest, type Outcome, plain, SETTLED } from "./api";
import { Mark, State } from "./Mark";
import { clock } from "./time";
import { Wrong } from "./Wrong";

const OUTCOMES: Outcome[] = ["reject", "hold", "segment", "approve"];

/** Every submission, the newest first; looks again every two seconds while one is under way. */
export function List() {
  const { t, i18n } = useTranslation();
  const [only, setOnly] = useState<Outcome | null>(null);
  useEffect(() => {
    document.title = `${t("title")} · dramagate`;
  }, [t]);
  const pages = useInfiniteQuery({
    queryKey: ["submissions", only],
    queryFn: ({ pageParam }) => newest(pageParam, only),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    placeholderData: (before) => before,
    refetchInterval: (query) =>
      query.state.data?.pages.some((page) => page.items.some((one) => !SETTLED.has(one.state))) ? 2000 : 10000,
  });
  if (pages.isError && !pages.data) return <Wrong error={pages.error} again={() => void pages.refetch()} />;
  const rows = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const when = new Intl.DateTimeFormat(i18n.language === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "medium" });
  return (
    <section className="panel list" aria-labelledby="submissions">
      <div className="line between">
        <h2 id="submissions">{t("title")}</h2>
        <SegmentedControl
          size="xs"
          aria-label={t("verdict")}
          data={[{ value: "", label: t("all") }, ...OUTCOMES.map((o) => ({ value: o, label: t(`outcome.${o}`) }))]}
          value={only ?? ""}
          onChange={(value) => setOnly((value || null) as Outcome | null)}
        />
      </div>
      {pages.isPending ? (
        <Loader size="sm" aria-label={t("loading")} role="status" />
      ) : rows.length === 0 ? (
        <p className="empty">{t(only ? "none" : "empty")}</p>
      ) : (
        <div className="scroll" role="region" aria-labelledby="submissions" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("file")}</th>
                <th scope="col">{t("verdict")}</th>
                <th scope="col">{t("state")}</th>
                <th scope="col" className="number">
                  {t("length")}
                </th>
                <th scope="col">{t("kind")}</th>
                <th scope="col">{t("received")}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.id} data-submission={one.id}>
                  <td className="name">
                    <a href={`#/${one.id}`}>
                      <bdi>{plain(one.file_name)}</bdi>
                    </a>
                  </td>
                  <td>{one.outcome ? <Mark outcome={one.outcome} /> : <span className="soft">–</span>}</td>
                  <td>
                    <State state={one.state} />
                  </td>
                  <td className="number">{one.duration_us ? clock(one.duration_us) : "–"}</td>
                  <td className="nowrap">{t(`kinds.${one.kind}`, one.kind)}</td>
                  <td className="nowrap soft">{when.format(new Date(one.created_at))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {pages.isError && <p role="alert">{t("stale")}</p>}
      {pages.hasNextPage && (
        <Button variant="default" size="xs" mt="sm" onClick={() => void pages.fetchNextPage()} loading={pages.isFetchingNextPage}>
          {t("more")}
        </Button>
      )}
    </section>
  );
}
