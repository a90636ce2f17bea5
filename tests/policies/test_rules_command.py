"""`dramagate rules`: one document with --json, and 2 where a rulebook would be refused."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from dramagate.commands.rules import rules
from policies.rulebook import RulebookError, shipped

RUNNER = CliRunner()
BAD = (
    shipped()["cn-labeling"]
    .read_text("utf-8")
    .replace("height_ratio >= 0.05", "height_ration >= 0.05", 1)
    .replace("legible: {default: 0.80", "legible: {default: 0.99", 1)
)
LOOSE = shipped()["cn-labeling"].read_text("utf-8").replace("min_duration_us: 2000000", "min_duration_us: 1000000", 1)


def test_list_names_every_shipped_rulebook() -> None:
    result = RUNNER.invoke(rules, ["list", "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [b["name"] for b in document["rulebooks"]] == list(shipped())
    assert "cn-labeling@3" in RUNNER.invoke(rules, ["list"]).stdout


def test_check_passes_what_is_shipped() -> None:
    result = RUNNER.invoke(rules, ["check", "--json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (0, True)
    assert [(b["name"], b["errors"]) for b in document["rulebooks"]] == [(n, []) for n in shipped()]


def test_check_refuses_with_every_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD, "utf-8")
    result = RUNNER.invoke(rules, ["check", str(path), "--json"])
    errors = json.loads(result.stdout)["rulebooks"][0]["errors"]
    assert result.exit_code == 2
    assert errors == [
        "bad.yaml:13:22: threshold legible.default is 0.99; it lies in [0.5, 0.95]",
        "bad.yaml:27:145: when: no field 'height_ration' in Measured; did you mean 'height_ratio'?",
    ]
    told = RUNNER.invoke(rules, ["check", str(path)])
    assert (told.exit_code, told.stdout.splitlines()[:2]) == (2, errors)


def test_test_names_the_case_that_does_not_behave(tmp_path: Path) -> None:
    path = tmp_path / "loose.yaml"
    path.write_text(LOOSE, "utf-8")
    result = RUNNER.invoke(rules, ["test", str(path)])
    assert result.exit_code == 2
    assert "FAIL  cn-labeling.start: too short fires" in result.stdout
    assert "pass  cn-labeling.start: a conforming label is silent" in result.stdout
    assert RUNNER.invoke(rules, ["test", "cn-labeling"]).exit_code == 0


def test_coverage_counts_cases() -> None:
    result = RUNNER.invoke(rules, ["test", "cn-labeling", "--coverage"])
    assert "cn-labeling: cn-labeling.metadata: 1 firing, 2 silent" in result.stdout


def test_a_name_nobody_knows_is_an_error_of_ours_to_tell() -> None:
    result = RUNNER.invoke(rules, ["check", "cn-labelling"])
    assert result.exit_code == 2
    assert "did you mean 'cn-labeling'?" in result.stdout
    result = RUNNER.invoke(rules, ["explain", "cn-labelling"])
    assert isinstance(result.exception, RulebookError)


def test_a_rulebook_is_read_aloud_in_both_languages() -> None:
    document = json.loads(RUNNER.invoke(rules, ["explain", "cn-nrta", "--json"]).stdout)
    told = {t["rule"]: t for t in document["rulebooks"][0]["told"]}
    assert "转人工" in told["cn-nrta.def"]["zh"]
    assert "微短剧发展管理办法 2 (law, quoted, high)" in told["cn-nrta.def"]["en"]
