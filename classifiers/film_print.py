"""What a film or picture looks like, in a few bytes a frame: the hashes that copies are found by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers import pdq
from classifiers.bars import inner_box
from provenance import media

FORM = "print-2"
"""Changes whenever the same file would print differently; part of the name of a kept print."""
SAME = 6
"""Bits within which a frame adds nothing to the frame before it; re-encoding alone changes 2-10 (corpus)."""
KEEP_EVERY_US = 250_000
"""A still passage is kept at least this often, so that its length can be matched."""
ORDINARY, MOST_LIGHT = 48.0, 3.0
"""Contrast (standard deviation) of the corpus's daylight clips in grey levels, and the most a picture is lit up."""
BATCH = 64


_ARRAYS = ("at_us", "until_us", "hashes", "inner", "mirrored", "quality")
_HASH = (np.uint64, (4,))
_ROW = np.dtype(list(zip(_ARRAYS, (np.int64, np.int64, _HASH, _HASH, _HASH, np.int64), strict=True)))


@dataclass(frozen=True)
class Print:
    """One row for each kept frame, in order of time. Frames too plain to tell apart are left out."""

    at_us: NDArray[np.int64]
    until_us: NDArray[np.int64]
    """Where the next kept frame begins, or the last one of its run ends."""
    hashes: pdq.Hashes
    inner: pdq.Hashes
    """Of the picture without its bars; the same as `hashes` where it has none."""
    mirrored: pdq.Hashes
    quality: NDArray[np.int64]
    duration_us: int
    frames: int
    """How many frames were looked at, plain ones included."""

    def __len__(self) -> int:
        return len(self.at_us)

    @property
    def plain(self) -> bool:
        """Whether there is nothing in it that could be matched."""
        return len(self) == 0

    def between(self, start_us: int | None, end_us: int | None) -> Print:
        """The part within a time range; times stay those of the whole."""
        start, end = start_us or 0, self.duration_us if end_us is None else end_us
        rows = (self.until_us > start) & (self.at_us < end)
        kept = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return Print(**kept, duration_us=self.duration_us, frames=self.frames)

    def save(self, path: Path) -> None:
        """Keep it as one file; written beside and moved, so that no half of it is ever read."""
        part = path.with_suffix(".part.npz")
        kept: dict[str, Any] = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        np.savez(part, **kept)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Print:
        """What `save` kept. Raises OSError, ValueError, KeyError or BadZipFile where it is not that."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = {f.name: kept[f.name] for f in fields(cls)}
        return cls(**{**arrays, "duration_us": int(arrays["duration_us"]), "frames": int(arrays["frames"])})


class Shown(Protocol):
    """What a printer needs of a frame; a `RawFrame` is one, and so is what classifiers see."""

    at_us: int
    until_us: int

    def luma(self) -> NDArray[np.uint8]:
        """uint8[height, width]."""


class Printer:
    """Makes a `Print` from frames fed in order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, NDArray[np.float32], NDArray[np.float32] | None]] = []
        self._packed: list[NDArray[np.void]] = []
        """Rows that nothing is added to any more: 120 bytes each, where a tuple of arrays takes 700."""
        self._rows: list[tuple[int, int, NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], int]] = []
        self._frames = 0
        self._end_us = 0

    def feed(self, frame: Shown, luma64: NDArray[np.float32]) -> None:
        """Look at one frame."""
        top, bottom, left, right = inner_box(luma64)
        inside = None
        if (bottom - top, right - left) != (64, 64) and bottom - top >= 16 and right - left >= 16:
            inside = without_bars(frame.luma())
        self._waiting.append((frame.at_us, frame.until_us, luma64, inside))
        self._frames += 1
        self._end_us = max(self._end_us, frame.until_us)
        if len(self._waiting) >= BATCH:
            self._hash()

    def done(self) -> Print:
        """The print of everything fed."""
        self._hash()
        rows = np.concatenate([*self._packed, np.array(self._rows, _ROW)])
        return Print(
            **{name: np.ascontiguousarray(rows[name]) for name in _ARRAYS},
            duration_us=max(1, self._end_us),
            frames=self._frames,
        )

    def _hash(self) -> None:
        if not self._waiting:
            return
        whole = np.stack([w[2] for w in self._waiting])
        within = np.stack([w[2] if w[3] is None else w[3] for w in self._waiting])
        low = pdq.spectrum(within)
        odd = np.where(np.arange(1, 17) % 2, np.float32(-1), np.float32(1))
        outer, inner, mirrored = pdq.hashes(whole), pdq.from_spectrum(low), pdq.from_spectrum(low * odd)
        quality = pdq.quality(_lit(within))
        for n, (at_us, until_us, _, _) in enumerate(self._waiting):
            if quality[n] < pdq.USABLE_QUALITY:
                continue
            row = (at_us, until_us, outer[n], inner[n], mirrored[n], int(quality[n]))
            if self._rows and self._rows[-1][1] >= at_us:
                last = self._rows[-1]
                if at_us - last[0] < KEEP_EVERY_US and int(np.bitwise_count(last[3] ^ inner[n]).sum()) <= SAME:
                    self._rows[-1] = (last[0], until_us, *last[2:])
                    continue
            self._rows.append(row)
        self._waiting.clear()
        if len(self._rows) > BATCH:
            self._packed.append(np.array(self._rows[:-1], _ROW))  # the last may still grow longer
            del self._rows[:-1]


def _lit(luma64: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pictures with the contrast of ordinary light, dark ones up to three times brighter.

    PDQ's bits do not mind the light but its quality does, and half of a drama is played at night.
    """
    contrast = luma64.std(axis=(1, 2), keepdims=True)
    light = np.clip(ORDINARY / np.maximum(contrast, 1e-3), 1.0, MOST_LIGHT)
    return np.asarray(luma64 * light, np.float32)


def without_bars(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[64, 64]: the area-averaged picture inside its plain bars."""
    top, bottom, left, right = inner_box(luma, flat=24.0)
    inside = luma[top:bottom, left:right]
    return np.asarray(cv2.resize(inside, (64, 64), interpolation=cv2.INTER_AREA), np.float32)


def print_of(path: Path) -> Print:
    """The print of a film or picture. Raises provenance.media.Unusable."""
    printer = Printer()
    with media.decode(path) as decoding:
        for frame in decoding:
            printer.feed(frame, frame.luma64())
    return printer.done()


def kept_print_of(path: Path, sha256: str, cache: Path | None) -> Print:
    """The print of the file of that digest, from memory or from `cache` where it is there already."""
    if (known := _memory.get(sha256)) is not None:
        return known
    kept = None if cache is None else cache / f"{FORM}-{hashlib.sha256(sha256.encode()).hexdigest()[:32]}.npz"
    made = _loaded(kept)
    if made is None:
        made = print_of(path)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            made.save(kept)
    while len(_memory) >= _REMEMBERED:
        _memory.pop(next(iter(_memory)))
    _memory[sha256] = made
    return made


_REMEMBERED = 4096
"""Prints held in memory: at about 200 B a kept frame and 5 frames a second, some 60 kB for each minute."""
_memory: dict[str, Print] = {}


def _loaded(kept: Path | None) -> Print | None:
    if kept is None or not kept.exists():
        return None
    try:
        return Print.load(kept)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # a kept print is only ever a shortcut: it is made again
