"""Which stretch of one film is which stretch of another.

Frames are matched by hash; matches that lie on one line of time (a shift, and perhaps another speed)
belong together. A stretch is accepted on either of two grounds:

- *strict*: enough of its frames are within Meta's radius of 31 bits;
- *in step*: its frames are only roughly alike (a large logo, a caption, an inset over them) but they
  are alike in step: each is much nearer to the frame at its own time than to the stretch's other
  frames. Two different films have no reason to be so, whatever they have in common.

Measured on 32 clips, all pairs (AI clips, talking heads, street, the TMK family): copies lie at 3 (plain
copy), 17 (small logo), 53 bits (large logo) in step, and at 125-127 out of step; no other pair has
five frames in step within 80 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers import pdq
from classifiers.film_print import Print

ROUGH = 80
"""Bits up to which two frames may be the same picture with something over it; unrelated ones start at about 90."""
IN_STEP = 72.0
"""Most mean distance of a stretch accepted as in step..."""
CONTRAST = 24.0
"""...and least number of bits by which its frames are nearer in step than out of step."""
SHARE = 0.6
"""Least share of the frames of a stretch that match."""
STRICT_US, ROUGH_US = 1_000_000, 2_000_000
"""Shortest stretch accepted on strict and on rough frames (or, strict only, most of the shorter film)."""
STRICT_FRAMES, ROUGH_FRAMES = 3, 8
"""Least kept frames in it."""
PAUSE_US = 1_000_000
"""Longest time without a match inside one stretch."""
SLACK_US = 130_000
"""How far off the line a frame may be: a kept frame stands for up to 0.25 s, either side of its middle."""
SPEEDS = (1.0, 24 / 25, 25 / 24, 0.9, 1.1, 0.8, 1.25, 0.75, 4 / 3, 2 / 3, 1.5, 0.5, 2.0)
BIN_US = 100_000
MOST_STRETCHES = 32
MOST_PAIRS = 4_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """[a_start, a_end) of one film is [b_start, b_end) of the other. Microseconds."""

    a_start_us: int
    a_end_us: int
    b_start_us: int
    b_end_us: int
    frames: int
    """Kept frames that match."""
    share: float
    """Share of the kept frames in the stretch that match."""
    distance: float
    """Mean bits between matching frames, in step."""
    apart: float
    """Mean bits between the stretch's frames out of step; what `distance` is to be held against."""
    mirrored: bool

    @property
    def score(self) -> float:
        """In [0.5, 1]: 1 where every bit is the same, 0.5 at the edge of what is accepted. Not a probability."""
        strict = 1.0 - self.distance / (2 * pdq.RADIUS)
        in_step = 0.5 + (self.apart - self.distance) / 256
        return min(1.0, max(0.5, strict, in_step))


def align(a: Print, b: Print) -> list[Stretch]:
    """Every stretch of `a` that is also in `b`, in order of time in `a`, not overlapping in `a`."""
    found: list[Stretch] = []
    for mirrored in (False, True):
        found += _aligned(a, b, mirrored)
        if found:
            break
    return sorted(found, key=lambda s: s.a_start_us)


def _aligned(a: Print, b: Print, mirrored: bool) -> list[Stretch]:
    if a.plain or b.plain:
        return []
    pairs = _pairs(a, b, mirrored)
    free = np.ones(len(a), bool)
    found: list[Stretch] = []
    while len(found) < MOST_STRETCHES:
        best = _best(a, b, pairs, free, mirrored)
        if best is None:
            break
        stretch, rows = best
        found.append(stretch)
        inside = (a.at_us < stretch.a_end_us) & (a.until_us > stretch.a_start_us)
        free[rows] = False
        free &= ~inside
        left = free[pairs.i]
        pairs = _Pairs(pairs.i[left], pairs.j[left], pairs.d[left])
    return found


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Frames i of a and j of b that differ by d bits, at most `ROUGH`."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    d: NDArray[np.float32]


def _pairs(a: Print, b: Print, mirrored: bool) -> _Pairs:
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    step = max(1, 2_000_000 // max(1, len(b)))
    radius = ROUGH
    total = 0
    for start in range(0, len(a), step):
        d = _distances(a, b, np.arange(start, min(start + step, len(a))), np.arange(len(b)), mirrored)
        i, j = np.nonzero(d <= radius)
        found.append((i + start, j, d[i, j].astype(np.float32)))
        total += len(i)
        if total > MOST_PAIRS:
            radius = pdq.RADIUS  # hours of much the same picture: only the close ones say anything
    firsts, seconds, bits = zip(*found, strict=True)
    return _Pairs(np.concatenate(firsts), np.concatenate(seconds), np.concatenate(bits))


def _distances(a: Print, b: Print, i: NDArray[np.int64], j: NDArray[np.int64], mirrored: bool) -> NDArray[np.uint16]:
    """Bits between frames of a and of b, with or without bars, whichever is nearer."""
    if mirrored:
        return pdq.distances(a.mirrored[i], b.inner[j])
    d = pdq.distances(a.inner[i], b.inner[j])
    a_barred, b_barred = (bool((p.hashes[r] != p.inner[r]).any()) for p, r in ((a, i), (b, j)))
    if a_barred:
        d = np.minimum(d, pdq.distances(a.hashes[i], b.inner[j]))
    if b_barred:
        d = np.minimum(d, pdq.distances(a.inner[i], b.hashes[j]))
    if a_barred or b_barred:
        d = np.minimum(d, pdq.distances(a.hashes[i], b.hashes[j]))
    return d


def _best(
    a: Print, b: Print, pairs: _Pairs, free: NDArray[np.bool_], mirrored: bool
) -> tuple[Stretch, NDArray[np.int64]] | None:
    """The longest acceptable stretch among the lines most pairs lie on."""
    best: tuple[Stretch, NDArray[np.int64]] | None = None
    for speed, shift_us in _lines(a, b, pairs):
        for stretch, rows in _along(a, b, free, speed, shift_us, mirrored):
            if best is None or _weight(stretch) > _weight(best[0]):
                best = stretch, rows
        if best is not None and best[0].a_end_us - best[0].a_start_us > 0.9 * min(a.duration_us, b.duration_us):
            break
    return best


def _weight(stretch: Stretch) -> float:
    return (stretch.a_end_us - stretch.a_start_us) * (ROUGH + 20 - stretch.distance)


def _lines(a: Print, b: Print, pairs: _Pairs) -> list[tuple[float, float]]:
    """The (speed, shift) that most pairs agree on: time in b = speed * time in a + shift. Best first.

    Each frame of `a` has one vote to divide among its pairs, so that a still passage does not outvote the rest.
    """
    if len(pairs.i) == 0:
        return []
    near = ROUGH + 10 - pairs.d
    each = near / np.bincount(pairs.i, weights=near, minlength=len(a))[pairs.i] * np.minimum(near / ROUGH, 1)
    a_at, b_at = _middle(a)[pairs.i], _middle(b)[pairs.j]
    lines: list[tuple[float, float, float]] = []
    for speed in SPEEDS:
        shift = np.floor((b_at - speed * a_at) / BIN_US).astype(np.int64)
        low = int(shift.min())
        votes = np.bincount(shift - low, weights=each)
        around = np.convolve(votes, (1.0, 2.0, 1.0), "same")
        strongest = np.argsort(around)[::-1][:4]
        lines.extend((float(around[n]), speed, (n + low + 0.5) * BIN_US) for n in strongest)
    lines.sort(key=lambda line: -line[0])
    return [(speed, shift) for votes, speed, shift in lines[:12] if votes > 1.0]


def _middle(p: Print) -> NDArray[np.float64]:
    return (p.at_us + p.until_us) / 2


def _along(
    a: Print, b: Print, free: NDArray[np.bool_], speed: float, shift_us: float, mirrored: bool
) -> list[tuple[Stretch, NDArray[np.int64]]]:
    """The acceptable stretches on one line, after fitting it to the pairs found on it."""
    for _ in range(2):
        rows, partners, d = _partners(a, b, free, speed, shift_us, mirrored)
        close = d <= np.minimum(ROUGH, np.median(d) + 16) if len(d) else d > 0
        if close.sum() < STRICT_FRAMES:
            return []
        x, y = _middle(a)[rows[close]], _middle(b)[partners[close]]
        if x.max() - x.min() > 2 * ROUGH_US:
            fitted, intercept = np.polyfit(x - x.mean(), y, 1)
            if abs(fitted - speed) < 0.06 * speed:
                speed, shift_us = float(fitted), float(intercept - fitted * x.mean())
                continue
        shift_us = float(np.median(y - speed * x))
    rows, partners, d = _partners(a, b, free, speed, shift_us, mirrored)
    return [
        (stretch, rows[run])
        for run in _runs(a, rows, d)
        if (stretch := _accepted(a, b, rows[run], partners[run], d[run], speed, shift_us, mirrored)) is not None
    ]


def _partners(
    a: Print, b: Print, free: NDArray[np.bool_], speed: float, shift_us: float, mirrored: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """For each frame of `a` whose time falls into `b`: the frame of `b` within the slack that is nearest to it."""
    rows = np.flatnonzero(free)
    at = speed * _middle(a)[rows] + shift_us
    inside = (at >= b.at_us[0] - SLACK_US) & (at <= b.until_us[-1] + SLACK_US)
    rows, at = rows[inside], at[inside]
    if len(rows) == 0:
        return rows, rows, np.zeros(0)
    first = np.searchsorted(b.until_us, at - SLACK_US, side="right")
    last = np.searchsorted(b.at_us, at + SLACK_US, side="left")
    best = np.full(len(rows), 257.0)
    partner = np.clip(first, 0, len(b) - 1)
    for offset in range(int((last - first).max(initial=0))):
        j = first + offset
        valid = np.flatnonzero((j < last) & (j < len(b)))
        if len(valid) == 0:
            continue
        d = _pairwise(a, b, rows[valid], j[valid], mirrored)
        better = d < best[valid]
        best[valid[better]] = d[better]
        partner[valid[better]] = j[valid[better]]
    return rows, partner, best


def _pairwise(a: Print, b: Print, i: NDArray[np.int64], j: NDArray[np.int64], mirrored: bool) -> NDArray[np.float64]:
    """Bits between frame i[n] of a and frame j[n] of b."""
    ways = (
        ((a.mirrored, b.inner),)
        if mirrored
        else ((a.inner, b.inner), (a.hashes, b.inner), (a.inner, b.hashes), (a.hashes, b.hashes))
    )
    nearest = np.min([np.bitwise_count(x[i] ^ y[j]).sum(axis=1) for x, y in ways], axis=0)
    return np.asarray(nearest, np.float64)


def _runs(a: Print, rows: NDArray[np.int64], d: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Positions in `rows`, cut where nothing matches for longer than the pause; each from match to match."""
    match = np.flatnonzero(d <= ROUGH)
    if len(match) == 0:
        return []
    at, until = a.at_us[rows[match]], a.until_us[rows[match]]
    breaks = np.flatnonzero(at[1:] - until[:-1] > PAUSE_US) + 1
    return [np.arange(part[0], part[-1] + 1) for part in np.split(match, breaks)]


def _accepted(
    a: Print,
    b: Print,
    rows: NDArray[np.int64],
    partners: NDArray[np.int64],
    d: NDArray[np.float64],
    speed: float,
    shift_us: float,
    mirrored: bool,
) -> Stretch | None:
    match = d <= ROUGH
    strict = d <= pdq.RADIUS
    share = float(match.mean())
    start_us, end_us = int(a.at_us[rows[0]]), int(a.until_us[rows[-1]])
    length_us = end_us - start_us
    distance = float(d[match].mean())
    apart = _out_of_step(a, b, rows[match], partners[match], mirrored)
    enough_us = min(STRICT_US, 0.8 * min(a.duration_us, b.duration_us))
    is_strict = strict.sum() >= min(STRICT_FRAMES, len(a), len(b)) and strict.mean() >= SHARE and length_us >= enough_us
    is_in_step = (
        match.sum() >= ROUGH_FRAMES
        and share >= SHARE
        and length_us >= ROUGH_US
        and distance <= IN_STEP
        and apart - distance >= CONTRAST
    )
    if not (is_strict or is_in_step):
        return None
    b_first, b_last = (round(speed * t + shift_us) for t in (start_us, end_us))
    b_start, b_end = max(0, b_first), min(b.duration_us, max(b_last, b_first + 1))
    if b_end <= b_start:
        return None
    return Stretch(start_us, end_us, b_start, b_end, int(match.sum()), share, distance, apart, mirrored)


def _out_of_step(a: Print, b: Print, rows: NDArray[np.int64], partners: NDArray[np.int64], mirrored: bool) -> float:
    """Mean bits between the stretch's frames more than a second apart; 0 where none are."""
    some = np.linspace(0, len(rows) - 1, min(len(rows), 128)).astype(np.int64)
    i, j = rows[some], partners[some]
    far = np.abs(a.at_us[i][:, None] - a.at_us[i][None, :]) > PAUSE_US
    if not far.any():
        return 0.0
    return float(_distances(a, b, i, j, mirrored)[far].mean())
