"""`doctor`, `models`, `keys`, `rules`, `--help`: what the program says of itself, and how quickly."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from classifiers.weights import CATALOGUE
from provenance.keys import ROLES
from tests.dramagate.conftest import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dramagate.conftest import Place

HELP_S = 0.7
"""Processor seconds of a cold `dramagate --help`: what a user waits on an idle machine."""
HEAVY = ("torch", "transformers", "open_clip", "insightface")


def test_help_is_quick(place: Place) -> None:
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert place.run("--help").code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < HELP_S


def test_the_version_is_that_of_the_installed_distribution(place: Place) -> None:
    assert place.run("--version").out == version("dramagate") + "\n"


@pytest.fixture
def traps(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """Packages named like the heavy ones, which leave their name in a file when anything imports them."""
    sprung = tmp_path / "imported"
    for name in HEAVY:
        (tmp_path / "path" / name).mkdir(parents=True)
        (tmp_path / "path" / name / "__init__.py").write_text(
            f"open({str(sprung)!r}, 'a').write({name!r} + '\\n')\nraise ImportError({name!r})\n", "utf-8"
        )
    return {"PYTHONPATH": str(tmp_path / "path")}, sprung


def test_a_check_without_brought_weights_loads_no_torch(place: Place, traps: tuple[dict[str, str], Path]) -> None:
    env, sprung = traps
    assert place.run("check", "plain.mp4", "--json", env=env).code == 11
    assert not sprung.exists()
    subprocess.run([sys.executable, "-c", "import torch"], env={**os.environ, **env}, capture_output=True, check=False)
    assert sprung.read_text("utf-8") == "torch\n"


def test_without_a_reader_the_program_ends_quietly(place: Place) -> None:
    shell = f"'{PROGRAM}' text --json | head -1"
    lines = "今天天气很好\n" * 20_000
    env = {**os.environ, "DRAMAGATE_HOME": str(place.home)}
    done = subprocess.run(["sh", "-c", shell], input=lines.encode(), capture_output=True, env=env, check=False)
    assert json.loads(done.stdout)["outcome"] == "approve"
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_doctor_says_what_is_missing_and_what_to_do(place: Place) -> None:
    done = place.run("doctor", "--json")
    checks = {c["what"]: c for c in done.document["checks"]}
    assert done.document["schema"] == "dramagate/doctor@1"
    assert checks["default weights"]["ok"] is False
    assert checks["default weights"]["remedy"] == "dramagate models pull --default"
    for working in ("Python", "data folder", "video and sound codecs", "keys and C2PA", "sandbox for submitted files"):
        assert checks[working]["ok"], checks[working]
    assert all(c["ok"] or c["remedy"] for c in checks.values())
    assert done.code == 4
    shown = place.run("doctor")
    assert shown.code == 4
    assert "dramagate models pull --default" in shown.out


@pytest.mark.weights
def test_doctor_is_content_where_everything_needed_is_there(gate: Place) -> None:
    done = gate.run("doctor", "--json")
    assert [c["what"] for c in done.document["checks"] if c["needed"] and not c["ok"]] == []
    assert done.code == 0


def test_models_are_listed_with_licence_and_remedy(place: Place) -> None:
    listed = place.run("models", "list", "--json").document
    assert listed["schema"] == "dramagate/models@1"
    assert [m["name"] for m in listed["models"]] == [w.name for w in CATALOGUE]
    assert all(m["licence"] and m["state"] == "absent" for m in listed["models"])
    shown = place.run("models", "list").out
    assert all(w.command in shown for w in CATALOGUE), "a command cut short cannot be copied"


def test_keys_name_every_role_and_the_root_to_hand_on(place: Place) -> None:
    listed = place.run("keys", "list", "--json").document
    assert [k["role"] for k in listed["identities"]] == list(ROLES)
    assert listed["root"].startswith(str(place.home))
    keys = [p for p in (place.home / "keys").rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()]
    assert keys
    assert {p.stat().st_mode & 0o777 for p in keys} == {0o600}


def test_rules_check_reads_every_shipped_rulebook(place: Place) -> None:
    done = place.run("rules", "check")
    assert done.code == 0
    assert re.findall(r"^(\S+): good", done.out, re.MULTILINE) == ["cn-labeling", "cn-nrta", "house-default"]
