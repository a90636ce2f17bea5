"""The pass: what is on screen for half a second, and any single odd frame, is seen by every model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.classifier import Cadence, Context, Film, Frame, Line
from classifiers.finding import Finding, Gap, Surface, millionths
from classifiers.frames import MAX_UNSEEN_US, Novelty
from classifiers.screen import screen
from classifiers.shots import Cuts
from classifiers.weights import WeightsMissing, WeightStore
from provenance.asset import AssetKind, TimeRange
from provenance.media import RawFrame, Unusable
from provenance.registry import Registry
from tests.classifiers import moving
from tests.provenance import made_films


@dataclass
class Recorder:
    """A classifier that remembers what it was shown, and fails where it is told to."""

    name: str = "recorder"
    version: str = "1"
    emits: frozenset[str] = frozenset({"quality.blank"})
    cadence: Cadence = Cadence.NOVEL
    looks_at: frozenset[AssetKind] = frozenset(AssetKind)
    fails: str = ""
    at_index: int = 3
    reports: tuple[Finding, ...] = ()
    seen: list[Frame] = field(default_factory=list)
    films: list[Film] = field(default_factory=list)

    def open(self, film: Film, context: Context) -> Recorder:
        if self.fails == "weights":
            raise WeightsMissing("the weights 'x' are not prepared", "dramagate models pull x")
        if self.fails == "open":
            raise RuntimeError("no room")
        self.films.append(film)
        return self

    def see(self, frame: Frame) -> None:
        if self.fails == "see" and frame.index >= self.at_index:
            raise KeyError("mouth")
        self.seen.append(frame)

    def finish(self, film: Film) -> Iterable[Finding]:
        self.films.append(film)
        yield from self.reports
        if self.fails == "finish":
            raise ZeroDivisionError("nobody there")


def finding(start_us: int, end_us: int, category: str = "quality.blank") -> Finding:
    return Finding("recorder", "1", category, millionths(0.5), Surface.IMAGE, TimeRange(start_us, end_us))


def run(path: Path, *classifiers: Any, kind: AssetKind = AssetKind.EPISODE, **more: Any) -> Any:
    context = Context(Registry(), WeightStore(path.parent))
    return screen(path, kind, classifiers={c.name: c for c in classifiers}, context=context, **more)


# --- the guarantee --------------------------------------------------------------------------------


def examined(pictures: list[moving.Picture], fps: int = moving.FPS) -> list[int]:
    """Indexes of the frames that go to the models, with the real cut detector, before any coding."""
    frames = moving.looks(pictures, fps)
    cuts = Cuts()
    starts = [s for frame, _ in frames if (s := cuts.feed(frame.luma64())) is not None] + cuts.flush()
    novelty = Novelty()
    following = [look for _, look in frames[1:]] + [None]
    return [
        frame.index
        for (frame, look), after, start in zip(frames, following, starts, strict=True)
        if novelty.wants(frame, look, after, starts_shot=start)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fps=st.sampled_from([2, 8, 12, 24, 25, 30, 60]),
    speed=st.floats(0, 12),
    first=st.integers(0, 60),
    at=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)),
    seed=st.integers(0, 9),
)
def test_whatever_is_shown_for_half_a_second_is_seen(
    fps: int, speed: float, first: int, at: tuple[float, float], seed: int
) -> None:
    """Even an inset of a sixteenth of the width, over a moving picture, of much the same brightness."""
    shown = range(first, first + -(-fps // 2))
    pictures = moving.panning(seed, first + fps + 4, speed)

    def inset(picture: moving.Picture) -> None:
        height, width = picture.shape[:2]
        y, x = int(at[0] * height), int(at[1] * width)
        picture[y : y + 6, x : x + 6] += 12

    seen = examined(moving.on_top(pictures, shown, inset), fps)
    assert set(seen) & set(shown), (seen, shown)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    odd=st.integers(1, 40),
    other=st.integers(100, 140),
    seed=st.integers(0, 20),
    speed=st.sampled_from([0.0, 0.3, 1.0, 4.0, 9.0]),
)
def test_a_single_odd_frame_is_seen(odd: int, other: int, seed: int, speed: float) -> None:
    """Another picture for one frame, over a film that stands still, drifts or races by."""
    pictures = moving.panning(seed, 42, speed)
    pictures[odd] = moving.scenery(other)
    assert odd in examined(pictures)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    odd=st.integers(1, 40),
    place=st.tuples(st.integers(0, 150), st.integers(0, 86)),
    ink=st.sampled_from([(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 90, 255)]),
    seed=st.integers(0, 20),
)
def test_a_single_small_inset_over_a_still_picture_is_seen(
    odd: int, place: tuple[int, int], ink: tuple[int, int, int], seed: int
) -> None:
    """A sixteenth by a ninth of the picture, in one frame only."""
    pictures = [moving.scenery(seed, low=70, high=180)] * 42
    y, x = place

    def inset(picture: moving.Picture) -> None:
        picture[y : y + 10, x : x + 10] = ink

    assert odd in examined(moving.on_top(pictures, range(odd, odd + 1), inset))


def test_an_odd_inset_no_brighter_than_what_is_around_it_is_seen_where_nothing_moves() -> None:
    rows, columns = np.mgrid[0:160, 0:96]
    stripes = np.where((columns // 6 + rows // 10) % 2, 200, 40).astype(np.uint8)
    pictures = [np.repeat(stripes[:, :, None], 3, axis=2)] * 40

    def inset(picture: moving.Picture) -> None:
        picture[60:80, 30:48] = 120

    assert 23 in examined(moving.on_top(pictures, range(23, 24), inset))


def test_an_odd_inset_is_seen_over_a_racing_picture() -> None:
    pictures = moving.panning(4, 40, 12.0, low=0, high=190)

    def inset(picture: moving.Picture) -> None:
        picture[60:80, 30:48] = 255

    assert 23 in examined(moving.on_top(pictures, range(23, 24), inset))
    assert 23 not in examined(pictures)


def test_an_odd_frame_in_the_same_brightness_is_seen_by_its_colour() -> None:
    grey = np.full((160, 96, 3), 110, np.uint8)
    green = np.empty_like(grey)
    green[:] = (30, 148, 100)  # the same luma
    assert 23 in examined([grey] * 23 + [green] + [grey] * 20)


def test_what_pops_up_for_two_frames_is_seen() -> None:
    pictures = [moving.scenery(3, low=70, high=180)] * 40

    def inset(picture: moving.Picture) -> None:
        picture[50:60, 30:50] = 255

    assert set(examined(moving.on_top(pictures, range(15, 17), inset))) & {15, 16}


def test_a_slow_fade_is_followed() -> None:
    one, other = moving.scenery(1).astype(float), moving.scenery(2).astype(float)
    pictures = [np.asarray(one + (other - one) * n / 95, np.uint8) for n in range(96)]
    seen = examined(pictures)
    assert max(np.diff(seen)) <= 10
    assert len(seen) < 30


def test_a_still_picture_is_not_looked_at_in_every_frame() -> None:
    assert len(examined([moving.scenery(1)] * 96)) == 10


def test_a_flickering_light_is_looked_at_in_both_states_not_in_every_frame() -> None:
    light, dark = moving.scenery(1), moving.scenery(1, low=20, high=90)
    seen = examined([light if n % 2 else dark for n in range(96)])
    assert {n % 2 for n in seen} == {0, 1}
    assert len(seen) < 30


@pytest.mark.parametrize("gaps", [[41_000] * 40, [390_000, 500_000] * 10, [5_000] * 300, [1_000_000] * 5])
def test_no_stretch_goes_unseen_whatever_the_frame_times(gaps: list[int]) -> None:
    at = np.concatenate([[0], np.cumsum(gaps)]).tolist()
    picture = moving.scenery(1)
    (_, look) = moving.looks([picture])[0]
    novelty, unseen_since, longest = Novelty(), None, 0
    for n, (start, end) in enumerate(pairwise(at)):
        frame = RawFrame(picture, n, start, end, (96, 160), 0)
        if novelty.wants(frame, look, look, starts_shot=n == 0):
            unseen_since = None
        else:
            unseen_since = start if unseen_since is None else unseen_since
            longest = max(longest, end - unseen_since)
    assert longest < MAX_UNSEEN_US


def test_the_guarantee_holds_through_coding_and_decoding(tmp_path: Path) -> None:
    pictures = moving.panning(5, 72, 1.0)
    pictures[40] = moving.scenery(77)
    recorder = Recorder()
    run(moving.film(tmp_path / "a.mp4", pictures), recorder)
    assert 40 in [f.index for f in recorder.seen]
    assert len(recorder.seen) < 30


# --- what classifiers are shown -------------------------------------------------------------------


def test_every_frame_goes_to_those_who_want_every_frame(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 30) + moving.panning(2, 30))
    every, novel = Recorder(name="every", cadence=Cadence.EVERY), Recorder(name="novel")
    none = Recorder(name="none", cadence=Cadence.NONE)
    result = run(path, every, novel, none, lines=(Line("subtitle", "你好", None, "track:0"),))
    assert [f.index for f in every.seen] == list(range(60))
    assert [(f.index, f.shot) for f in every.seen if f.starts_shot] == [(0, 0), (30, 1)]
    assert {f.index for f in novel.seen} >= {0, 30}
    assert none.seen == []
    assert result.shots == (TimeRange(0, 1_250_000), TimeRange(1_250_000, 2_500_000))
    assert [(r.classifier, r.frames_examined, r.frames_total) for r in result.ran] == [
        ("every", 60, 60),
        ("novel", len(novel.seen), 60),
        ("none", 0, 60),
    ]
    opened, finished = none.films
    assert (opened.frames_total, finished.frames_total) == (0, 60)
    assert (finished.duration_us, finished.shots, finished.lines[0].text) == (2_500_000, result.shots, "你好")


def test_frames_show_the_picture_upright_and_in_colour(tmp_path: Path) -> None:
    path = made_films.film(tmp_path / "a.mp4", seconds=1, size=(144, 256), rotation=90, sound=None)
    recorder = Recorder()
    run(path, recorder)
    frame = recorder.seen[0]
    assert (frame.width, frame.height) == (256, 144)
    assert frame.rgb().shape == (144, 256, 3)
    assert frame.luma().shape == (144, 256)
    assert frame.luma64.shape == (64, 64)
    assert frame.rgb() is frame.rgb()


def test_a_still_is_one_frame(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(moving.scenery(1)).save(path)
    recorder = Recorder(reports=(finding(0, 1),))
    result = run(path, recorder, kind=AssetKind.IMAGE)
    assert (result.duration_us, result.shots, len(recorder.seen)) == (1, (TimeRange(0, 1),), 1)
    assert [f.where for f in result.findings] == [TimeRange(0, 1)]


def test_sound_and_words_are_screened_without_frames(tmp_path: Path) -> None:
    sound = made_films.sound_only(tmp_path / "a.m4a", seconds=2)
    recorder = Recorder(reports=(finding(0, 1_000_000),))
    result = run(sound, recorder, kind=AssetKind.AUDIO)
    assert recorder.seen == []
    assert (result.shots, len(result.findings)) == ((), 1)
    assert abs(result.duration_us - 2_000_000) < 50_000

    script = tmp_path / "a.fountain"
    script.write_text("INT. ROOM")
    line = Line("script", "INT. ROOM", TimeRange(0, 7), "script:1")
    words = Recorder()
    result = run(script, words, kind=AssetKind.SCRIPT, lines=(line,))
    assert (result.duration_us, words.films[-1].lines) == (7, (line,))


def test_kinds_a_classifier_says_nothing_about_are_left_to_others(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 5))
    result = run(path, Recorder(looks_at=frozenset({AssetKind.SCRIPT})))
    assert (result.ran, result.gaps) == ((), ())


# --- failures leave gaps ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        ("weights", "the weights 'x' are not prepared"),
        ("open", "it failed at 0.00 s: RuntimeError: no room"),
        ("see", "it failed at 0.12 s: KeyError: 'mouth'"),
        ("finish", "it failed at 1.25 s: ZeroDivisionError: nobody there"),
    ],
)
def test_a_classifier_that_fails_leaves_a_gap_and_the_others_go_on(tmp_path: Path, fails: str, reason: str) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 30))
    failing = Recorder(name="failing", cadence=Cadence.EVERY, fails=fails, reports=(finding(0, 9),))
    other = Recorder(name="other", cadence=Cadence.EVERY)
    result = run(path, failing, other)
    assert [(g.classifier, g.reason) for g in result.gaps] == [("failing", reason)]
    assert [(r.classifier, r.frames_examined) for r in result.ran] == [("other", 30)]
    # What it had found before is a fact all the same.
    assert len(result.findings) == (0 if fails in ("weights", "open") else 1)


def test_missing_weights_name_the_command_that_would_help(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 5))
    result = run(path, Recorder(fails="weights"))
    assert result.gaps == (Gap("recorder", "the weights 'x' are not prepared", "dramagate models pull x"),)


def test_a_classifier_may_only_say_what_it_announced(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 5))
    result = run(path, Recorder(reports=(finding(0, 9, "violence.weapon"),)))
    assert result.findings == ()
    assert "violence.weapon" in result.gaps[0].reason


def test_findings_end_with_the_film(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 24))
    result = run(path, Recorder(reports=(finding(500_000, 9_000_000), finding(5_000_000, 9_000_000))))
    assert [f.where for f in result.findings] == [TimeRange(500_000, 1_000_000), TimeRange(999_999, 1_000_000)]


def test_a_film_that_cannot_be_decoded_is_not_screened(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 60))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(Unusable, match="truncated"):
        run(path, Recorder())


def test_sound_is_not_taken_for_an_episode_nor_a_silent_film_for_sound(tmp_path: Path) -> None:
    sound = made_films.sound_only(tmp_path / "a.mp4", seconds=2)
    with pytest.raises(Unusable, match="no picture"):
        run(sound, Recorder())
    with pytest.raises(Unusable, match="no sound"):
        run(moving.film(tmp_path / "b.mp4", moving.panning(1, 5)), Recorder(), kind=AssetKind.AUDIO)


def test_progress_and_cost_are_told(tmp_path: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", moving.panning(1, 60))
    steps: list[tuple[int, int]] = []
    result = run(path, Recorder(), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 60), (24, 60), (48, 60), (60, 60)]
    assert 0 < result.decode_cpu_ms <= result.screen_cpu_ms
    assert result.wall_ms > 0
