"""`dramagate generate`: what it prints, and the exit code for what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dramagate.commands.generate import DEFAULT_BACKEND
from generation.backend import installed

SCRIPT = "INT. A - DAY\n\n[[screen text: 你好]]\n"


def generate(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    run = "from dramagate.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", run, "generate", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "DRAMAGATE_HOME": str(home), "COLUMNS": "120"},
    )  # fmt: skip


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "s.fountain"
    path.write_text(SCRIPT, "utf-8")
    return path


def test_json_is_one_document_and_nothing_else(home: Path, script: Path) -> None:
    out = script.parent / "out"
    made = generate(home, script, "--out", out, "--json")
    assert (made.returncode, made.stderr) == (0, "")
    document = json.loads(made.stdout)
    assert (document["schema"], document["complete"], document["reused"]) == ("dramagate/episode@1", True, 0)
    assert [f["path"] for f in document["files"]][-1] == "episode.mp4"
    again = generate(home, script, "--out", out, "--resume")
    assert again.returncode == 0
    assert f"{len(document['files'])} kept from an earlier run" in again.stdout
    assert str(out / "episode.mp4") in again.stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["no.fountain", "--out", "o"], 3, "no.fountain: cannot be read (No such file or directory)"),
        (["s.fountain", "--out", "s.fountain"], 2, "--out s.fountain: is a file; name a folder"),
        (["s.fountain", "--out", "o", "--backend", "procedual"], 2, "did you mean 'procedural'?"),
        (["s.fountain", "--out", "o", "--producer", "a b"], 2, "--producer a b: AIGC label"),
        (["bad.fountain", "--out", "o"], 3, "bad.fountain, line 1: the note opened here is never closed"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_its_code(
    home: Path, script: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, sentence: str
) -> None:
    monkeypatch.chdir(script.parent)
    Path("bad.fountain").write_text("[[x", "utf-8")
    made = generate(home, *arguments)
    assert (made.returncode, made.stdout) == (code, "")
    assert sentence in made.stderr
    assert made.stderr.count("\n") == 1
    assert not Path("o").exists()


def test_a_folder_that_cannot_be_made_is_named(home: Path, script: Path) -> None:
    made = generate(home, script, "--out", script / "below")
    assert made.returncode == 3
    assert "name a folder" in made.stderr
    assert "Traceback" not in made.stderr


def test_the_default_backend_is_installed() -> None:
    assert DEFAULT_BACKEND in installed()
