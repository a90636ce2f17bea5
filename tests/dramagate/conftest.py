"""The command line as a user runs it: the installed program, in a folder of small films."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from classifiers.weights import WeightStore
from tests.dramagate import small_films

PROGRAM = Path(sysconfig.get_path("scripts")) / "dramagate"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Standard output as what --json promises: one document per line and nothing else."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> dict[str, Any]:
        """The only document."""
        (one,) = self.documents
        return dict(one)


@dataclass(frozen=True)
class Place:
    """A working folder with a data home beside it, and the program run there."""

    folder: Path
    home: Path
    leftovers: Path
    """What the program takes for the system's temporary folder; it has to be empty after each command."""

    def run(
        self, *words: str, said: str = "", env: dict[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> Done:
        """Run `dramagate *words` in the folder, with `said` on its standard input."""
        told = {
            **{k: v for k, v in os.environ.items() if not k.startswith("DRAMAGATE_")},
            "DRAMAGATE_HOME": str(self.home),
            "TMPDIR": str(self.leftovers),
            **(env or {}),
        }
        done = subprocess.run(
            [PROGRAM, *words], cwd=self.folder, env=told, input=said.encode(), capture_output=True, preexec_fn=before
        )
        assert not list(self.leftovers.iterdir()), f"{words} left something in the temporary folder"
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def tree(self) -> dict[str, tuple[int, int]]:
        """Every file of the folder with its size and time of change."""
        found = sorted(p for p in self.folder.rglob("*") if not p.is_dir())
        return {str(p.relative_to(self.folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in found}

    def without_paths(self, text: str) -> str:
        """`text` with this machine's paths replaced, for golden files."""
        return text.replace(str(self.folder), "FOLDER").replace(str(self.home), "HOME")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder with plain.mp4 (no label, no seal) and a home without weights."""
    return _place(tmp_path_factory, None)


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory, weights: WeightStore) -> Place:
    """As `place`, with the default weights; and clean.mp4 and card.mp4, labelled and signed by the program itself."""
    made = _place(tmp_path_factory, weights.root)
    small_films.film(made.folder / "card.plain.mp4", card=True)
    for name in ("plain.mp4", "card.plain.mp4"):
        signed = name.replace("plain", "clean") if name == "plain.mp4" else "card.mp4"
        for words in (
            ("label", name, "--text", "--out", "labelled.mp4"),
            ("sign", "labelled.mp4", "--action", "created=trainedAlgorithmicMedia", "--out", signed),
        ):
            done = made.run(*words)
            assert (done.code, done.out) == (0, ""), done.err
    return made


@pytest.fixture(scope="session")
def check(gate: Place) -> Callable[..., Done]:
    """`dramagate check *words --json`, run once for each list of words."""

    @functools.cache
    def run(*words: str) -> Done:
        return gate.run("check", *words, "--json")

    return run


def _place(factory: pytest.TempPathFactory, weights: Path | None) -> Place:
    root = factory.mktemp("place")
    made = Place(root / "films", root / "home", root / "tmp")
    for folder in (made.folder, made.home, made.leftovers):
        folder.mkdir(mode=0o700)
    if weights is not None:
        (made.home / "weights").symlink_to(weights.resolve())
    small_films.film(made.folder / "plain.mp4")
    shutil.copyfile(made.folder / "plain.mp4", made.folder / "other.mp4")
    return made
