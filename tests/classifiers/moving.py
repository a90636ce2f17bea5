"""Small films and clips drawn for the tests of the pass, the cuts and the copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers.frames import Look
from provenance.media import RawFrame

Picture = NDArray[np.uint8]
FPS = 24


def film(path: Path, pictures: Iterable[Picture], fps: int = FPS, crf: int = 20, codec: str = "libx264") -> Path:
    """An H.264 film of RGB pictures, all of one (even) size."""
    with av.open(str(path), "w") as out:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = out.add_stream(codec, rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": str(crf), "preset": "veryfast"}
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        assert stream is not None
        out.mux(stream.encode(None))
    return path


def scenery(seed: int, height: int = 160, width: int = 96, low: int = 20, high: int = 235) -> Picture:
    """A picture with shapes of several sizes, unlike that of any other seed."""
    dice = np.random.default_rng(seed)
    out = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((4, 0.5), (9, 0.3), (23, 0.2)):
        coarse = dice.random((cells, max(2, cells * width // height), 3), np.float32)
        out += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    spread = (out - out.min()) / max(float(np.ptp(out)), 1e-6)
    return np.asarray(low + (high - low) * spread, np.uint8)


def panning(seed: int, count: int, speed: float = 1.5, height: int = 160, width: int = 96, **kw: int) -> list[Picture]:
    """`count` pictures of a camera passing over one scenery, `speed` pixels a frame."""
    wide = scenery(seed, height, width + int(speed * count) + 8, **kw)
    return [wide[:, int(speed * n) : int(speed * n) + width] for n in range(count)]


def decoded(path: Path) -> list[RawFrame]:
    from provenance import media

    with media.decode(path) as decoding:
        return list(decoding)


def looks(pictures: Iterable[Picture], fps: int = FPS) -> list[tuple[RawFrame, Look]]:
    """Frames as the decoder would give them, without coding them first."""
    found = []
    for n, picture in enumerate(pictures):
        at, until = (round(k * 1_000_000 / fps) for k in (n, n + 1))
        height, width = picture.shape[:2]
        frame = RawFrame(np.ascontiguousarray(picture), n, at, until, (width, height), 0)
        found.append((frame, Look.of(frame)))
    return found


def on_top(pictures: list[Picture], when: range, paint: Callable[[Picture], None]) -> list[Picture]:
    """The same pictures, those of `when` painted on."""
    out = []
    for n, picture in enumerate(pictures):
        copy = picture.copy()
        if n in when:
            paint(copy)
        out.append(copy)
    return out
