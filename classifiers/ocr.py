"""Reading text in one picture, and measuring its letters. `classifiers/screen_reader.py` follows whole films.

PP-OCR's detection and recognition networks are run apart, so that a film's lines are found often and read
once. Both run on one thread without spinning.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Pixels
from classifiers.onnx_session import session
from classifiers.weights import WeightStore, combined

VERSION = "ppocrv6s-1"
"""Changes whenever the same picture could read differently: models, sizes, thresholds."""

WEIGHTS = "ocr-ppocr"

Quad = NDArray[np.float32]
"""float32[4, 2]: x, y of top-left, top-right, bottom-right, bottom-left in pixels of the picture."""

FILM_SIDE = 416
"""Longest side, in pixels, of what detection sees of a film frame. Measured: 18 ms at 416, 70 at 736, and
subtitles of 44 px in 720x1280 are all found at 416."""
STILL_SIDE = 960
"""The same for a still, which is looked at once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one box says."""

    text: str
    confidence: float
    """Mean probability of its characters, in [0, 1]."""
    centres: tuple[float, ...]
    """Where along the line each character of `text` stands, as a share of the line's length."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What was measured of the ink of one line, in pixels and as luminance contrast."""

    han_px: float
    """Ink of the Chinese characters, from the highest to the lowest, in pixels; 0 where the line has none."""
    capital_px: float
    """Tallest ink of a Latin capital, ascender or digit, in pixels; 0 where the line has none."""
    contrast: float
    """Contrast ratio of ink to what lies right around it, 1 to 21 (the formula of WCAG 2, on luma)."""


class Ocr:
    """PP-OCR detection and recognition on single pictures."""

    def __init__(self, det: Path, rec: Path, digest: str, device: str = "cpu") -> None:
        self._det = session(det, device)
        self._rec = session(rec, device)
        self.digest = digest
        """SHA-256 over both models: what findings name as their weights."""
        characters = self._rec.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters = ["", *characters, " "]

    @classmethod
    def load(cls, weights: WeightStore, device: str = "cpu") -> Ocr:
        """The reader of these weights, loaded once per process. Raises WeightsMissing where they are absent."""
        det, det_digest = weights.file(WEIGHTS, "det.onnx")
        rec, rec_digest = weights.file(WEIGHTS, "rec.onnx")
        return _loaded(det, rec, combined(det_digest, rec_digest), device)

    def detect(self, rgb: Pixels, side: int = FILM_SIDE) -> list[Quad]:
        """Boxes around the lines of text in `rgb`, tilted ones included, top to bottom.

        `side`: the longest side detection sees; a smaller picture is enlarged, to twice its size at most.
        """
        height, width = rgb.shape[:2]
        scale = min(2.0, side / max(height, width))
        seen_h, seen_w = (max(32, round(length * scale / 32) * 32) for length in (height, width))
        seen = cv2.resize(rgb, (seen_w, seen_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        (likely,) = self._det.run(None, {"x": _as_input(seen)})
        quads = _boxes(likely[0, 0], width / seen_w, height / seen_h)
        for quad in quads:
            quad[:, 0] = quad[:, 0].clip(0, width)
            quad[:, 1] = quad[:, 1].clip(0, height)
        return sorted(quads, key=lambda q: (float(q[:, 1].min()), float(q[:, 0].min())))

    def recognise(self, line: Pixels) -> Reading:
        """What the upright crop `line` (uint8[h, w, 3] RGB) says; an empty text where it says nothing."""
        height, width = line.shape[:2]
        # 48 px is what the network was trained on; 3200 px holds some 70 characters and bounds the memory.
        seen_w = min(3200, max(16, -(-48 * width // height)))
        padded = max(320, seen_w)
        canvas = np.zeros((1, 3, 48, padded), np.float32)
        canvas[:, :, :, :seen_w] = _as_input(cv2.resize(line, (seen_w, 48)))
        (likely,) = self._rec.run(None, {"x": canvas})
        best = likely[0].argmax(axis=1)
        starts = np.flatnonzero((best != 0) & np.r_[True, best[1:] != best[:-1]])
        if not len(starts):
            return Reading("", 0.0, ())
        sure = likely[0][starts, best[starts]]
        share = padded / (len(best) * seen_w)
        kept = [(self._characters[best[s]], min(1.0, (float(s) + 0.5) * share)) for s in starts]
        text = "".join(c for c, _ in kept)
        if len(text) != len(kept):  # a dictionary entry of several code points: positions would not fit
            kept = [(c, at) for entry, at in kept for c in entry]
        left, right = len(text) - len(text.lstrip()), len(text.rstrip())
        return Reading(text.strip(), float(sure.mean()), tuple(at for _, at in kept[left:right]))

    def read(self, rgb: Pixels, quad: Quad) -> tuple[Reading, Pixels]:
        """What stands in the box `quad` of `rgb`, and the upright crop it was read from."""
        line = straighten(rgb, quad)
        return self.recognise(line), line


@lru_cache(maxsize=2)
def _loaded(det: Path, rec: Path, digest: str, device: str) -> Ocr:
    return Ocr(det, rec, digest, device)


def _as_input(rgb: Pixels) -> NDArray[np.float32]:
    """float32[1, 3, h, w] in [-1, 1], blue first: what PP-OCR was trained on."""
    planes = rgb[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
    planes *= 2 / 255
    planes -= 1
    return planes


def _boxes(likely: NDArray[np.float32], across: float, down: float) -> list[Quad]:
    """Differentiable binarisation undone: a box around each blob of text, grown back to its full size.

    Source: thresholds 0.3 and 0.5, growth 1.6 and the 2x2 dilation are the ones PP-OCRv6 ships with.
    """
    blobs = cv2.dilate((likely > 0.3).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(blobs, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads: list[Quad] = []
    for contour in contours[:1000]:
        middle, (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < 3 or _mean_inside(likely, cv2.boxPoints((middle, (w, h), angle))) < 0.5:
            continue
        grow = 2 * 1.6 * w * h / (2 * (w + h))
        quad = _clockwise(cv2.boxPoints((middle, (w + grow, h + grow), angle)))
        quads.append(quad * np.array([across, down], np.float32))
    return quads


def _mean_inside(likely: NDArray[np.float32], quad: Quad) -> float:
    height, width = likely.shape
    x0, y0 = np.floor(quad.min(axis=0)).astype(int).clip(0, (width - 1, height - 1))
    x1, y1 = np.ceil(quad.max(axis=0)).astype(int).clip(0, (width - 1, height - 1))
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(quad - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(likely[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _clockwise(quad: Quad) -> Quad:
    """Top-left, top-right, bottom-right, bottom-left."""
    by_x = quad[np.argsort(quad[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack([left[0], right[0], right[1], left[1]]).astype(np.float32)


def straighten(picture: Pixels, quad: Quad, margin: float = 0.0) -> Pixels:
    """The box cut out and turned upright, widened by `margin` of its height on every side.

    A box half again as high as wide holds a vertical line: it is turned on its side, as PP-OCR expects.
    """
    along = max(float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[2] - quad[3])), 1.0)
    high = max(float(np.linalg.norm(quad[3] - quad[0])), float(np.linalg.norm(quad[2] - quad[1])), 1.0)
    extra = margin * min(along, high)
    width, height = max(1, round(along + 2 * extra)), max(1, round(high + 2 * extra))
    target = np.array(
        [[extra, extra], [width - extra, extra], [width - extra, height - extra], [extra, height - extra]], np.float32
    )
    warp = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    crop = cv2.warpPerspective(picture, warp, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(np.rot90(crop)) if height >= 1.5 * width else crop


def measure(line: Pixels, reading: Reading, margin: float) -> Glyphs:
    """The heights and contrast of the ink of one line.

    `line` is `straighten(luma, quad, margin)`: luma as uint8[h, w]. Heights are those of the letters' filling:
    an outline drawn around them is not counted, so that a label is never measured taller than it is.
    """
    height, width = line.shape
    extra = margin / (1 + 2 * margin) * height
    inner = width - 2 * extra
    bright, dark = _ink(line, bright=True), _ink(line, bright=False)
    ink = _filling(bright, dark)
    em = min(height, inner / max(1, len(reading.text)) * 1.4)
    level = _levels(line, ink)
    han: list[tuple[float, float]] = []
    capital = 0.0
    for letter, centre in zip(reading.text, reading.centres, strict=True):
        half = 0.6 * em if _is_han(letter) else em / 4
        x = extra + centre * inner
        across = slice(max(0, int(x - half)), int(x + half) + 1)
        rows = np.flatnonzero(ink[:, across].any(axis=1))
        if not len(rows):
            continue
        top, bottom = _with_soft_edges(level[:, across], int(rows[0]), int(rows[-1]))
        if _is_han(letter):
            han.append((top, bottom))
        elif letter.isupper() or letter in "bdfhklt" or letter.isdecimal():
            capital = max(capital, bottom - top + 1.0)
    tall = max(b for _, b in han) - min(t for t, _ in han) + 1.0 if han else 0.0
    return Glyphs(tall, capital, _contrast(line, ink))


def _levels(line: Pixels, ink: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How much of each pixel is ink: 0 as around the letters, 1 as inside them."""
    if not ink.any() or ink.all():
        return np.zeros(line.shape, np.float32)
    around = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    inside, outside = float(np.median(line[ink])), float(np.median(line[around & ~ink]))
    return (line.astype(np.float32) - outside) / (inside - outside if inside != outside else 1.0)


def _with_soft_edges(level: NDArray[np.float32], top: int, bottom: int) -> tuple[float, float]:
    """The rows widened by as much of the next two as the letter's smoothed edge covers."""
    above = [float(level[row].max()) for row in range(top - 1, max(-1, top - 3), -1)]
    below = [float(level[row].max()) for row in range(bottom + 1, min(len(level), bottom + 3))]
    return top - _covered(above), bottom + _covered(below)


def _covered(rows: list[float]) -> float:
    """Rows of ink in a soft edge, from the letter outwards; what covers less than a sixth is blur."""
    total = 0.0
    for share in rows:
        if share < 1 / 6:
            break
        total += min(1.0, share)
    return total


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff" or "\uf900" <= letter <= "\ufaff"


def _ink(line: Pixels, *, bright: bool) -> NDArray[np.bool_]:
    """Pixels on one side of Otsu's threshold that belong to no blob touching the crop's edge."""
    kind = cv2.THRESH_BINARY if bright else cv2.THRESH_BINARY_INV
    _, mask = cv2.threshold(line, 0, 255, kind | cv2.THRESH_OTSU)
    _, blobs = cv2.connectedComponents(mask, connectivity=8)
    edge = np.unique(np.r_[blobs[0], blobs[-1], blobs[:, 0], blobs[:, -1]])
    ink: NDArray[np.bool_] = (mask > 0) & ~np.isin(blobs, edge)
    return ink


def _filling(bright: NDArray[np.bool_], dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the two is the letters: the one that fills, not its outline and not the holes in its letters."""
    tall = [np.flatnonzero(m.any(axis=1)) for m in (bright, dark)]
    spans = [float(rows[-1] - rows[0] + 1) if len(rows) else 0.0 for rows in tall]
    inner, outer = (bright, dark) if spans[0] < spans[1] else (dark, bright)
    # An outlined letter's filling is nearly as tall as its outline; the holes in letters are small and few.
    nested = min(spans) >= 0.75 * max(spans) and inner.sum() >= 0.35 * outer.sum()
    return inner if nested else outer


def _contrast(line: Pixels, ink: NDArray[np.bool_]) -> float:
    """WCAG 2's (lighter + 0.05) / (darker + 0.05) between the ink and the ring right around it."""
    if not ink.any():
        return 1.0
    grown = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    ring = grown & ~(cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    if not ring.any():
        return 1.0
    core = cv2.erode(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    lights = [(float(np.median(line[m])) / 255) ** 2.2 + 0.05 for m in (core if core.any() else ink, ring)]
    return float(max(lights) / min(lights))
