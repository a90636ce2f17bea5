"""Scripts: the same story from Fountain and from JSON, and one sentence for what cannot be filmed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from generation.script import Action, Caption, Card, Clip, Line, Messages, Picture, ScriptError, Transition, read

if TYPE_CHECKING:
    from tests.conftest import Golden

FOUNTAIN = """Title: 雨夜
Series: 雨
Episode: 2
Mood: sad

[[no label]]

EXT. 老街 STREET - NIGHT

[[cast 林晓: woman, red coat]]

林晓走来。

@林晓 (V.O.)
(angry)
你**终于**来了。 [[en: At last.]]

[[insert video: film.mp4 from 1s to 2.5s]]

[[insert picture: face.png on wall for 2s]]

[[screen text: one | two]]

[[calibration card]]

> 完 <

FADE OUT.
"""
JSON = {
    "schema": "dramagate/script@1",
    "title": "雨夜",
    "series": "雨",
    "episode": 2,
    "mood": "sad",
    "label": False,
    "cast": {"林晓": "woman, red coat"},
    "scenes": [
        {
            "heading": "EXT. 老街 STREET - NIGHT",
            "beats": [
                {"action": "林晓走来。"},
                {"who": "林晓", "line": "你终于来了。", "en": "At last.", "manner": "angry", "off_screen": True},
                {"video": "film.mp4", "from": 1, "to": 2.5},
                {"picture": "face.png", "on": "wall", "for": 2},
                {"messages": ["one", "two"]},
                {"calibration_card": True},
                {"caption": "完"},
                {"transition": "FADE OUT."},
            ],
        }
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("film.mp4", "face.png"):
        (tmp_path / name).write_bytes(b"here")
    return tmp_path


def test_fountain_and_json_tell_the_same_story(folder: Path) -> None:
    (folder / "s.fountain").write_text(FOUNTAIN, "utf-8")
    (folder / "s.json").write_text(json.dumps(JSON), "utf-8")
    a, b = read(folder / "s.fountain"), read(folder / "s.json")
    assert a.scenes[0].beats == (
        Action("林晓走来。"),
        Line("林晓", "你终于来了。", "At last.", "angry", off_screen=True),
        Clip(folder / "film.mp4", 1_000_000, 2_500_000),
        Picture(folder / "face.png", "wall", 2_000_000),
        Messages(("one", "two")),
        Card(),
        Caption("完"),
        Transition("FADE OUT."),
    )
    assert (a.scenes[0].inside, a.scenes[0].place, a.scenes[0].time) == (False, "老街 STREET", "NIGHT")
    assert a.cast == (("林晓", "woman, red coat"),)
    assert a.inserts == (folder / "film.mp4", folder / "face.png")
    assert not a.label
    assert replace(a, digest="", path=folder) == replace(b, digest="", path=folder)
    assert a.digest != b.digest


def _refusal(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ScriptError) as refused:
        read(path)
    return str(refused.value).replace(str(folder), "D")


SCENE = "INT. A - DAY\n\n"
NOT_FILMED: tuple[str | bytes, ...] = (
    "",
    b"INT. A - DAY\n\n\xff\xfe",
    SCENE,
    "ADAM\nHi.",
    SCENE + "@(V.O.)\nHi.",
    SCENE + "[[insert video: no.mp4 from 1s to 2s]]",
    SCENE + "[[insert video: film.mp4 from 3s to 2s]]",
    SCENE + "[[insert video: film.mp4 from 1..2 to 3]]",
    SCENE + "[[insert video: film.mp4]]",
    SCENE + "[[insert vidoe: film.mp4 from 1s to 2s]]",
    SCENE + "[[insert picture: face.png on moon]]",
    SCENE + "[[insert picture: face.png for 0.1s]]",
    SCENE + "[[screen text:]]",
    SCENE + "[[cast BOB: tall]]\n\nHe waits.",
    "Title: T\nEpisode: two\n\n" + SCENE + "He waits.",
    "Title: T\nScript source: magic\n\n" + SCENE + "He waits.",
)
NOT_SCRIPTS: tuple[dict[str, object], ...] = (
    {"schema": "x"},
    {"episode": "2"},
    {"label": 1},
    {"extra": 1},
    {"scenes": {}},
    {"scenes": [{"heading": "A", "beats": [{"say": "x"}]}]},
    {"scenes": [{"heading": "A", "beats": [{"line": "x"}]}]},
    {"scenes": [{"heading": "A", "beats": ["x"]}]},
    {"scenes": [{"heading": "A", "beats": [{"video": "film.mp4", "from": "1", "to": 2}]}]},
    {"scenes": [{"heading": "A", "beats": [{"messages": []}]}]},
    {"cast": {"Bob": "tall"}},
)


def test_what_cannot_be_filmed_is_one_sentence(folder: Path, golden: Golden) -> None:
    told = [f"{text!r}\n    {_refusal(folder, 's.fountain', text)}\n" for text in NOT_FILMED]
    told += [
        f"{json.dumps(change)}\n    {_refusal(folder, 's.json', json.dumps({**JSON, **change}))}\n"
        for change in NOT_SCRIPTS
    ]
    golden("script-refusals.txt", "".join(told))


def test_json_that_is_none_is_refused_with_its_line(folder: Path) -> None:
    assert _refusal(folder, "s.json", '{\n"a": }').startswith("s.json, line 2: is not JSON")


def test_a_folder_and_a_missing_file_are_refused(folder: Path) -> None:
    for path in (folder, folder / "none.fountain"):
        with pytest.raises(ScriptError, match="cannot be read"):
            read(path)


def test_a_script_as_long_as_a_book_is_refused(folder: Path) -> None:
    assert "is more than a script has" in _refusal(folder, "s.fountain", "a" * 2_000_001)
    assert "split it" in _refusal(folder, "s.fountain", SCENE + "He waits.\n\n" * 401)


def test_the_examples_of_the_documentation_are_scripts(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/generation.md").read_text("utf-8")
    blocks = [block.partition("\n") for block in page.split("```")[1::2]]
    fountain = next(text for kind, _, text in blocks if not kind and text.startswith("Title:"))
    as_json = next(text for kind, _, text in blocks if kind == "json")
    (folder / "d.fountain").write_text(fountain, "utf-8")
    (folder / "d.json").write_text(as_json, "utf-8")
    a, b = read(folder / "d.fountain"), read(folder / "d.json")
    assert (a.title, a.cast, a.mood) == (b.title, b.cast, b.mood)
    assert a.title == "雨夜来信"
    assert len(b.scenes[0].beats) == 8
