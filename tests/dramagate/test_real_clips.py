"""`dramagate check` on clips that were really generated: nothing harmless is accused, nobody enrolled is missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from tests.dramagate.conftest import Place

pytestmark = [pytest.mark.corpus, pytest.mark.weights]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/check.schema.json").read_text("utf-8"))
SAFETY = ("sexual.", "violence.", "hate.", "minors.")
SOME = (
    "animatediff/model_01_01.gif",
    "animatediff/model_03_01.gif",
    "animatediff/model_06_02.gif",
    "animatediff/v3_animation_fireworks.gif",
    "cogvideo_1.mp4",
    "cogvideo_4.mp4",
    "comfyui/image_to_video_wan_example.webp",
    "comfyui/mochi_simple_checkpoint.webp",
)
MADE_FROM_HER, SOMEBODY_ELSE = "art_2_RD_Radio31.mp4", "still_full_e.mp4"


def checked(gate: Place, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and each file's document by the file's name."""
    done = gate.run("check", *words, "--json")
    for document in done.documents:
        jsonschema.Draft202012Validator(SCHEMA).validate(document)
        assert "error" not in document, document
    return done.code, {Path(d["file"]).name: d for d in done.documents}


def accusations(document: dict[str, Any]) -> list[str]:
    """Categories of safety that were found."""
    return [f["category"] for f in document["screening"]["findings"] if f["category"].startswith(SAFETY)]


def test_harmless_clips_are_not_accused(gate: Place, corpus: Path) -> None:
    _, documents = checked(gate, *(str(corpus / "ai_clips" / name) for name in SOME))
    assert len(documents) == len(SOME)
    assert {name: accusations(d) for name, d in documents.items() if accusations(d)} == {}


def test_the_enrolled_person_is_held_and_somebody_else_is_not(gate: Place, corpus: Path) -> None:
    heads = corpus / "talking_head"
    add = ("registry", "add", "person:art", "--file", str(heads / "source_art_2.png"), "--registry", "enrolled")
    assert gate.run(*add).code == 0
    code, documents = checked(gate, *(str(heads / n) for n in (MADE_FROM_HER, SOMEBODY_ELSE)), "--registry", "enrolled")
    assert code == 11
    hers, other = documents[MADE_FROM_HER], documents[SOMEBODY_ELSE]
    assert hers["outcome"] == "hold"
    assert {f["subject"] for f in hers["screening"]["findings"] if f["category"] == "likeness.face"} == {"person:art"}
    assert "house.likeness" in {r["rule"] for r in hers["verdict"]["reasons"]}
    assert other["outcome"] == "segment"
    assert not [f for f in other["screening"]["findings"] if f.get("subject")]
    assert [accusations(d) for d in documents.values()] == [[], []]


@pytest.mark.soak
def test_no_clip_of_the_whole_set_is_accused(gate: Place, corpus: Path) -> None:
    files = [p for f in ("ai_clips", "talking_head") for p in sorted((corpus / f).rglob("*")) if p.suffix != ".json"]
    _, documents = checked(gate, *map(str, files))
    assert len(documents) == len(files)
    assert {name: accusations(d) for name, d in documents.items() if accusations(d)} == {}
