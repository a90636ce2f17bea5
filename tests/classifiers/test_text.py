"""Words that came with the work, as findings."""

from __future__ import annotations

from pathlib import Path

from classifiers.classifier import Context, Line
from classifiers.detectors import text
from classifiers.finding import Finding, Surface
from classifiers.weights import WeightStore
from provenance.asset import AssetKind, TimeRange
from provenance.registry import Registry
from tests.classifiers.drawn_films import film_of


def looked(*lines: Line, kind: AssetKind = AssetKind.EPISODE) -> list[Finding]:
    film = film_of(Path("film.mp4"), 10, (720, 1280), lines=lines, kind=kind)
    return list(text.classifier.open(film, Context(Registry(), WeightStore(Path("none")))).finish(film))


def test_a_word_in_a_subtitle_has_the_subtitles_time() -> None:
    seen, said = looked(Line("subtitle", "去赌博网站吧", TimeRange(1_000_000, 2_000_000), "track:2"))
    assert (seen.category, seen.text, seen.where) == ("text.subtitle", "去赌博网站吧", TimeRange(1_000_000, 2_000_000))
    assert (said.category, said.surface, said.where) == (
        "crime.gambling",
        Surface.SUBTITLE,
        TimeRange(1_000_000, 2_000_000),
    )
    assert said.evidence == "track:2"
    assert said.text is not None
    assert said.text[int(said.measured["from_char"]) : int(said.measured["to_char"])] == "赌博网站"


def test_a_word_without_a_time_speaks_of_the_whole_work() -> None:
    (said,) = looked(Line("metadata", "加微信 abc12345", None, "papers:series.synopsis"))
    assert (said.category, said.surface, said.where) == ("lure.contact", Surface.METADATA, TimeRange(0, 10_000_000))


def test_a_cue_past_the_end_stays_inside_the_work() -> None:
    said = looked(Line("subtitle", "赌博网站", TimeRange(11_000_000, 12_000_000), "track:2"))
    assert {f.where for f in said} == {TimeRange(9_999_999, 10_000_000)}


def test_ordinary_lines_bring_nothing_against_them() -> None:
    said = looked(
        Line("script", "你终于回来了", None, "script:1"), Line("metadata", "总裁归来", None, "papers:series.title")
    )
    assert said == []


def test_a_long_line_is_quoted_around_what_was_found() -> None:
    (said,) = looked(Line("script", "好" * 5000 + "赌博网站" + "好" * 5000, None, "script:1"), kind=AssetKind.SCRIPT)
    assert said.text == "好" * 120 + "赌博网站" + "好" * 120
    assert said.text[int(said.measured["from_char"]) : int(said.measured["to_char"])] == "赌博网站"


def test_everything_it_says_is_announced() -> None:
    said = looked(Line("subtitle", "傻@逼，赌博网站，13812345678", TimeRange(0, 1), "track:2"))
    assert {f.category for f in said} <= text.classifier.emits
    assert len(said) >= 4
