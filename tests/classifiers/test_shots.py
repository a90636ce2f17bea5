"""Cuts are told from movement, flashes, light and fades."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.frames import Look
from classifiers.shots import FORESIGHT, Cuts
from provenance import media
from tests.classifiers import moving
from tests.classifiers.moving import panning, scenery


def cuts(pictures: list[moving.Picture]) -> list[int]:
    """First frames of all shots but the first."""
    return told([look for _, look in moving.looks(pictures)])


def told(looks: list[Look]) -> list[int]:
    detector = Cuts()
    starts = [s for look in looks if (s := detector.feed(look.luma, look.planes[1:])) is not None] + detector.flush()
    assert len(starts) == len(looks)
    assert not looks or starts[0]
    return [n for n, s in enumerate(starts) if s][1:]


@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(8, 30), min_size=1, max_size=5),
    speed=st.floats(0, 2.5),
    brightness=st.sampled_from([1.0, 0.5, 0.2]),
    seed=st.integers(0, 30),
)
def test_cuts_between_unlike_shots_are_found(lengths: list[int], speed: float, brightness: float, seed: int) -> None:
    """Bright or dark, still or moving."""
    pictures: list[moving.Picture] = []
    expected = []
    for n, length in enumerate(lengths):
        expected.append(len(pictures))
        shot = panning(seed + 50 * n, length, speed)
        pictures += [np.asarray(p * brightness, np.uint8) for p in shot]
    assert cuts(pictures) == expected[1:]


def test_a_cut_between_two_shots_framed_alike_is_found() -> None:
    """Somebody in the middle, before one wall and then before another."""
    pictures = []
    for wall in (1, 2, 3):
        for n in range(20):
            picture = scenery(wall, low=80, high=170)
            picture[40 + n // 7 : 130 + n // 7, 25:71] = 225
            pictures.append(picture)
    assert cuts(pictures) == [20, 40]


def test_a_racing_camera_is_no_cut() -> None:
    assert cuts(panning(1, 60, 10.0)) == []


def test_a_pan_that_starts_at_once_is_no_cut() -> None:
    pan = panning(1, 30, 8.0)
    assert cuts([pan[0]] * 30 + pan) == []


@pytest.mark.parametrize("frames", [1, 2])
def test_a_flash_is_no_cut(frames: int) -> None:
    pictures = panning(1, 40, 1.0)
    for n in range(20, 20 + frames):
        pictures[n] = np.asarray(pictures[n] // 4 + 190, np.uint8)
    assert cuts(pictures) == []


def test_a_shot_of_three_frames_is_a_shot() -> None:
    assert cuts(panning(1, 20) + panning(2, 3) + panning(1, 20)) == [20, 23]


def test_a_lamp_that_is_switched_on_is_no_cut() -> None:
    dark = [np.asarray(p * 0.7, np.uint8) for p in [scenery(1)] * 20]
    assert cuts(dark + [scenery(1)] * 20) == []


def faded(picture: moving.Picture, frames: int, *, out: bool) -> list[moving.Picture]:
    steps = np.linspace(1, 0, frames) if out else np.linspace(0, 1, frames)
    return [np.asarray(picture * s, np.uint8) for s in steps]


def test_a_fade_through_black_to_another_picture_is_one_boundary() -> None:
    one, other = scenery(1), scenery(2)
    pictures = [one] * 20 + faded(one, 20, out=True) + [one * 0] * 10 + faded(other, 20, out=False) + [other] * 20
    (boundary,) = cuts(pictures)
    assert 49 <= boundary <= 54


def test_a_fade_to_black_and_back_to_the_same_picture_is_none() -> None:
    one = scenery(1)
    assert cuts([one] * 20 + faded(one, 20, out=True) + [one * 0] * 10 + faded(one, 20, out=False) + [one] * 20) == []


def test_the_first_frame_starts_the_first_shot_however_short_the_film() -> None:
    for count in range(5):
        looks = [look for _, look in moving.looks([scenery(1)] * count)]
        assert told(looks) == []


def test_foresight_is_what_it_says() -> None:
    detector = Cuts()
    answers = [detector.feed(look.luma) for _, look in moving.looks([scenery(1)] * 6)]
    assert [a is None for a in answers] == [True] * FORESIGHT + [False] * (6 - FORESIGHT)


def looks_of(path: Path) -> list[Look]:
    with media.decode(path) as decoding:
        return [Look.of(frame) for frame in decoding]


@pytest.mark.corpus
def test_cuts_of_real_films(corpus: Path) -> None:
    """F1 of 1.0 at two frames. Two hard cuts from and to black, which the key lists as fade boundaries, are allowed."""
    key = json.loads((corpus / "shots/cuts.json").read_text())
    allowed = {"shots/testvideo.mp4": [30, 180, 211]}
    for name in (
        "shots/testvideo.mp4",
        "shots/bikes.mp4",
        "shots/fades.mp4",
        "video_copy/tmk/chair-orig-22-sd-bar.mp4",
    ):
        found, expected = told(looks_of(corpus / name)), key[name]["hard_cuts"]
        extra = [f for f in found if all(abs(f - e) > 2 for e in expected)]
        missed = [e for e in expected if all(abs(f - e) > 2 for f in found)]
        assert (name, missed, [f for f in extra if f not in allowed.get(name, [])]) == (name, [], [])


@pytest.mark.corpus
def test_spliced_films_are_cut_where_they_were_spliced(corpus: Path) -> None:
    """15 films of up to eight stretches of real clips, also darkened and at double and triple speed: F1 over 0.98."""
    names = (
        "ai_clips/animatediff/*.gif",
        "ai_clips/*.mp4",
        "ai_clips/comfyui/*.webp",
        "real_clips/*",
        "talking_head/*.mp4",
    )
    clips = {p.name: looks_of(p) for pattern in names for p in sorted(corpus.glob(pattern))}
    dice = np.random.default_rng(5)
    right = false = missed = 0
    for _ in range(15):
        looks: list[Look] = []
        splices: list[int] = []
        for name in dice.choice(sorted(clips), 8, replace=False):
            clip = clips[name][:: int(dice.choice([1, 1, 2, 3]))]
            length, shade = int(dice.integers(6, 40)), float(dice.choice([1.0, 1.0, 0.5, 0.2]))
            first = int(dice.integers(0, max(1, len(clip) - length)))
            splices.append(len(looks))
            looks += [
                Look(tuple(np.asarray(p * shade, np.float32) for p in c.planes)) for c in clip[first : first + length]
            ]
        found = told(looks)
        hits = [s for s in splices[1:] if any(abs(f - s) <= 2 for f in found)]
        right, missed = right + len(hits), missed + len(splices) - 1 - len(hits)
        false += sum(all(abs(f - s) > 2 for s in splices) for f in found)
    assert 2 * right / (2 * right + false + missed) > 0.98, (right, false, missed)
