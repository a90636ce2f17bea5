"""`label`, `sign`, `inspect` and `render`: what one writes the other reads, and no source is ever changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import av
import pytest

from provenance.asset import digest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dramagate.conftest import Place


def length_s(path: Path) -> float:
    """Seconds of picture."""
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0)) / 24


def test_label_then_sign_then_inspect(place: Place) -> None:
    plain = digest(place.folder / "plain.mp4")
    labelled = place.run("label", "plain.mp4", "--out", "l.mp4", "--producer", "SHOP-1", "--produce-id", "EP-7")
    assert (labelled.code, labelled.out) == (0, "")
    assert labelled.err.startswith("labelled: l.mp4 ")
    signed = place.run(
        "sign", "l.mp4", "--out", "s.mp4", "--parent", "plain.mp4", "--action", "edited.metadata", "--title", "第七集"
    )
    assert (signed.code, signed.out, signed.err) == (0, "", "sealed: s.mp4\n")
    assert digest(place.folder / "plain.mp4") == plain

    report = place.run("inspect", "s.mp4", "--json").document
    assert (report["seal"], report["problems"]) == ("trusted", [])
    assert report["aigc"]["fields"]["ContentProducer"] == "SHOP-1"
    assert report["aigc"]["fields"]["ProduceID"] == "EP-7"
    assert report["chain"][0]["title"] == "第七集"
    assert "c2pa.edited.metadata" in report["chain"][0]["actions"]

    shown = place.run("inspect", "s.mp4")
    assert shown.code == 0
    assert shown.out.startswith("s.mp4: seal trusted, ")
    assert "第七集" in shown.out


def test_a_file_without_anything_is_said_to_have_nothing(place: Place) -> None:
    done = place.run("inspect", "plain.mp4", "--json")
    assert done.code == 0
    report = done.document
    assert (report["seal"], report["ai_disclosure"], report["aigc"], report["chain"]) == ("absent", "none", None, [])


def test_a_changed_file_is_not_what_was_sealed(place: Place) -> None:
    place.run("sign", "plain.mp4", "--out", "sealed.mp4", "--action", "created=trainedAlgorithmicMedia")
    assert place.run("inspect", "sealed.mp4", "--json").document["seal"] == "trusted"
    content = bytearray((place.folder / "sealed.mp4").read_bytes())
    content[content.index(b"mdat") + 4000] ^= 0xFF
    (place.folder / "changed.mp4").write_bytes(content)
    report = place.run("inspect", "changed.mp4", "--json").document
    assert report["seal"] == "invalid"
    assert report["problems"]


def test_another_machine_trusts_a_root_it_is_shown_and_only_then(place: Place, tmp_path: Path) -> None:
    place.run("sign", "plain.mp4", "--out", "ours.mp4", "--action", "created=trainedAlgorithmicMedia")
    root = place.run("keys", "list", "--json").document["root"]
    elsewhere = {"DRAMAGATE_HOME": str(tmp_path / "elsewhere")}
    unknown = place.run("inspect", "ours.mp4", "--json", env=elsewhere)
    assert unknown.document["seal"] == "valid"
    shown = place.run("inspect", "ours.mp4", "--json", "--trust", root, env=elsewhere)
    assert shown.document["seal"] == "trusted"


def test_inspect_ends_with_3_where_the_file_is_broken_and_still_reports(place: Place) -> None:
    (place.folder / "broken.mp4").write_text("This is no film.\n", "utf-8")
    done = place.run("inspect", "broken.mp4", "--json")
    assert done.code == 3
    assert [p["code"] for p in done.document["problems"]] == ["file.malformed"]


@pytest.mark.parametrize("wrapped", [True, False])
def test_render_cuts_what_the_verdict_says(place: Place, wrapped: bool) -> None:
    edits = {"edits": [{"do": "cut", "start_us": 1_000_000, "end_us": 2_000_000, "rule": "house.words"}]}
    (place.folder / "v.json").write_text(json.dumps({"verdict": edits} if wrapped else edits), "utf-8")
    source = digest(place.folder / "plain.mp4")
    done = place.run("render", "plain.mp4", "--verdict", "v.json", "--out", "cut.mp4")
    assert (done.code, done.out) == (0, ""), done.err
    assert length_s(place.folder / "plain.mp4") == 3.0
    assert length_s(place.folder / "cut.mp4") == 2.0
    assert digest(place.folder / "plain.mp4") == source
