"""`dramagate check` on small films: the four outcomes, as a user meets them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from tests.dramagate.conftest import Done, Place

pytestmark = pytest.mark.weights
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/check.schema.json").read_text("utf-8"))
SCENE = "第一场\n今天天气很好。\n"
Check = Callable[..., "Done"]


def verdict_of(done: Done, code: int) -> dict[str, Any]:
    """The only document of `done`, which keeps to the published schema, in a run that ended with `code`."""
    document = done.document
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert done.code == code, done.err
    return document


def test_a_labelled_signed_film_is_approved_and_says_what_nobody_looked_at(check: Check) -> None:
    document = verdict_of(check("clean.mp4"), 0)
    assert document["outcome"] == "approve"
    assert document["file"] == "clean.mp4"
    assert {b["name"] for b in document["verdict"]["rulebooks"]} == {"house-default", "cn-labeling"}
    assert document["verdict"]["reasons"] == []
    assert document["verdict"]["not_checked"] == ["semantics", "speech"]
    assert {g["classifier"]: g["remedy"].split(" --")[0] for g in document["screening"]["gaps"]} == {
        "semantics": "dramagate models pull semantics-openclip",
        "speech": "dramagate models pull speech-whisper",
    }
    assert (document["provenance"]["seal"], document["provenance"]["ai_disclosure"]) == ("trusted", "signed")
    assert check("clean.mp4").err == ""


@pytest.mark.parametrize("asked", [("--rulebook", "cn-nrta"), ("--territory", "CN")])
def test_the_same_film_is_held_where_the_rulebook_requires_what_nobody_looked_at(
    check: Check, asked: tuple[str, str]
) -> None:
    document = verdict_of(check("clean.mp4", *asked), 11)
    assert document["outcome"] == document["territories"]["CN"]["outcome"] == "hold"
    reasons = {r["rule"]: r["explanation"]["en"] for r in document["verdict"]["reasons"]}
    assert {"gap:semantics", "gap:speech", "gap:voice", "unknown:papers.filings"} <= set(reasons)
    assert reasons["gap:speech"].startswith("cn-nrta requires speech, which did not look")
    assert "dramagate models pull speech-whisper" in reasons["gap:speech"]
    assert document["released_sha256"] is None


def test_a_film_without_a_label_is_segmented_and_its_cut_is_approved(gate: Place, check: Check) -> None:
    document = verdict_of(check("plain.mp4", "--report", "out"), 10)
    assert document["outcome"] == "segment"
    assert {r["rule"] for r in document["verdict"]["reasons"]} == {"cn-labeling.start", "cn-labeling.metadata"}
    assert [(e["do"], e["start_us"], e["end_us"]) for e in document["verdict"]["edits"]] == [
        ("overlay_label", 0, 3_000_000),
        ("rewrite_metadata", 0, 3_000_000),
    ]
    assert document["rescreened"]["outcome"] == "approve"
    out = gate.folder / "out"
    assert {p.name for p in out.iterdir()} == {"report.html", "plain.cut.mp4", "plain.verdict.json"}
    assert document["report"] == "out/report.html"
    kept = json.loads((out / "plain.verdict.json").read_text("utf-8"))
    assert kept["verdict"] == document["verdict"]

    cut = verdict_of(check("out/plain.cut.mp4"), 0)
    assert cut["outcome"] == "approve"
    assert cut["sha256"] == document["released_sha256"]
    assert cut["provenance"]["seal"] == "trusted"


def test_the_report_needs_nothing_from_elsewhere(gate: Place, check: Check) -> None:
    check("plain.mp4", "--report", "out")
    page = html.unescape((gate.folder / "out/report.html").read_text("utf-8"))
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:script|link|img|iframe|video|source)[^>]*(?:src|href)=\"(?:[a-z]+:)?//[^>]*>", page)


def test_the_calibration_card_is_rejected(check: Check) -> None:
    document = verdict_of(check("card.mp4"), 12)
    assert document["outcome"] == "reject"
    (reason,) = (r for r in document["verdict"]["reasons"] if r["outcome"] == "reject")
    assert reason["rule"] == "house.calibration-card"
    assert reason["ranges"] == [[2_000_000, 3_000_000]]
    (card,) = (f for f in document["screening"]["findings"] if f["id"] in reason["finding_ids"])
    assert card["category"] == "calibration.card"


def test_several_files_give_one_document_each_and_the_strictest_code(gate: Place) -> None:
    (gate.folder / "scene.txt").write_text(SCENE, "utf-8")
    done = gate.run("check", "scene.txt", "clean.mp4", "card.mp4", "--json")
    for document in done.documents:
        jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert [(d["file"], d["outcome"]) for d in done.documents][1:] == [("clean.mp4", "approve"), ("card.mp4", "reject")]
    assert done.code == 12
    assert done.err == ""


def test_one_unusable_file_among_several_does_not_stop_the_others(gate: Place) -> None:
    (gate.folder / "scene.txt").write_text(SCENE, "utf-8")
    done = gate.run("check", "gone.mp4", "scene.txt", "--json")
    assert [d["file"] for d in done.documents] == ["gone.mp4", "scene.txt"]
    jsonschema.Draft202012Validator(SCHEMA).validate(done.documents[0])
    assert done.documents[0]["error"] == "gone.mp4 does not exist: check the path"
    assert done.code == 3
    assert done.err == "dramagate: gone.mp4 does not exist: check the path\n"


def test_a_person_reads_each_reason_once_and_no_control_characters(gate: Place) -> None:
    done = gate.run("check", "clean.mp4", "--rulebook", "cn-nrta", env={"LANG": "C", "PYTHONIOENCODING": "latin-1"})
    assert done.code == 11
    assert done.out.startswith("clean.mp4 hold\n  hold     gap:semantics\n")
    needs = [line for line in done.out.splitlines() if "(The declared class of an AI micro drama" in line]
    assert len(needs) == 1
    assert "\x1b" not in done.out
    assert done.err == ""


def test_works_of_one_name_keep_their_own_reports(gate: Place) -> None:
    (gate.folder / "again").mkdir()
    (gate.folder / "again/scene.txt").write_text("第二场\n雨停了。\n", "utf-8")
    (gate.folder / "scene.txt").write_text(SCENE, "utf-8")
    done = gate.run("check", "scene.txt", "again/scene.txt", "--report", "both", "--json")
    first, second = done.documents
    assert first["report"] != second["report"]
    kept = [json.loads(p.read_text("utf-8"))["sha256"] for p in (gate.folder / "both").glob("*.verdict.json")]
    assert sorted(kept) == sorted([first["sha256"], second["sha256"]])


def test_papers_speak_for_the_film(gate: Place) -> None:
    (gate.folder / "papers.json").write_text(
        json.dumps({"gate": "prescreen", "asset": {"kind": "episode"}, "territories": ["CN"]}), "utf-8"
    )
    document = verdict_of(gate.run("check", "clean.mp4", "--papers", "papers.json", "--json"), 11)
    assert document["gate"] == "prescreen"
    assert "cn-nrta" in {b["name"] for b in document["verdict"]["rulebooks"]}
