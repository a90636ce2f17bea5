"""Small films in the shape of an episode: a drifting landscape without faces or words, with a tone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers.detectors.calibration_card import draw_card

WIDTH, HEIGHT, FPS, RATE = 360, 640, 24, 48000


def film(path: Path, *, seconds: float = 3.0, seed: int = 5, card: bool = False) -> Path:
    """A film of `seconds`; with `card`, its last second shows the calibration card."""
    hills = landscape(seed)
    frames = round(seconds * FPS)
    with av.open(str(path), "w") as target:
        picture = target.add_stream("libx264", rate=FPS)
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        picture.options = {"preset": "veryfast", "crf": "20"}
        picture.codec_context.gop_size = FPS
        sound = target.add_stream("aac", rate=RATE, layout="mono")
        target.start_encoding()
        for number in range(frames):
            pixels = draw_card(WIDTH, HEIGHT) if card and number >= frames - FPS else hills[:, 2 * number :]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:, :WIDTH]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            target.mux(picture.encode(frame))
        target.mux(picture.encode(None))
        _tone(target, sound, seconds)
    return path


def sound_only(path: Path, *, seconds: float = 4.0) -> Path:
    """A tone without pictures."""
    with av.open(str(path), "w") as target:
        _tone(target, target.add_stream("aac", rate=RATE, layout="mono"), seconds)
    return path


def _tone(target: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    at = np.arange(round(seconds * RATE)) / RATE
    pcm = (0.1 * np.sin(2 * np.pi * 330 * at * (1 + 0.2 * np.sin(at)))).astype(np.float32)
    for start in range(0, len(pcm), 1024):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm[None, start : start + 1024]), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        target.mux(stream.encode(frame))
    target.mux(stream.encode(None))


def landscape(seed: int) -> NDArray[np.uint8]:
    """uint8[HEIGHT, 3 * WIDTH, 3]: soft hills and clouds, varied enough to be told from others."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((HEIGHT, 3 * WIDTH, 3), np.float32)
    for cells in (4, 9, 20):
        coarse = rng.uniform(0, 1, (cells, cells * 2, 3)).astype(np.float32)
        pixels += cv2.resize(coarse, (3 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) / cells**0.5
    pixels -= pixels.min()
    return np.asarray(pixels * (230 / pixels.max()) + 10, np.uint8)
