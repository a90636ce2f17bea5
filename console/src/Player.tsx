import { Button, SegmentedControl } from "@mantine/core";
import { useEffect, useReducer, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Decision, type Finding, mediaAddress, plain, type Submission, type Variant } from "./api";
import { clock } from "./time";

type Props = {
  head: Submission;
  media: Decision["media"];
  variant: Variant;
  setVariant: (variant: Variant) => void;
  sensitive: boolean;
  findings: Finding[];
  selected: Finding | null;
  film: HTMLVideoElement | null;
  setFilm: (film: HTMLVideoElement | null) => void;
  seek: (us: number) => void;
  pick: (id: string) => void;
};

/** The film with its controls; blurred until somebody asks to see it where it was held or rejected. */
export function Player({ head, media, variant, setVariant, sensitive, findings, selected, film, setFilm, seek, pick }: Props) {
  const { t } = useTranslation();
  const [asked, setAsked] = useState(false);
  const [held, setHeld] = useState(false);
  const [broken, setBroken] = useState(false);
  const veiled = sensitive && !asked && !held;
  const turned = media !== null && media.rotation % 180 !== 0;
  const [width, height] = turned ? [media.height, media.width] : [media?.width, media?.height];
  const ratio = width && height ? width / height : 9 / 16;
  const src = mediaAddress(head.id, variant);
  const kind = head.media_type.split("/")[0];
  useKeys(film, findings, seek, pick, media?.fps || 24, setHeld);
  useEffect(() => setBroken(false), [src]);
  const name = plain(head.file_name);
  return (
    <section className="player panel" aria-label={t("film")}>
      {head.released_sha256 && (
        <SegmentedControl
          fullWidth
          size="xs"
          aria-label={t("version")}
          data={[
            { value: "submitted", label: t("submitted") },
            { value: "released", label: t("released") },
          ]}
          value={variant}
          onChange={(value) => setVariant(value as Variant)}
        />
      )}
      {kind === "video" || kind === "audio" || kind === "image" ? (
        <div className={`screen${veiled ? " veiled" : ""}`} style={{ "--ratio": kind === "audio" ? 3 : ratio } as React.CSSProperties}>
          {kind === "image" ? (
            <img src={src} alt={veiled ? t("veiled") : name} onError={() => setBroken(true)} />
          ) : (
            <video
              ref={setFilm}
              src={src}
              preload="auto"
              playsInline
              aria-label={name}
              onError={() => setBroken(true)}
              onClick={(event) => toggle(event.currentTarget)}
            />
          )}
          {selected?.region && !veiled && <Box film={film} finding={selected} />}
          {veiled && <p className="veil">
              {t("veiled")} <span className="key">{t("holdKey")}</span>
            </p>}
          {broken && (
            <p className="veil" role="alert">
              {t("unplayable")} <a href={src}>{t("download")}</a>
            </p>
          )}
        </div>
      ) : (
        <p>
          <a href={src}>{t("open")}</a>
        </p>
      )}
      {(kind === "video" || kind === "audio") && <Controls film={film} fps={media?.fps || 24} seek={seek} />}
      {sensitive && (
        <Button variant={asked ? "filled" : "default"} size="xs" fullWidth aria-pressed={asked} onClick={() => setAsked(!asked)}>
          {t(asked ? "conceal" : "reveal")}
        </Button>
      )}
      <p className="keys soft">{t("keys")}</p>
    </section>
  );
}

function Controls({ film, fps, seek }: { film: HTMLVideoElement | null; fps: number; seek: (us: number) => void }) {
  const { t } = useTranslation();
  const now_us = useNow(film);
  const [speed, setSpeed] = useState("1");
  const whole_us = film && Number.isFinite(film.duration) ? film.duration * 1e6 : 0;
  useEffect(() => {
    if (film) film.playbackRate = Number(speed);
  }, [film, speed]);
  const button = (label: string, sign: React.ReactNode, act: () => void) => (
    <button type="button" className="control" aria-label={label} title={label} onClick={act}>
      {sign}
    </button>
  );
  const playing = film !== null && !film.paused;
  return (
    <div className="controls">
      <input
        type="range"
        aria-label={t("position")}
        aria-valuetext={clock(now_us)}
        min={0}
        max={Math.max(1, whole_us)}
        step={10_000}
        value={Math.min(now_us, whole_us)}
        onChange={(event) => seek(Number(event.currentTarget.value))}
      />
      <div className="line">
        {button(t(playing ? "pause" : "play"), playing ? SIGNS.pause : SIGNS.play, () => film && toggle(film))}
        {button(t("frameBack"), SIGNS.back, () => film && step(film, -1, fps))}
        {button(t("frameOn"), SIGNS.on, () => film && step(film, 1, fps))}
        <output className="now" aria-label={t("position")} data-now={Math.round(now_us)}>
          {clock(now_us)} <span className="soft">/ {clock(whole_us)}</span>
        </output>
        <select className="speed" aria-label={t("speed")} value={speed} onChange={(event) => setSpeed(event.currentTarget.value)}>
          {["0.25", "0.5", "1", "1.5", "2", "4"].map((one) => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </select>
        {button(t(film?.muted ? "unmute" : "mute"), film?.muted ? SIGNS.muted : SIGNS.sound, () => {
          if (film) film.muted = !film.muted;
        })}
        {button(t("full"), SIGNS.full, () => {
          // The frame around the film, not the film: what is blurred stays blurred.
          if (document.fullscreenElement) void document.exitFullscreen();
          else void film?.parentElement?.requestFullscreen();
        })}
      </div>
    </div>
  );
}

const sign = (path: string) => (
  <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    <path d={path} fill="currentColor" />
  </svg>
);
const SIGNS = {
  play: sign("M4 2.5v11l9-5.5z"),
  pause: sign("M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z"),
  back: sign("M3 3h2v10H3zM13 3v10L6 8z"),
  on: sign("M11 3h2v10h-2zM3 3v10l7-5z"),
  sound: sign("M2 6h3l4-3.5v11L5 10H2zM11 5a4 4 0 0 1 0 6l-.9-1a2.8 2.8 0 0 0 0-4zM12.8 3a7 7 0 0 1 0 10l-.9-1a5.6 5.6 0 0 0 0-8z"),
  muted: sign("M2 6h3l4-3.5v11L5 10H2zM11 6l1-1 1.2 1.2L14.4 5l1 1-1.2 1.3 1.2 1.2-1 1-1.2-1.2L12 9.500l-1-1 1.200-1.200z"),
  full: sign("M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z"),
};

/** Where the picked finding was seen, while it is. */
function Box({ film, finding }: { film: HTMLVideoElement | null; finding: Finding }) {
  const now_us = useNow(film);
  if (!finding.region || (film && (now_us < finding.start_us || now_us >= finding.end_us))) return null;
  const [x, y, w, h] = finding.region.map((n) => `${100 * n}%`);
  return <span className="box" data-box={finding.id} style={{ left: x, top: y, width: w, height: h }} />;
}

/** Where the film is, in µs; follows every shown frame while it plays, and whatever else changes about it. */
export function useNow(film: HTMLVideoElement | null): number {
  const [, look] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    if (!film) return;
    let frame = 0;
    const read = () => {
      look();
      cancelAnimationFrame(frame);
      if (!film.paused) frame = requestAnimationFrame(read);
    };
    const moments = ["play", "pause", "seeking", "seeked", "timeupdate", "loadedmetadata", "durationchange", "volumechange"];
    for (const moment of moments) film.addEventListener(moment, read);
    read();
    return () => {
      cancelAnimationFrame(frame);
      for (const moment of moments) film.removeEventListener(moment, read);
    };
  }, [film]);
  return (film?.currentTime ?? 0) * 1e6;
}

function toggle(film: HTMLVideoElement) {
  if (film.paused) void film.play().catch(() => undefined);
  else film.pause();
}

/** One frame on or back, to the middle of it, so that rounding never lands on its neighbour. */
function step(film: HTMLVideoElement, by: number, fps: number) {
  film.pause();
  film.currentTime = Math.max(0, (Math.floor(film.currentTime * fps + 1e-6) + by + 0.5) / fps);
}

/** The player by keyboard; quiet while something is being typed. V is held to see a veiled picture. */
function useKeys(
  film: HTMLVideoElement | null,
  findings: Finding[],
  seek: (us: number) => void,
  pick: (id: string) => void,
  fps: number,
  hold: (held: boolean) => void,
) {
  useEffect(() => {
    const byTime = [...findings].sort((a, b) => a.start_us - b.start_us);
    const down = (event: KeyboardEvent) => {
      const on = event.target as HTMLElement;
      const typing = on.matches("textarea, select, input:not([type=range]):not([type=radio]):not([type=checkbox])");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === " " && on.matches("button, a, summary, input[type=checkbox]")) return;
      const now_us = (film?.currentTime ?? 0) * 1e6;
      const to = (one: Finding | undefined) => one && pick(one.id);
      const keys: Record<string, () => void> = {
        " ": () => film && toggle(film),
        j: () => seek(now_us - 1e6),
        l: () => seek(now_us + 1e6),
        ",": () => film && step(film, -1, fps),
        ".": () => film && step(film, 1, fps),
        "[": () => to(byTime.findLast((one) => one.start_us < now_us - 50_000)),
        "]": () => to(byTime.find((one) => one.start_us > now_us + 50_000)),
        v: () => hold(true),
      };
      const act = keys[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    };
    const up = (event: KeyboardEvent) => event.key.toLowerCase() === "v" && hold(false);
    const away = () => hold(false);
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", away);
    return () => {
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
      removeEventListener("blur", away);
    };
  }, [film, findings, seek, pick, fps, hold]);
}
