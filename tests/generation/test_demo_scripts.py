"""The scripts the demo films: each says what its episode is meant to show."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

import generation
from generation import lettering
from generation.script import Clip, Messages, Picture, read
from generation.storyboard import plan
from provenance.label import find_font

SCRIPTS = Path(generation.__file__).parent / "scripts"
NAMES = sorted(p.stem for p in SCRIPTS.glob("*.fountain"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in SCRIPTS.glob("*.fountain"):
        shutil.copyfile(path, tmp_path / path.name)
    for name in ("registered-film.mp4", "registered-person.png"):
        (tmp_path / name).write_bytes(b"stands for it")
    return tmp_path


def test_there_are_four_episodes_and_the_film_one_of_them_copies() -> None:
    assert NAMES == ["episode-1", "episode-2", "episode-3", "episode-4", "registered-film"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_as_long_as_an_episode_and_its_words_fit(folder: Path, name: str) -> None:
    script = read(folder / f"{name}.fountain")
    board = plan(script)
    assert (12 if name == "registered-film" else 20) <= board.length_us / 1e6 <= 40
    assert len(board.shots) >= 5
    for shot in board.shots:
        for said in shot.speeches:
            assert said.translation, said.text
            assert len(lettering.wrap(said.text, find_font(), 50, 640)) == 1
            assert len(lettering.wrap(said.translation, find_font(), 44, 660)) <= 2


def test_each_plants_what_it_says(folder: Path) -> None:
    planted = {name: {type(b) for s in read(folder / f"{name}.fountain").scenes for b in s.beats} for name in NAMES}
    assert [n for n in NAMES if Clip in planted[n]] == ["episode-3"]
    assert [n for n in NAMES if Picture in planted[n]] == ["episode-4"]
    assert [n for n in NAMES if Messages in planted[n]] == ["episode-2"]
    assert [n for n in NAMES if not read(folder / f"{n}.fountain").label] == ["episode-2"]
    film = plan(read(folder / "registered-film.fountain"))
    clip = next(b for s in read(folder / "episode-3.fountain").scenes for b in s.beats if isinstance(b, Clip))
    assert clip.end_us <= film.length_us


def test_the_portrait_the_demo_shows_is_installed() -> None:
    found = find_spec("skimage")
    assert found is not None
    assert found.submodule_search_locations
    assert (Path(found.submodule_search_locations[0]) / "data/astronaut.png").is_file()
