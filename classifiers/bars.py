"""Black and plain bars around a picture: where the picture itself begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLAT = 6.0
"""Grey levels within which a row or column counts as plain; coding noise at crf 28 stays below it."""
MOST = 0.4
"""Share of the picture a bar may take on either side; more than that, the picture is simply plain."""


def inner_box(luma: NDArray[np.generic], flat: float = FLAT) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the part without plain bars, half-open; the whole where there are none.

    A bar is a run of plain rows (or columns) of one and the same colour from an edge inwards. Both
    sides of a direction must have one, of much the same width, or it is not taken off.
    """
    height, width = luma.shape
    top, bottom = _sides(luma, flat, height)
    left, right = _sides(luma[top : height - bottom].T, flat, width)
    return top, height - bottom, left, width - right


def inner(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The part of a small luma picture inside its bars."""
    top, bottom, left, right = inner_box(luma)
    return luma[top:bottom, left:right]


def _sides(rows: NDArray[np.generic], flat: float, count: int) -> tuple[int, int]:
    if any(float(rows[edge].max()) - float(rows[edge].min()) > flat for edge in (0, -1)):
        return 0, 0  # most pictures: no plain row at one edge, no bars
    low, high = rows.min(axis=1).astype(np.float32), rows.max(axis=1).astype(np.float32)
    before = _run(low, high, flat)
    after = _run(low[::-1], high[::-1], flat)
    if not before or not after or max(before, after) > count * MOST:
        return 0, 0
    if abs(before - after) > max(2, count // 16):
        return 0, 0
    return before, after


def _run(low: NDArray[np.float32], high: NDArray[np.float32], flat: float) -> int:
    """How many rows from the edge are plain and of the edge's colour."""
    plain = (np.maximum.accumulate(high) - np.minimum.accumulate(low)) <= flat
    return len(plain) if plain.all() else int(np.argmin(plain))
