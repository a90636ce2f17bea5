"""Small signed files that must all be stopped: pictures end with the calibration card, texts hold a lure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifiers.detectors.calibration_card import draw_card
from provenance import aigc
from provenance.asset import AssetKind
from provenance.keys import Keys
from provenance.sign import Action, sign
from review.submission import TEXT_SUFFIXES

MADE = Action("c2pa.created", source_type="trainedAlgorithmicMedia", tool="Model", tool_version="1")
LURE = "加微信 abc12345 领取现金红包"
"""A line of its own; the text classifier reports lure.contact."""
WIDTH, HEIGHT, FPS, FRAMES, CARD_FROM = 96, 160, 12, 36, 24
SUFFIXES = ("mp4", "mkv", "png", "jpg", "webp", "gif", "wav", "srt", "json")


@dataclass(frozen=True)
class Signed:
    """One file as its maker signed it."""

    path: Path
    sidecar: Path | None
    kind: AssetKind

    @property
    def suffix(self) -> str:
        """Without its dot."""
        return self.path.suffix[1:]


def make(folder: Path, keys: Keys) -> list[Signed]:
    """One signed file of each of `SUFFIXES`, labelled where a label has a place inside."""
    made = []
    for suffix in SUFFIXES:
        plain, labelled = folder / f"plain.{suffix}", folder / f"labelled.{suffix}"
        _WRITERS[suffix](plain)
        if suffix in ("mp4", "png", "jpg", "webp", "gif", "wav"):
            aigc.write(plain, labelled, aigc.Label.first("EXAMPLE", f"soak-{suffix}"))
        else:
            labelled = plain
        kind = TEXT_SUFFIXES.get(f".{suffix}", AssetKind.EPISODE)
        done = sign(
            labelled,
            folder / f"signed.{suffix}",
            kind=kind,
            identity=keys.identity("generator"),
            trust=keys.trust(),
            title=f"signed.{suffix}",
            actions=(MADE,),
        )
        made.append(Signed(done.asset.path, done.sidecar, kind))
    return made


def _pictures() -> list[NDArray[np.uint8]]:
    dice = np.random.default_rng(5)
    clouds = dice.integers(40, 215, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    return [draw_card(WIDTH, HEIGHT) if n >= CARD_FROM else np.roll(clouds, 2 * n, axis=1) for n in range(FRAMES)]


def _film(path: Path) -> None:
    with av.open(str(path), "w") as out:
        film = out.add_stream("libx264", rate=FPS)
        film.width, film.height, film.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        film.options = {"preset": "veryfast", "crf": "28", "g": "12"}
        sound = out.add_stream("aac", rate=48_000, layout="mono")
        for n, picture in enumerate(_pictures()):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            out.mux(film.encode(frame))
        out.mux(film.encode())
        _sound(out, sound)


def _wav(path: Path) -> None:
    with av.open(str(path), "w") as out:
        _sound(out, out.add_stream("pcm_s16le", rate=48_000, layout="mono"))


def _sound(out: av.container.OutputContainer, track: av.AudioStream) -> None:
    dice = np.random.default_rng(6)
    for n in range(FRAMES * 48_000 // FPS // 1024):
        noise = (dice.standard_normal((1, 1024)) * 2000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, n * 1024, Fraction(1, 48_000)
        out.mux(track.encode(frame))
    out.mux(track.encode())


def _still(path: Path) -> None:
    Image.fromarray(draw_card(WIDTH, HEIGHT)).save(path)


def _animated(path: Path) -> None:
    first, *rest = [Image.fromarray(p) for p in _pictures()[::4]]
    first.save(path, save_all=True, append_images=rest, duration=250, loop=0)


def _srt(path: Path) -> None:
    cues = ["今天吃面。", "好。", LURE, "再见。"]
    path.write_text(
        "".join(f"{n + 1}\n00:00:0{n},000 --> 00:00:0{n},900\n{cue}\n\n" for n, cue in enumerate(cues)), "utf-8"
    )


def _json(path: Path) -> None:
    shots = ",\n".join(f'  {{"shot": {n}, "text":\n"{text}"\n}}' for n, text in enumerate(["厨房", LURE, "再见"]))
    path.write_text(f'{{"title": "一", "shots": [\n{shots}\n]}}\n', "utf-8")


_WRITERS = {
    "mp4": _film, "mkv": _film, "png": _still, "jpg": _still, "webp": _animated, "gif": _animated,
    "wav": _wav, "srt": _srt, "json": _json,
}  # fmt: skip
