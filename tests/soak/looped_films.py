"""Films of hours made in seconds: a few scenes are encoded once and their packets repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers.detectors.calibration_card import draw_card

FPS = 24
WIDTH, HEIGHT = 180, 320
SCENES, SCENE_S = 6, 5
CARD_S, COPY_S = 2, 10
RATE = 48_000

Picture = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Planted:
    """What lies where in a long film, in whole seconds."""

    path: Path
    duration_s: int
    card_s: int
    """`CARD_S` of the calibration card begin here..."""
    copy_s: int
    """...and here `COPY_S` of the registered work."""


def scene(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Picture:
    """Clouds of a scene's own colours that drift and breathe, so that no two frames are the same picture."""
    width, height = size
    dice = np.random.default_rng(seed)
    coarse = dice.integers(20, 235, (8, 12, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (width * 2, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    step = int(dice.integers(2, 6))

    def at(n: int) -> NDArray[np.uint8]:
        moved = np.roll(wide, (-step * n, n), axis=(1, 0))[:, :width]
        shown: NDArray[np.uint8] = np.clip(moved * (0.85 + 0.15 * np.sin(n / 9)), 0, 255).astype(np.uint8)
        return shown

    return at


def work_of_others(path: Path) -> Path:
    """The registered film: `COPY_S` seconds of a scene that no other film here has."""
    _encoded(path, [(scene(99), COPY_S)])
    return path


def long_film(path: Path, duration_s: int) -> Planted:
    """A film with sound of `duration_s` seconds; the card and the copy lie in its last minute.

    For two hours the card begins at 1:59:00 and the copy at 1:59:20. Everything else is `SCENES` scenes of
    `SCENE_S` seconds, one after the other, again and again.
    """
    if duration_s % SCENE_S or duration_s < 2 * SCENES * SCENE_S + 60:
        raise ValueError(f"a film of {duration_s} s is not made of whole scenes, or too short to plant anything in")
    stock = path.with_name("stock.mp4")
    lengths = [SCENE_S] * SCENES + [CARD_S, COPY_S, SCENE_S - CARD_S]
    pictures: list[Picture] = [*map(scene, range(SCENES)), lambda _: draw_card(WIDTH, HEIGHT), scene(99), scene(7)]
    _encoded(stock, list(zip(pictures, lengths, strict=True)))
    card, copied, rest = SCENES, SCENES + 1, SCENES + 2
    card_at, copy_at = duration_s - 60, duration_s - 40
    order, at_s = list[int](), 0
    while at_s < duration_s:
        now = [card, rest] if at_s == card_at else [copied] if at_s == copy_at else [at_s // SCENE_S % SCENES]
        order += now
        at_s += sum(lengths[n] for n in now)
    _repeated(stock, path, lengths, order)
    return Planted(path, duration_s, card_at, copy_at)


def _encoded(path: Path, parts: list[tuple[Picture, int]]) -> None:
    """One encode, so that all parts share their parameter sets; each part begins with a key frame."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "26", "bf": "0", "g": str(FPS), "x264-params": "scenecut=0"}
        pts = 0
        for picture, seconds in parts:
            for n in range(seconds * FPS):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture(n)), "rgb24")
                frame.pts, frame.time_base = pts, Fraction(1, FPS)
                if n == 0:
                    frame.pict_type = av.video.frame.PictureType.I
                out.mux(stream.encode(frame))
                pts += 1
        out.mux(stream.encode())


def _repeated(stock: Path, path: Path, lengths: list[int], order: list[int]) -> None:
    """`stock`'s parts in `order`, by packet copy, with a tone under them."""
    with av.open(str(stock)) as source, av.open(str(path), "w") as out:
        pictures = source.streams.video[0]
        packets = [(bytes(p), p.is_keyframe) for p in source.demux(pictures) if p.size]
        starts = np.cumsum([0, *(n * FPS for n in lengths)])
        film = out.add_stream_from_template(pictures)
        sound = out.add_stream("aac", rate=RATE, layout="mono")
        tone = _tone(sound)
        frame_no = spoken = 0
        for part in order:
            for data, key in packets[starts[part] : starts[part + 1]]:
                while spoken * 1024 * FPS <= frame_no * RATE:
                    _mux(out, sound, tone[spoken % len(tone)], spoken * 1024, Fraction(1, RATE), key=True)
                    spoken += 1
                _mux(out, film, data, frame_no, Fraction(1, FPS), key=key)
                frame_no += 1


def _tone(stream: av.AudioStream) -> list[bytes]:
    """A second of 440 Hz as coded packets."""
    coded = []
    for n in range(RATE // 1024):
        wave = 0.1 * np.sin(2 * np.pi * 440 * (np.arange(1024) + n * 1024) / RATE)
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, n * 1024, Fraction(1, RATE)
        coded += [bytes(p) for p in stream.encode(frame)]
    return coded + [bytes(p) for p in stream.encode()]


def _mux(
    out: av.container.OutputContainer, stream: object, data: bytes, pts: int, base: Fraction, *, key: bool
) -> None:
    packet = av.Packet(data)
    packet.stream, packet.time_base, packet.pts, packet.dts = stream, base, pts, pts
    packet.duration = 1024 if base.denominator == RATE else 1
    packet.is_keyframe = key
    out.mux_one(packet)
