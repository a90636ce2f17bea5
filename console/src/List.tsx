import { Alert, Anchor, Button, Loader, Table, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { ApiError, newest, SETTLED } from "./api";
import { Verdict } from "./Verdict";

export const seconds = (us: number) => {
  const whole = us / 1e6;
  return `${Math.floor(whole / 60)}:${(whole % 60).toFixed(2).padStart(5, "0")}`;
};

/** Every submission, the newest first; looks again every two seconds while one is under way. */
export function List() {
  const { t, i18n } = useTranslation();
  const pages = useInfiniteQuery({
    queryKey: ["submissions"],
    queryFn: ({ pageParam }) => newest(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: (query) =>
      query.state.data?.pages.some((page) => page.items.some((one) => !SETTLED.has(one.state))) ? 2000 : 15000,
  });
  if (pages.isPending) return <Loader aria-label={t("loading")} />;
  if (pages.isError)
    return (
      <Alert color="red" role="alert">
        {pages.error instanceof ApiError && pages.error.status === 401 ? t("denied") : pages.error.message}
      </Alert>
    );
  const rows = pages.data.pages.flatMap((page) => page.items);
  return (
    <>
      <Title order={2} size="h3" mb="sm">
        {t("title")}
      </Title>
      {rows.length === 0 ? (
        <Text>{t("empty")}</Text>
      ) : (
        <Table.ScrollContainer minWidth={640}>
          <Table highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("file")}</Table.Th>
                <Table.Th>{t("verdict")}</Table.Th>
                <Table.Th>{t("state")}</Table.Th>
                <Table.Th>{t("length")}</Table.Th>
                <Table.Th>{t("received")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((one) => (
                <Table.Tr key={one.id} data-submission={one.id}>
                  <Table.Td>
                    <Anchor href={`#/${one.id}`}>{one.file_name}</Anchor>
                  </Table.Td>
                  <Table.Td>{one.outcome && <Verdict outcome={one.outcome} />}</Table.Td>
                  <Table.Td>{t(`states.${one.state}`, one.state)}</Table.Td>
                  <Table.Td>{one.duration_us ? seconds(one.duration_us) : ""}</Table.Td>
                  <Table.Td>{new Date(one.created_at).toLocaleString(i18n.language)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {pages.hasNextPage && (
        <Button variant="default" mt="sm" onClick={() => void pages.fetchNextPage()} loading={pages.isFetchingNextPage}>
          {t("more")}
        </Button>
      )}
    </>
  );
}
