"""`dramagate text`: one text in, one JSON line out, and the strictest outcome as the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dramagate.cli import app
from dramagate.commands.errors import InputError, UsageError


def run(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["text", *arguments], input=stdin)


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_line_in_one_document_out() -> None:
    result = run("--json", stdin="你终于回来了\n去赌博网站吧\n\n".encode())
    assert answers(result) == [
        {"text": "你终于回来了", "findings": [], "outcome": "approve"},
        {
            "text": "去赌博网站吧",
            "findings": [
                {
                    "category": "crime.gambling",
                    "score": 0.9,
                    "start": 1,
                    "end": 5,
                    "matched": "赌博网站",
                    "tier": "block",
                    "entry": "赌博网站",
                }
            ],
            "outcome": "hold",
        },
        {"text": "", "findings": [], "outcome": "approve"},
    ]
    assert result.exit_code == 11


def test_texts_with_nothing_against_them_end_with_zero() -> None:
    result = run("--json", stdin="你终于回来了\r\n放开她！".encode())
    assert [a["text"] for a in answers(result)] == ["你终于回来了", "放开她！"]
    assert result.exit_code == 0


def test_a_file_is_read_like_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes("\ufeff加微信 abc12345\n".encode())
    (answer,) = answers(run(str(file), "--json"))
    assert (answer["text"], answer["outcome"]) == ("加微信 abc12345", "hold")


def test_a_villains_words_are_reported_and_approved() -> None:
    result = run("--json", stdin="你这个贱人！".encode())
    (answer,) = answers(result)
    assert [f["category"] for f in answer["findings"]] == ["hate.insult"]
    assert answer["outcome"] == "approve"
    assert result.exit_code == 0


def test_the_language_decides_on_abbreviations() -> None:
    assert [a["outcome"] for lang in ("zh", "en") for a in answers(run("--lang", lang, "--json", stdin=b"SB"))] == [
        "hold",
        "approve",
    ]


def test_a_person_sees_outcome_and_reason() -> None:
    result = run(stdin="去赌博网站吧\n".encode())
    assert "hold" in result.stdout
    assert "crime.gambling" in result.stdout


def test_what_is_not_utf8_is_named_by_line(tmp_path: Path) -> None:
    result = run("--json", stdin=b"ok\n\xff\xfe\n")
    assert isinstance(result.exception, InputError)
    assert "line 2, byte 1" in str(result.exception)
    assert [a["text"] for a in answers(result)] == ["ok"]


@pytest.mark.parametrize("name", ["", "missing.txt"])
def test_folders_and_missing_files_are_refused(tmp_path: Path, name: str) -> None:
    result = run(str(tmp_path / name))
    assert isinstance(result.exception, InputError)


def test_an_unknown_language_is_wrong_usage() -> None:
    assert isinstance(run("--lang", "fr").exception, UsageError)


def test_brackets_and_controls_in_a_line_do_no_harm_on_a_terminal() -> None:
    result = run(stdin="[bold]傻\0逼[/nope] \u202e赌博网站\n".encode())
    assert result.exit_code == 11
    assert result.exception is None or isinstance(result.exception, SystemExit)


HARMFUL = "赌博\x1b]0;owned\x07\u202e网站 \u2066\x9b31m"


def test_a_person_sees_escapes_in_place_of_what_moves_or_turns_text() -> None:
    shown = run(stdin=f"{HARMFUL}\n去赌博网站吧\n".encode()).stdout
    assert [c for c in shown if not c.isprintable()] == ["\n", "\n"]
    assert r"\x1b]0;owned\x07\u202e网站 \u2066\x9b31m" in shown
    assert "去赌博网站吧" in shown


def test_in_a_pipe_a_long_text_stays_one_line() -> None:
    assert len(run(stdin=("好" * 600).encode()).stdout.splitlines()) == 1


def test_what_is_found_is_underlined_where_it_stands_behind_an_escape() -> None:
    from classifiers.text_screen import TextScreen
    from dramagate.commands.text import _shown

    line = "\u202e去赌博网站吧"
    shown = _shown(line, TextScreen.load().screen(line), "hold")
    marked = {shown.plain[s.start : s.end] for s in shown.spans if "underline" in str(s.style)}
    assert "赌博网站" in marked


def test_json_is_utf8_whatever_the_locale() -> None:
    call = [sys.executable, "-c", "from dramagate.cli import app; app(['text', '--json'])"]
    surroundings = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(call, input="你终于回来了\n".encode(), capture_output=True, env=surroundings, check=True)
    assert json.loads(done.stdout.decode())["text"] == "你终于回来了"
