"""Films drawn for the tests: text we placed ourselves, so that every answer is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from classifiers.classifier import Film
from provenance.asset import AssetKind

FPS = 24
FONT = Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc")
"""Debian's fonts-wqy-zenhei, which the set-up installs."""


@dataclass(frozen=True)
class Caption:
    text: str
    start_s: float
    end_s: float
    size_px: float
    at: tuple[int, int] | None = None
    """Top-left corner; None centres it near the bottom."""
    fill: tuple[int, int, int] = (255, 255, 255)
    outline: int = 2
    vertical: bool = False


Background = Callable[[int], NDArray[np.uint8]]


def plain(width: int, height: int, grey: int = 60) -> Background:
    """The same flat picture in every frame."""
    return lambda _: np.full((height, width, 3), grey, np.uint8)


def moving(width: int, height: int, speed: int = 6) -> Background:
    """Coloured clouds that drift `speed` pixels a frame."""
    dice = np.random.default_rng(3)
    coarse = dice.integers(20, 235, (height // 40 + 2, width // 20 + 20, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (width * 2, height), interpolation=cv2.INTER_CUBIC)
    return lambda n: np.roll(wide, -speed * n, axis=1)[:, :width]


def film(path: Path, background: Background, captions: Sequence[Caption], seconds: float, fps: int = FPS) -> Path:
    """An H.264 film with `captions` burned in."""
    height, width = background(0).shape[:2]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast"}
        stream.time_base = Fraction(1, fps)
        for n in range(round(seconds * fps)):
            picture = Image.fromarray(np.ascontiguousarray(background(n)))
            for caption in captions:
                if caption.start_s <= n / fps < caption.end_s:
                    write(picture, caption)
            frame = av.VideoFrame.from_image(picture)
            frame.pts = n
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def write(picture: Image.Image, caption: Caption) -> None:
    """Draw one caption into `picture`."""
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(FONT), round(caption.size_px))
    text = "\n".join(caption.text) if caption.vertical else caption.text
    x0, _, x1, _ = pen.multiline_textbbox((0, 0), text, font=font)
    at = caption.at or (round((picture.width - x1 + x0) / 2), round(picture.height * 0.85))
    pen.multiline_text(at, text, font=font, fill=caption.fill, stroke_width=caption.outline, stroke_fill=(0, 0, 0))


@dataclass
class Shown:
    """A decoded frame as classifiers see it."""

    index: int
    at_us: int
    until_us: int
    picture: NDArray[np.uint8]
    shot: int = 0
    starts_shot: bool = False

    def __post_init__(self) -> None:
        self.height, self.width = self.picture.shape[:2]
        self._luma = np.asarray(cv2.cvtColor(self.picture, cv2.COLOR_RGB2GRAY), np.uint8)
        self.luma64 = cv2.resize(self._luma, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)

    def luma(self) -> NDArray[np.uint8]:
        return self._luma

    def rgb(self) -> NDArray[np.uint8]:
        return self.picture


def shown(path: Path) -> Iterator[Shown]:
    """Every frame of a film made by `film`."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        fps = stream.average_rate
        for n, frame in enumerate(source.decode(stream)):
            at, until = (round(k * 1_000_000 / fps) for k in (n, n + 1))
            yield Shown(n, at, until, frame.to_ndarray(format="rgb24"), starts_shot=n == 0)


def film_of(path: Path, seconds: float, size: tuple[int, int], **more: Any) -> Film:
    """What a pass knows of that film when it ends."""
    kind = more.pop("kind", AssetKind.EPISODE)
    return Film(path, kind, max(1, round(seconds * 1_000_000)), *size, max(1, round(seconds * FPS)), **more)
