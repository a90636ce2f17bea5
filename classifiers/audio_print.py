"""What a recording sounds like, in 32 bits every 11 ms, and which stretch of one is in another.

Source: J. Haitsma, T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002: the sign of
the energy difference between neighbouring bands, and whether it grew. Re-encoding, resampling and
loudness leave about nine bits of ten as they were; unrelated sound agrees in five of ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from provenance import media

RATE_HZ = 6000
WINDOW, HOP = 2048, 64
"""Samples of one spectrum (0.34 s) and between two (10.7 ms)."""
BITS = 32
LOW_HZ, HIGH_HZ = 300.0, 2000.0
HOP_US = HOP * 1_000_000 / RATE_HZ
LEAST_S = 3.0
"""Shorter sound is not told from other sound; Haitsma and Kalker need 3.3 s."""
SILENT = 1e-3
"""RMS below which a window says nothing (-60 dBFS)."""
LONG = 256
"""Spectra (2.7 s) over which agreement is averaged to accept a stretch."""
YES, MAYBE = 0.70, 0.64
"""Agreement over 2.7 s from which it is the same sound. Haitsma and Kalker take 0.65; `classifiers` is stricter."""
PEAKS = 24
"""Shifts tried, of those that agree best over the whole of both."""


@dataclass(frozen=True)
class SoundPrint:
    """One row of signs (+1, -1, or 0 where it is silent) every `HOP_US`."""

    signs: NDArray[np.int8]
    duration_us: int

    @property
    def unusable(self) -> str | None:
        """Why it cannot be compared; None where it can."""
        if self.duration_us < LEAST_S * 1_000_000:
            return f"has {self.duration_us / 1e6:.1f} s of sound, and {LEAST_S:.0f} s are needed"
        heard_s = float((self.signs != 0).any(axis=1).sum()) * HOP_US / 1e6
        if heard_s < LEAST_S - 2 * WINDOW / RATE_HZ:
            return f"has only {heard_s:.1f} s that are not silent, and {LEAST_S:.0f} s are needed"
        return None


@dataclass(frozen=True, slots=True)
class Same:
    """What two recordings have in common."""

    score: float
    """How far agreement is above chance: 0 unrelated, 1 bit for bit the same."""
    match: str
    """yes | possible | no."""
    stretch: tuple[int, int, int, int] | None
    """a_start, a_end, b_start, b_end in us; None where nothing matches."""


def print_of(path: Path) -> SoundPrint:
    """The print of a recording, or of a film's sound. Raises provenance.media.Unusable."""
    samples = media.sound(path, RATE_HZ)
    if samples.size == 0:
        raise media.Unusable(f"{path.name} holds no sound: name a file that does")
    return printed(samples)


def printed(samples: NDArray[np.float32]) -> SoundPrint:
    """The print of float32[n] samples at `RATE_HZ`."""
    duration_us = round(samples.size * 1_000_000 / RATE_HZ)
    count = max(0, (samples.size - WINDOW) // HOP + 1)
    if count < 2:
        return SoundPrint(np.zeros((0, BITS), np.int8), duration_us)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    bands = _bands()
    hann = np.hanning(WINDOW).astype(np.float32)
    energy = np.empty((count, BITS + 1), np.float32)
    loud = np.empty(count, bool)
    for start in range(0, count, 1024):  # 8 MB at a time
        piece = windows[start : start + 1024]
        power = np.abs(np.fft.rfft(piece * hann, axis=1)) ** 2
        energy[start : start + 1024] = np.add.reduceat(power[:, : bands[-1]], bands[:-1], axis=1)
        loud[start : start + 1024] = np.sqrt((piece.astype(np.float64) ** 2).mean(axis=1)) > SILENT
    steps = energy[:, :-1] - energy[:, 1:]
    signs = np.where(steps[1:] > steps[:-1], 1, -1).astype(np.int8)
    signs[~(loud[1:] & loud[:-1])] = 0
    return SoundPrint(signs, duration_us)


def align(a: SoundPrint, b: SoundPrint) -> Same:
    """The stretch of `a` that most plainly is also in `b`, at the same speed."""
    best, most = Same(0.0, "no", None), 0.0
    for shift in _shifts(a.signs, b.signs):
        agreement, gain, stretch = _along(a, b, shift)
        match = "yes" if agreement >= YES else "possible" if agreement >= MAYBE else "no"
        if gain > most:
            best, most = Same(max(0.0, 2 * agreement - 1), match, None if match == "no" else stretch), gain
    return best


def _bands() -> NDArray[np.int64]:
    """Edges of 33 bands, equally wide in logarithm, as numbers of spectral lines."""
    edges = LOW_HZ * (HIGH_HZ / LOW_HZ) ** (np.arange(BITS + 2) / (BITS + 1))
    return np.asarray(np.round(edges * WINDOW / RATE_HZ), np.int64)


def _shifts(a: NDArray[np.int8], b: NDArray[np.int8]) -> list[int]:
    """Shifts (row of b minus row of a) at which the two agree best, over all their rows at once."""
    size = 1 << int(np.ceil(np.log2(len(a) + len(b))))
    total = np.zeros(size // 2 + 1, np.complex128)
    for bit in range(BITS):
        total += np.conj(np.fft.rfft(a[:, bit], size)) * np.fft.rfft(b[:, bit], size)
    agree = np.fft.irfft(total, size)
    shifts = np.arange(size)
    shifts[shifts >= len(b)] -= size
    overlap = np.minimum(len(a), len(b) - shifts) - np.maximum(0, -shifts)
    usable = overlap >= min(LONG, len(a), len(b))
    strength = np.where(usable, agree / np.sqrt(np.maximum(overlap, 1) * BITS), -np.inf)
    return [int(shifts[n]) for n in np.argsort(strength)[::-1][:PEAKS]]


def _along(a: SoundPrint, b: SoundPrint, shift: int) -> tuple[float, float, tuple[int, int, int, int]]:
    """At one shift: the best agreement over `LONG`, the bits above chance in the stretch around it, its ends."""
    first = max(0, -shift)
    count = min(len(a.signs), len(b.signs) - shift) - first
    x, y = a.signs[first : first + count], b.signs[first + shift : first + shift + count]
    said = (x != 0) & (y != 0)
    agrees = ((x == y) & said).sum(axis=1).astype(np.float64)
    heard = said.sum(axis=1).astype(np.float64)
    overall = _smoothed(agrees, heard, min(LONG, count))
    top, width = int(np.argmax(overall)), min(LONG, count)
    start, end = _ends(agrees, heard, top, top + width, float(overall[top]))
    # A row stands for what is around its middle; the first and the last reach to the recording's ends.
    middle_us = WINDOW * 500_000 / RATE_HZ
    a_start, b_start = ((first + offset + start) * HOP_US for offset in (0, shift))
    a_end, b_end = (a_start + (end - start) * HOP_US, b_start + (end - start) * HOP_US)
    if min(first + start, first + shift + start) > 0:
        a_start, b_start = a_start + middle_us, b_start + middle_us
    last = first + end == len(a.signs) or first + shift + end == len(b.signs)
    a_end, b_end = (e + (2 if last else 1) * middle_us for e in (a_end, b_end))
    edges = (
        round(a_start),
        min(a.duration_us, round(a_end)),
        round(b_start),
        min(b.duration_us, round(b_end)),
    )
    gain = float(agrees[start:end].sum() - heard[start:end].sum() / 2)
    return float(overall[top]), gain, edges


def _ends(
    agrees: NDArray[np.float64], heard: NDArray[np.float64], start: int, end: int, level: float
) -> tuple[int, int]:
    """The rows [start, end) widened (or narrowed) to where agreement falls from `level` to chance.

    Each row is weighed against the middle of the two, and the sum made as great as it can be.
    """
    middle = (start + end) // 2
    weight = np.cumsum(agrees - heard * (level + 0.5) / 2)
    before = np.concatenate([[0.0], weight[:middle]])
    return int(np.argmin(before)), middle + 1 + int(np.argmax(weight[middle:]))


def _smoothed(agrees: NDArray[np.float64], heard: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Share of agreeing bits in every window of `width` rows; one half where too little is heard."""
    up = np.concatenate([[0.0], np.cumsum(agrees)])
    of = np.concatenate([[0.0], np.cumsum(heard)])
    heard_in = of[width:] - of[:-width]
    share = (up[width:] - up[:-width]) / np.maximum(heard_in, 1)
    return np.where(heard_in >= width * BITS / 2, share, 0.5)
