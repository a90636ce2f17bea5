"""Exact search among 256-bit hashes: everything within a radius, nothing missed.

A plain scan over bit-packed columns, a word at a time: at radius 31 nearly every hash of another
picture is ruled out by its first two words, so the other two are read for few (M: 1,000,000 random
hashes, 1.6 ms a query on one core, where reading all of them takes 1.15 ms).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.pdq import RADIUS, Hashes

WORDS = 4
_PIECE = 1 << 15
"""Hashes looked at together: what is worked on stays in the second-level cache."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One stored hash within the radius."""

    key: Hashable
    distance: int


class HashIndex:
    """Hashes under keys of any kind; several hashes may share a key. Insertions are found at once."""

    def __init__(self) -> None:
        self._columns = np.zeros((WORDS, 1024), np.uint64)
        self._scratch = np.zeros((1, _PIECE), np.uint64)
        self._counts = np.zeros((2, _PIECE), np.uint8)
        self._keys: list[Hashable] = []
        self._rows: dict[Hashable, set[int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def insert(self, key: Hashable, hashes: Hashes) -> None:
        """Store uint64[n, 4] (or one uint64[4]) under `key`, beside what is there."""
        rows = np.atleast_2d(hashes)
        if rows.shape[1:] != (WORDS,):
            raise ValueError(f"hashes are rows of {WORDS} words, these have the shape {rows.shape}")
        size, more = len(self._keys), len(rows)
        if size + more > self._columns.shape[1]:
            wider = np.zeros((WORDS, max(2 * self._columns.shape[1], size + more)), np.uint64)
            wider[:, :size] = self._columns[:, :size]
            self._columns = wider
        self._columns[:, size : size + more] = rows.T
        self._keys.extend([key] * more)
        self._rows.setdefault(key, set()).update(range(size, size + more))

    def remove(self, key: Hashable) -> int:
        """Forget every hash under `key`; returns how many there were."""
        gone = self._rows.pop(key, set())
        for row in sorted(gone, reverse=True):
            last = len(self._keys) - 1
            if row != last:  # the last one takes the empty place
                self._columns[:, row] = self._columns[:, last]
                moved = self._keys[last]
                self._keys[row] = moved
                self._rows[moved].discard(last)
                self._rows[moved].add(row)
            self._keys.pop()
        return len(gone)

    def near(self, query: NDArray[np.uint64], radius: int = RADIUS) -> list[Hit]:
        """Everything within `radius` bits of one hash, nearest first."""
        left, total = self._half_near(query, radius)
        distance = total.astype(np.int64)
        for word in (2, 3):
            distance += np.bitwise_count(self._columns[word, left] ^ query[word])
        hits = [Hit(self._keys[left[n]], int(distance[n])) for n in np.flatnonzero(distance <= radius)]
        return sorted(hits, key=lambda hit: hit.distance)

    def _half_near(self, query: NDArray[np.uint64], radius: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Rows within the radius by their first two words alone, and their distance so far."""
        rows, totals = [], []
        for start in range(0, len(self._keys), _PIECE):
            end = min(start + _PIECE, len(self._keys))
            mixed, counts, total = self._scratch[0][: end - start], *(c[: end - start] for c in self._counts)
            np.bitwise_xor(self._columns[0, start:end], query[0], out=mixed)
            np.bitwise_count(mixed, out=total)
            np.bitwise_xor(self._columns[1, start:end], query[1], out=mixed)
            np.bitwise_count(mixed, out=counts)
            total += counts
            near = np.flatnonzero(total <= radius)
            if len(near):
                rows.append(near + start)
                totals.append(total[near])
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.uint8)
        return np.concatenate(rows), np.concatenate(totals)
