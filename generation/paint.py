"""Drawing: smooth filled shapes on canvases with transparency, and laying them over frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Colour = tuple[float, float, float]
"""Red, green, blue in [0, 255]."""
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_SHIFT = 4
"""Sub-pixel bits of cv2's fixed-point coordinates."""


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with `share` of `b` in it."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def darker(colour: Colour, by: float) -> Colour:
    """The colour with `by` of its light taken away."""
    return mix(colour, (0, 0, 0), by)


def lighter(colour: Colour, by: float) -> Colour:
    """The colour moved `by` of the way to white."""
    return mix(colour, (255, 255, 255), by)


def smooth(points: Sequence[Point], *, closed: bool = True, steps: int = 10) -> list[Point]:
    """A curve through `points` (Catmull-Rom), as a polyline."""
    n = len(points)
    out: list[Point] = []
    spans = n if closed else n - 1
    for i in range(spans):
        p = [points[(i + k) % n] if closed else points[min(max(i + k, 0), n - 1)] for k in (-1, 0, 1, 2)]
        for step in range(steps):
            t = step / steps
            out.append((_curve(t, *(q[0] for q in p)), _curve(t, *(q[1] for q in p))))
    if not closed:
        out.append(points[-1])
    return out


def _curve(t: float, a: float, b: float, c: float, d: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)


def ellipse(x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> list[Point]:
    """An ellipse as a polygon; `tilt` in radians, clockwise."""
    turn = (math.cos(tilt), math.sin(tilt))
    ring = [(rx * math.cos(a), ry * math.sin(a)) for a in (2 * math.pi * k / 48 for k in range(48))]
    return [(x + u * turn[0] - v * turn[1], y + u * turn[1] + v * turn[0]) for u, v in ring]


def box(x: float, y: float, w: float, h: float, r: float = 0.0) -> list[Point]:
    """A rectangle, its corners rounded by `r`."""
    r = min(r, w / 2, h / 2)
    if r <= 0:
        return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    out: list[Point] = []
    for cx, cy, start in (
        (x + w - r, y + r, -90),
        (x + w - r, y + h - r, 0),
        (x + r, y + h - r, 90),
        (x + r, y + r, 180),
    ):
        out += [
            (cx + r * math.cos(math.radians(start + a)), cy + r * math.sin(math.radians(start + a)))
            for a in range(0, 91, 15)
        ]
    return out


class Canvas:
    """A picture with transparency, drawn in units of `unit` pixels about an origin given in units."""

    def __init__(self, width: float, height: float, unit: float, origin: Point = (0.0, 0.0)) -> None:
        self.unit = unit
        self.origin = origin
        size = (math.ceil(height * unit), math.ceil(width * unit))
        self.rgb: Floats = np.zeros((*size, 3), np.float32)
        """Colour times its opacity, in [0, 255]."""
        self.alpha: Floats = np.zeros(size, np.float32)
        """Opacity in [0, 1]."""

    def fill(
        self,
        points: Sequence[Point],
        colour: Colour,
        *,
        to: Colour | None = None,
        alpha: float = 1.0,
        shade: float = 0.0,
        soft: float = 0.0,
    ) -> None:
        """Fill a polygon: `to` is its colour at the bottom, `shade` darkens its right and lower edge by that share,
        `soft` blurs its edge by that many units."""
        at = (np.asarray(points, np.float64) + self.origin) * self.unit
        edge = math.ceil(soft * self.unit * 2.5) + 2
        x0, y0 = (max(0, math.floor(v) - edge) for v in at.min(axis=0))
        x1 = min(self.alpha.shape[1], math.ceil(at[:, 0].max()) + edge)
        y1 = min(self.alpha.shape[0], math.ceil(at[:, 1].max()) + edge)
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        corner = np.rint((at - (x0, y0)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [corner], 255, cv2.LINE_AA, _SHIFT)
        cover = np.asarray(mask, np.float32) / np.float32(255)
        if soft:
            cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), max(0.3, soft * self.unit)), np.float32)
        ink: NDArray[np.floating[Any]] = self._ink(colour, to, y1 - y0, (at[:, 1].min() - y0, at[:, 1].max() - y0))
        if shade:
            ink = ink * (1 - np.float32(shade) * self._shadow(cover, at))[:, :, None]
        cover = cover * np.float32(alpha)
        where = (slice(y0, y1), slice(x0, x1))
        self.rgb[where] = self.rgb[where] * (1 - cover[:, :, None]) + ink * cover[:, :, None]
        self.alpha[where] = self.alpha[where] * (1 - cover) + cover

    def stroke(
        self, points: Sequence[Point], colour: Colour, width: float, *, alpha: float = 1.0, taper: bool = False
    ) -> None:
        """A line of `width` units along `points`, thin at its ends where it tapers."""
        path = np.asarray(points, np.float64)
        along = np.gradient(path, axis=0)
        length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
        normal = np.stack([-along[:, 1], along[:, 0]], 1) / length[:, None]
        share = np.sin(np.linspace(0.08, 1, len(path)) * np.pi * 0.92) if taper else np.ones(len(path))
        half = normal * (width / 2 * share)[:, None]
        outline = [*map(tuple, path + half), *map(tuple, (path - half)[::-1])]
        self.fill(cast("list[Point]", outline), colour, alpha=alpha)
        if not taper:
            for x, y in (path[0], path[-1]):
                self.fill(ellipse(x, y, width / 2, width / 2), colour, alpha=alpha)

    def picture(self) -> Bytes:
        """The canvas as uint8[height, width, 4], colour premultiplied by opacity."""
        out = np.dstack([self.rgb, self.alpha * 255])
        return np.clip(np.rint(out), 0, 255).astype(np.uint8)

    def opaque(self) -> Bytes:
        """The canvas as uint8[height, width, 3]; what was never painted is black."""
        return np.clip(np.rint(self.rgb), 0, 255).astype(np.uint8)

    def _ink(self, colour: Colour, to: Colour | None, rows: int, span: tuple[float, float]) -> Floats:
        top = np.asarray(colour, np.float32)
        if to is None:
            return np.broadcast_to(top, (rows, 1, 3))
        share = np.clip((np.arange(rows) - span[0]) / max(1.0, span[1] - span[0]), 0, 1).astype(np.float32)
        return cast("Floats", (top + (np.asarray(to, np.float32) - top) * share[:, None])[:, None, :])

    @staticmethod
    def _shadow(cover: Floats, at: NDArray[np.float64]) -> Floats:
        """1 along the right and lower inside edge of a shape, 0 elsewhere."""
        width, height = np.ptp(at, axis=0)
        shift = max(1.0, 0.16 * min(width, height))
        moved = cv2.warpAffine(cover, np.array([[1, 0, -shift], [0, 1, -shift * 0.5]], np.float32), cover.shape[::-1])
        return cast("Floats", cover * (1 - cv2.GaussianBlur(moved, (0, 0), max(0.6, shift * 0.35))))


def lay_over(frame: Bytes, sprite: Bytes, matrix: NDArray[np.float64]) -> None:
    """Draw premultiplied `sprite` onto `frame` (rgb) in place, moved by the 2x3 `matrix`; what lies outside is cut."""
    height, width = sprite.shape[:2]
    corners = matrix @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]], np.float64)
    x0, y0 = (max(0, math.floor(v)) for v in corners.min(axis=1))
    x1 = min(frame.shape[1], math.ceil(corners[0].max()))
    y1 = min(frame.shape[0], math.ceil(corners[1].max()))
    if x0 >= x1 or y0 >= y1:
        return
    local = matrix - np.array([[0, 0, x0], [0, 0, y0]], np.float64)
    moved = cv2.warpAffine(sprite, local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    blend(frame[y0:y1, x0:x1], moved)


def blend(under: Bytes, over: Bytes) -> None:
    """Lay premultiplied `over` (rgba) on `under` (rgb) of the same size, in place."""
    clear = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(over, 3)), cv2.COLOR_GRAY2BGR)
    kept = cv2.multiply(under, clear, scale=1 / 255)
    cv2.add(kept, cv2.cvtColor(over, cv2.COLOR_RGBA2RGB), dst=under)


def tinted(sprite: Bytes, light: Colour) -> Bytes:
    """The sprite as it looks under `light`, where (255, 255, 255) changes nothing."""
    factor = np.array([*light, 255], np.float32) / 255
    return np.clip(sprite * factor, 0, 255).astype(np.uint8)


def from_picture(rgb: Bytes) -> Bytes:
    """An opaque sprite of a picture."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def cropped(sprite: Bytes) -> tuple[Bytes, tuple[int, int]]:
    """The sprite without its empty borders, and where its corner was: (x, y)."""
    rows, columns = (np.flatnonzero(sprite[:, :, 3].any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return sprite[:1, :1], (0, 0)
    y0, x0 = max(0, rows[0] - 1), max(0, columns[0] - 1)
    return np.ascontiguousarray(sprite[y0 : rows[-1] + 2, x0 : columns[-1] + 2]), (int(x0), int(y0))
