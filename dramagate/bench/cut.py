"""How long a frame-exact cut of a minute takes, and against encoding the whole film again, in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from policies.verdict import Do, Edit
from provenance.asset import TimeRange
from review.render import render

SECONDS, FPS, WIDTH, HEIGHT = 60, 25, 720, 1280
REMOVED = TimeRange(21_300_000, 27_900_000)
"""Neither end on a group of pictures: both edges have to be encoded."""
RUNS = 5
TARGET_S = 0.6
"""Design section 8: a frame-exact cut of a minute, whose sketch without sound, checks and metadata took 0.52 s."""


def bench_cut(workdir: Path) -> list[dict[str, Any]]:
    """The rows `cut.minute_s` (median of five) and `cut.over_reencode`, measured on a film made in `workdir`.

    Keys: id, value, unit, baseline (what it is compared with, measured in this run or a target), ratio, target.
    """
    film = workdir / "cut-minute.mp4"
    if not film.exists():
        make_film(film)
    edits = [Edit(Do.CUT, REMOVED, "bench.cut")]
    cut_s = statistics.median(_seconds(lambda: render(film, workdir / "cut.mp4", edits)) for _ in range(RUNS))
    again_s = min(_seconds(lambda: _encode_again(film, workdir / "again.mp4")) for _ in range(2))
    return [
        {
            "id": "cut.minute_s",
            "value": round(cut_s, 3),
            "unit": "s",
            "baseline": TARGET_S,
            "ratio": round(cut_s / TARGET_S, 3),
            "target": TARGET_S,
        },
        {
            "id": "cut.over_reencode",
            "value": round(cut_s, 3),
            "unit": "s",
            "baseline": round(again_s, 3),
            "ratio": round(cut_s / again_s, 4),
            "target": round(TARGET_S / 11.2, 4),
        },
    ]


def make_film(path: Path) -> None:
    """A minute of 720x1280 at 25 fps, 3 Mbit/s H.264 in groups of 50 and AAC: gradients, seeded noise, a tone."""
    noise = np.random.default_rng(20260101)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    ground = ((np.sin(columns / 37) + np.cos(rows / 53)) * 50 + 128).astype(np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as target:
        picture = target.add_stream("libx264", rate=FPS)
        picture.width, picture.height, picture.pix_fmt, picture.bit_rate = WIDTH, HEIGHT, "yuv420p", 3_000_000
        picture.codec_context.gop_size = 2 * FPS
        picture.options = {"preset": "veryfast"}
        sound = target.add_stream("aac", rate=48000, layout="stereo")
        sound.bit_rate = 128_000
        for number in range(SECONDS * FPS):
            luma = np.roll(ground, number * 3, axis=0)
            left = number * 5 % (WIDTH - 100)
            luma[200:400, left : left + 100] = number * 3 % 255
            luma[800:1000] = np.clip(luma[800:1000] + noise.integers(-12, 12, (200, WIDTH)), 0, 255)
            frame = av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            target.mux(picture.encode(frame))
        target.mux(picture.encode(None))
        at = np.arange(SECONDS * 48000) / 48000
        wave = (0.2 * np.sin(2 * np.pi * 440 * at * (1 + 0.1 * np.sin(at)))).astype(np.float32)
        for start in range(0, len(wave), 1024):
            block = np.ascontiguousarray(np.stack([wave[start : start + 1024]] * 2))
            part = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            part.sample_rate, part.pts, part.time_base = 48000, start, Fraction(1, 48000)
            target.mux(sound.encode(part))
        target.mux(sound.encode(None))


def _encode_again(src: Path, dst: Path) -> None:
    """The plain way: decode everything, leave out what is removed, encode what is left (x264 veryfast, crf 20)."""
    with av.open(str(src)) as source, av.open(str(dst), "w", format="mp4") as target:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        out = target.add_stream("libx264", rate=FPS)
        out.width, out.height, out.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        out.options = {"preset": "veryfast", "crf": "20"}
        shown = 0
        for frame in source.decode(stream):
            at_us = round(frame.pts * frame.time_base * 1_000_000)
            if REMOVED.start_us <= at_us < REMOVED.end_us:
                continue
            frame.pts, frame.time_base, frame.pict_type = shown, Fraction(1, FPS), 0
            shown += 1
            target.mux(out.encode(frame))
        target.mux(out.encode(None))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
