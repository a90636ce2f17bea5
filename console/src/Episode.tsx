import { Alert, Anchor, Badge, Button, Card, Grid, Group, Loader, SegmentedControl, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Decision, mediaAddress, SETTLED, type Submission, submission, verdict, type Words } from "./api";
import { seconds } from "./List";
import { Timeline } from "./Timeline";
import { Verdict } from "./Verdict";

/** One submission: while it is under way its state, afterwards the film with everything found in it. */
export function Episode({ id }: { id: string }) {
  const { t } = useTranslation();
  const head = useQuery({
    queryKey: ["submission", id],
    queryFn: () => submission(id),
    refetchInterval: (query) => (query.state.data && SETTLED.has(query.state.data.state) ? false : 1000),
  });
  const decided = Boolean(head.data?.outcome);
  const body = useQuery({ queryKey: ["verdict", id], queryFn: () => verdict(id), enabled: decided });
  const wrong = head.error ?? body.error;
  if (wrong) return <Alert color="red" role="alert">{wrong.message}</Alert>;
  if (!head.data) return <Loader aria-label={t("loading")} />;
  return (
    <Stack>
      <Anchor href="#/">← {t("back")}</Anchor>
      <Group>
        <Title order={2} size="h3">
          {head.data.file_name}
        </Title>
        {head.data.outcome ? <Verdict outcome={head.data.outcome} /> : <Badge variant="outline">{t(`states.${head.data.state}`, head.data.state)}</Badge>}
      </Group>
      {head.data.failure && (
        <Alert color="red" role="alert">
          {head.data.failure.detail}
        </Alert>
      )}
      {body.data ? <Judged head={head.data} decision={body.data} /> : !SETTLED.has(head.data.state) && <Loader aria-label={t("loading")} />}
    </Stack>
  );
}

function Judged({ head, decision }: { head: Submission; decision: Decision }) {
  const { t, i18n } = useTranslation();
  const say = (words: Words) => (i18n.language === "zh" ? words.zh : words.en);
  const player = useRef<HTMLVideoElement>(null);
  const [at_us, setAt] = useState(0);
  const [variant, setVariant] = useState<"submitted" | "released">("submitted");
  const sensitive = decision.verdict.reasons.some((reason) => reason.outcome === "hold" || reason.outcome === "reject");
  const [shown, setShown] = useState(!sensitive);
  const findings = decision.screening.findings;
  const seek = useCallback((us: number) => {
    if (player.current) player.current.currentTime = us / 1e6;
    setAt(us);
  }, []);
  useKeys(player, findings, seek, sensitive ? setShown : null);
  const gaps = decision.screening.gaps;
  return (
    <Grid>
      <Grid.Col span={{ base: 12, md: 5 }}>
        <Stack gap="xs">
          {head.released_sha256 && (
            <SegmentedControl
              data={[
                { value: "submitted", label: t("submitted") },
                { value: "released", label: t("released") },
              ]}
              value={variant}
              onChange={(value) => setVariant(value as typeof variant)}
            />
          )}
          <video
            ref={player}
            className={shown ? "player" : "player veiled"}
            src={mediaAddress(head.id, variant)}
            controls
            preload="metadata"
            playsInline
            aria-label={head.file_name}
            onTimeUpdate={(event) => setAt(event.currentTarget.currentTime * 1e6)}
          />
          {sensitive && (
            <Button
              variant="default"
              title={t("blurred")}
              onPointerDown={() => setShown(true)}
              onPointerUp={() => setShown(false)}
              onPointerLeave={() => setShown(false)}
            >
              {t("reveal")}
            </Button>
          )}
          <Text size="xs">{t("keys")}</Text>
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 7 }}>
        <Stack>
          <Card withBorder>
            <Title order={3} size="h5" mb="xs">
              {t("why")}
            </Title>
            {decision.verdict.reasons.length === 0 && <Text>{t("nothing")}</Text>}
            {decision.verdict.reasons.map((reason) => (
              <div key={`${reason.rule}${reason.ranges.join()}`} className="reason">
                <Group gap="xs">
                  <Verdict outcome={reason.outcome} />
                  <Text fw={600}>{say(reason.title)}</Text>
                </Group>
                <Text>{say(reason.explanation)}</Text>
                <Text size="sm">
                  {t("rule")}: {reason.rule}
                  {reason.source.cite ? ` · ${t("law")}: ${reason.source.cite}` : ""}
                </Text>
                <Group gap={6}>
                  {reason.ranges.map(([start, end]) => (
                    <Button key={start} size="compact-xs" variant="light" onClick={() => seek(start)}>
                      {seconds(start)} – {seconds(end)}
                    </Button>
                  ))}
                </Group>
              </div>
            ))}
          </Card>
          <Titled title={t("obligations")} lines={decision.verdict.obligations.map((one) => say(one.what))} />
          <Titled title={t("path")} lines={decision.verdict.path_to_approval.map((one) => say(one.what))} />
          <Card withBorder>
            <Title order={3} size="h5" mb="xs">
              {t("seal")}
            </Title>
            <Text>
              {decision.provenance.seal} · {t("signer")}: {decision.provenance.signer ?? "–"} · {t("disclosure")}: {decision.provenance.ai_disclosure}
            </Text>
            {decision.provenance.problems.map((problem) => (
              <Text key={problem.code} size="sm">
                {i18n.language === "zh" ? problem.zh : problem.en}
              </Text>
            ))}
          </Card>
          <Titled title={t("gaps")} lines={gaps.map((gap) => `${gap.classifier}: ${gap.reason} (${gap.remedy})`)} />
        </Stack>
      </Grid.Col>
      <Grid.Col span={12}>
        <Timeline decision={decision} at_us={at_us} seek={seek} />
      </Grid.Col>
      <Grid.Col span={12}>
        <Title order={3} size="h5">
          {t("findings")}
        </Title>
        <Table.ScrollContainer minWidth={640} mah={420}>
          <Table striped>
            <Table.Tbody>
              {findings.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td>
                    <Button size="compact-xs" variant="subtle" onClick={() => seek(one.start_us)}>
                      {seconds(one.start_us)} – {seconds(one.end_us)}
                    </Button>
                  </Table.Td>
                  <Table.Td>{one.category}</Table.Td>
                  <Table.Td>{one.score.toFixed(2)}</Table.Td>
                  <Table.Td>{one.text ?? one.subject ?? one.work ?? ""}</Table.Td>
                  <Table.Td>{one.classifier}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Grid.Col>
    </Grid>
  );
}

function Titled({ title, lines }: { title: string; lines: string[] }) {
  if (lines.length === 0) return null;
  return (
    <Card withBorder>
      <Title order={3} size="h5" mb="xs">
        {title}
      </Title>
      {lines.map((line) => (
        <Text key={line} size="sm">
          {line}
        </Text>
      ))}
    </Card>
  );
}

const FRAME_S = 1 / 24;

/** The player by keyboard; quiet while something is being typed. V is held to see a veiled picture. */
function useKeys(
  player: React.RefObject<HTMLVideoElement | null>,
  findings: Decision["screening"]["findings"],
  seek: (us: number) => void,
  show: ((shown: boolean) => void) | null,
) {
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      const video = player.current;
      const target = event.target as HTMLElement;
      if (!video || event.ctrlKey || event.metaKey || ["INPUT", "TEXTAREA", "BUTTON", "A"].includes(target.tagName)) return;
      const now = video.currentTime;
      const starts = [...new Set(findings.map((one) => one.start_us))].sort((a, b) => a - b);
      const keys: Record<string, () => void> = {
        " ": () => void (video.paused ? video.play() : video.pause()),
        j: () => seek(Math.max(0, now - 1) * 1e6),
        l: () => seek((now + 1) * 1e6),
        ",": () => seek(Math.max(0, now - FRAME_S) * 1e6),
        ".": () => seek((now + FRAME_S) * 1e6),
        "[": () => seek(starts.findLast((us) => us < now * 1e6 - 50_000) ?? 0),
        "]": () => seek(starts.find((us) => us > now * 1e6 + 50_000) ?? now * 1e6),
        v: () => show?.(true),
      };
      const act = keys[event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === "v") show?.(false);
    };
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    return () => {
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
    };
  }, [player, findings, seek, show]);
}
