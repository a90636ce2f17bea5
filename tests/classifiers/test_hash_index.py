"""The index finds everything within the radius and nothing beyond it, while it changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from numpy.typing import NDArray

from classifiers import hash_index, pdq
from classifiers.hash_index import HashIndex, Hit


def random_hashes(seed: int, count: int) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(0, 2**64, (count, 4), dtype=np.uint64)


def flipped(one: NDArray[np.uint64], bits: int, seed: int) -> NDArray[np.uint64]:
    """The hash with that many of its bits the other way."""
    out = one.copy()
    for bit in np.random.default_rng(seed).choice(256, bits, replace=False):
        out[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return out


@settings(deadline=None)
@given(bits=st.integers(0, 256), radius=st.integers(0, 256), seed=st.integers(0, 1000))
def test_a_neighbour_is_found_exactly_within_the_radius(bits: int, radius: int, seed: int) -> None:
    (known,) = random_hashes(seed, 1)
    index = HashIndex()
    index.insert("known", known)
    expected = [Hit("known", bits)] if bits <= radius else []
    assert index.near(flipped(known, bits, seed), radius) == expected


def test_neighbours_come_nearest_first_from_any_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_index, "_PIECE", 100)
    known = random_hashes(1, 1000)
    index = HashIndex()
    for n, row in enumerate(known):
        index.insert(n, row)
    index.insert("copy", flipped(known[777], 9, 5))
    assert index.near(flipped(known[777], 3, 6))[0] == Hit(777, 3)
    assert [hit.key for hit in index.near(known[777])] == [777, "copy"]
    assert index.near(random_hashes(2, 1)[0]) == []


def test_hashes_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of 4 words"):
        HashIndex().insert("x", np.zeros((2, 3), np.uint64))


class Changing(RuleBasedStateMachine):
    """Insertions and removals in any order, against a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.index = HashIndex()
        self.known: dict[int, list[NDArray[np.uint64]]] = {}

    @rule(key=st.integers(0, 5), seed=st.integers(0, 10), count=st.integers(1, 3))
    def insert(self, key: int, seed: int, count: int) -> None:
        rows = random_hashes(seed, count)
        self.index.insert(key, rows)
        self.known.setdefault(key, []).extend(rows)

    @rule(key=st.integers(0, 5))
    def remove(self, key: int) -> None:
        assert self.index.remove(key) == len(self.known.pop(key, []))

    @rule(seed=st.integers(0, 10), bits=st.integers(0, 40))
    def ask(self, seed: int, bits: int) -> None:
        query = flipped(random_hashes(seed, 1)[0], bits, seed)
        expected = sorted(
            (int(np.bitwise_count(row ^ query).sum()), key)
            for key, rows in self.known.items()
            for row in rows
            if int(np.bitwise_count(row ^ query).sum()) <= pdq.RADIUS
        )
        assert sorted((hit.distance, hit.key) for hit in self.index.near(query)) == expected

    @invariant()
    def counts(self) -> None:
        assert len(self.index) == sum(len(rows) for rows in self.known.values())


TestChanging = Changing.TestCase


@pytest.mark.corpus
def test_the_published_needles_are_found_in_the_haystack(corpus: Path) -> None:
    def read(name: str) -> NDArray[np.uint64]:
        lines = (corpus / "image_copy" / name).read_text().split()
        return np.stack([pdq.from_hex(line.split(",")[0]) for line in lines])

    needles, haystack = read("needles.txt"), read("haystack.txt")
    index = HashIndex()
    for n, row in enumerate(haystack):
        index.insert(n, row)
    d = pdq.distances(needles, haystack)
    for n, needle in enumerate(needles):
        found = {(hit.key, hit.distance) for hit in index.near(needle)}
        assert found == {(int(k), int(d[n, k])) for k in np.flatnonzero(d[n] <= pdq.RADIUS)}
    assert sum(len(index.near(needle)) for needle in needles) > 100
