"""The storyboard: every line is filmed once, in order, without gaps in time."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from generation import film, speech
from generation.script import Action, Beat, Caption, Line, Messages, Scene, Script, Transition
from generation.storyboard import FPS, Board, plan

NAMES = ("林晓", "陈默", "王姨", "ADAM")


def script(*beats: Beat, cast: tuple[str, ...] = NAMES, heading: str = "INT. 家 HOME - DAY") -> Script:
    scene = Scene("INT" in heading, "家", "DAY", heading, beats)
    return Script("题", "剧", 1, "", True, "digitalCreation", tuple((n, "") for n in cast), (scene,), "d", Path("s"))


_beats = st.one_of(
    st.builds(Line, st.sampled_from(NAMES), st.text("你好吗我不a ,。", min_size=1, max_size=20), st.just("x")),
    st.builds(Action, st.sampled_from(["林晓走进来。", "陈默看着她。", "下雨了。"])),
    st.just(Caption("完")),
    st.just(Messages(("a", "b"))),
    st.just(Transition("FADE OUT.")),
)


@given(st.lists(_beats, min_size=1, max_size=12))
def test_shots_follow_each_other_and_every_line_is_said_once(beats: list[Beat]) -> None:
    board = plan(script(Action("开场。"), *beats))
    at = 0
    for number, shot in enumerate(board.shots, 1):
        assert (shot.number, shot.start_frame) == (number, at)
        assert shot.frames > 0
        at += shot.frames
        for said in shot.speeches:
            assert said.start_frame >= 0
            assert said.start_frame + said.frames <= shot.frames
            assert said.frames * 1_000_000 >= speech.length_us(said.text) * FPS
    assert at == board.frames
    told = [(s.who, s.text) for shot in board.shots for s in shot.speeches]
    assert told == [(b.who, b.text) for b in beats if isinstance(b, Line)]


@given(st.lists(_beats, min_size=1, max_size=12))
def test_subtitles_never_overlap_and_lie_within_the_episode(beats: list[Beat]) -> None:
    board = plan(script(Action("开场。"), *beats))
    cues = film.cues(board)
    assert all(0 <= c.start < c.end <= board.frames for c in cues)
    assert all(a.end <= b.start for a, b in itertools.pairwise(cues))


def test_lines_said_together_share_a_subtitle() -> None:
    board = plan(script(Line("林晓", "一二三四。", "one"), Line("陈默", "五六七八。", "two", together=True)))
    assert [(c.text, c.translation) for c in film.cues(board)] == [("一二三四。 / 五六七八。", "one / two")]


def test_who_walks_in_is_not_seen_before() -> None:
    board = plan(script(Line("林晓", "你好。"), Line("陈默", "你好。"), Action("王姨走进来。"), Line("王姨", "好。")))
    seen = [{p.who for p in shot.cast} for shot in board.shots]
    entrance = next(i for i, shot in enumerate(board.shots) if any(p.enters for p in shot.cast))
    assert all("王姨" not in people for people in seen[:entrance])
    assert seen[entrance] == {"林晓", "陈默", "王姨"}


def test_a_voice_without_a_face_is_not_in_the_picture() -> None:
    board = plan(script(Action("林晓看着窗外。"), Line("林晓", "在。"), Line("陈默", "喂?", off_screen=True)))
    assert [s.seen for shot in board.shots for s in shot.speeches] == [True, False]
    assert all(p.who != "陈默" for shot in board.shots for p in shot.cast)


def test_the_storyboard_tells_nothing_of_this_machine() -> None:
    board = plan(script(Action("开场。")))
    shot = board.shots[0]
    away = Board("t", "s", 1, "", "d", (replace(shot, framing="clip", file="/somewhere/secret/film.mp4"),))
    assert "secret" not in json.dumps(away.to_json())
    assert away.to_json()["shots"][0]["file"] == "film.mp4"


def test_the_same_character_always_sounds_the_same() -> None:
    first, second = speech.syllables("林"), speech.syllables("你林")
    assert (first[0].vowel, first[0].tone, first[0].onset) == (second[1].vowel, second[1].tone, second[1].onset)
    assert speech.syllables("Hello there") != ()
    assert len(speech.syllables("你好,ok")) == 3


def test_a_mouth_is_shut_outside_its_line() -> None:
    said = speech.syllables("你好")
    end = said[-1].start_us + said[-1].length_us
    assert speech.openness(said, end)[0] == 0
    assert max(speech.openness(said, t)[0] for t in range(0, end, 20_000)) > 0.3
