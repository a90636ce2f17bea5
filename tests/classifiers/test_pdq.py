"""PDQ agrees with the published hashes, and knows what is too plain."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from classifiers import pdq
from provenance import media
from tests.classifiers import moving


def luma64(path: Path) -> NDArray[np.float32]:
    with media.decode(path) as decoding:
        return np.stack([frame.luma64() for frame in decoding])


def drawn(seed: int) -> NDArray[np.float32]:
    return moving.looks([moving.scenery(seed, 256, 256)])[0][1].luma[None]


@given(st.binary(min_size=32, max_size=32))
def test_hex_is_read_as_it_is_written(raw: bytes) -> None:
    assert pdq.to_hex(pdq.from_hex(raw.hex())) == raw.hex()


@pytest.mark.parametrize("text", ["", "00" * 31, "0" * 65, "x" * 64])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        pdq.from_hex(text)


def test_half_of_the_bits_are_set() -> None:
    assert np.bitwise_count(pdq.hashes(drawn(1))).sum() == 128


def test_brightness_and_contrast_change_nothing() -> None:
    one = drawn(3)
    assert np.array_equal(pdq.hashes(one), pdq.hashes(one * 0.5 + 60))


def test_unlike_pictures_are_far_apart() -> None:
    pictures = np.concatenate([drawn(n) for n in range(12)])
    d = pdq.distances(pdq.hashes(pictures), pdq.hashes(pictures))
    assert d[~np.eye(12, dtype=bool)].min() > 70
    assert d.diagonal().max() == 0


def test_a_batch_hashes_as_each_alone() -> None:
    pictures = np.concatenate([drawn(n) for n in range(5)])
    assert np.array_equal(pdq.hashes(pictures), np.concatenate([pdq.hashes(p[None]) for p in pictures]))


@pytest.mark.parametrize(
    ("name", "turn"),
    [
        ("upright", lambda p: p),
        ("mirrored", lambda p: p[:, :, ::-1]),
        ("flipped", lambda p: p[:, ::-1]),
        ("upside_down", lambda p: p[:, ::-1, ::-1]),
        ("turned_left", lambda p: np.rot90(p, 1, axes=(1, 2))),
        ("turned_right", lambda p: np.rot90(p, -1, axes=(1, 2))),
        ("transposed", lambda p: p.transpose(0, 2, 1)),
        ("transverse", lambda p: np.rot90(p, 2, axes=(1, 2)).transpose(0, 2, 1)),
    ],
)
def test_orientations_are_hashed_without_turning_the_picture(name: str, turn: object) -> None:
    picture = drawn(4)
    turned = np.ascontiguousarray(turn(picture))  # type: ignore[operator]
    d = pdq.distances(pdq.dihedral(pdq.spectrum(picture))[name], pdq.hashes(turned))
    assert d[0, 0] <= 2  # ties at the median may fall either way


def test_plain_pictures_have_no_quality_and_busy_ones_have_all() -> None:
    plain = np.full((1, 64, 64), 90, np.float32)
    ramp = np.tile(np.linspace(100, 120, 64, dtype=np.float32), (1, 64, 1))
    assert pdq.quality(plain)[0] == 0
    assert pdq.quality(ramp)[0] < pdq.USABLE_QUALITY
    assert pdq.quality(np.random.default_rng(1).uniform(0, 255, (1, 64, 64)).astype(np.float32))[0] == 100


@pytest.mark.corpus
def test_pictures_hash_as_published(corpus: Path) -> None:
    published = {
        Path(row["FilePath"]).name: pdq.from_hex(row["Hash"])
        for row in csv.DictReader((corpus / "image_copy/expected_pdq.csv").read_text().splitlines())
        if len(row["Hash"]) == 64
    }
    bits = {
        path.name: int(pdq.distances(pdq.hashes(luma64(path)), published[path.name][None])[0, 0])
        for path in sorted((corpus / "image_copy/bridge-mods").iterdir())
    }
    assert len(bits) == 12
    assert max(bits.values()) <= 16, bits


@pytest.mark.corpus
def test_frames_hash_as_published(corpus: Path) -> None:
    """Within 31 bits at quality 50, but for one blurred frame of 3276 that the published quality rates at its edge."""
    far, compared = [], 0
    for path in sorted((corpus / "video_copy/tmk").glob("*.mp4")):
        ours = luma64(path)
        rows = [r.split(",") for r in (corpus / f"video_copy/vpdq_hashes/{path.stem}.txt").read_text().split()]
        assert abs(len(ours) - len(rows)) <= 1
        published = np.stack([pdq.from_hex(r[2]) for r in rows])
        for n, (hashed, known) in enumerate(zip(pdq.hashes(ours), published, strict=False)):
            if int(rows[n][1]) >= pdq.USABLE_QUALITY:
                compared += 1
                if (bits := int(np.bitwise_count(hashed ^ known).sum())) > pdq.RADIUS:
                    far.append((path.name, n, bits))
    assert compared > 3000
    assert len(far) <= 1, far
