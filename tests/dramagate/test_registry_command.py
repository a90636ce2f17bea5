"""`dramagate registry`: who and what findings are matched against; all of a record or nothing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dramagate.conftest import Place


def test_a_work_is_added_listed_and_removed(place: Place) -> None:
    added = place.run("registry", "add", "work:hills", "--file", "plain.mp4", "--name", "山[b]", "--registry", "reg")
    assert (added.code, added.out, added.err) == (0, "", "added: reg/works/hills.json\n")
    listed = place.run("registry", "list", "--registry", "reg", "--json").document
    assert listed == {
        "schema": "dramagate/registry@1",
        "root": "reg",
        "records": [{"kind": "works", "id": "work:hills", "title": "山[b]", "references": 1}],
    }
    assert "山[b]" in place.run("registry", "list", "--registry", "reg").out

    again = place.run("registry", "add", "work:hills", "--file", "other.mp4", "--registry", "reg")
    assert again.code == 2
    assert "already holds 'work:hills'" in again.err

    removed = place.run("registry", "remove", "work:hills", "--registry", "reg")
    assert (removed.code, removed.err) == (0, "removed: work:hills\n")
    assert place.run("registry", "list", "--registry", "reg", "--json").document["records"] == []
    assert not [p for p in (place.folder / "reg").rglob("*") if p.is_file() and p.name != ".lock"]


def test_a_record_file_is_added_as_what_it_is(place: Place) -> None:
    (place.folder / "series.json").write_text(json.dumps({"id": "series:hills", "title": "山"}), "utf-8")
    done = place.run("registry", "add", "series.json", "--registry", "records")
    assert (done.code, done.err) == (0, "added: records/series/hills.json\n")
    listed = place.run("registry", "list", "--registry", "records", "--json").document["records"]
    assert [(r["kind"], r["id"], r["title"]) for r in listed] == [("series", "series:hills", "山")]


def test_a_copy_of_a_registered_work_is_told_from_another_film(place: Place) -> None:
    place.run("registry", "add", "work:kept", "--file", "plain.mp4", "--registry", "known")
    done = place.run("check", "other.mp4", "--registry", "known", "--json")
    found = {f["category"]: f["work"] for f in done.document["screening"]["findings"] if f.get("work")}
    assert set(found.values()) == {"work:kept"}
    assert "house.copy" in {r["rule"] for r in done.document["verdict"]["reasons"]}
    assert done.code == 12


@pytest.mark.weights
def test_a_photo_without_a_face_is_refused_and_nothing_is_stored(gate: Place) -> None:
    done = gate.run("registry", "add", "person:li", "--file", "plain.mp4", "--registry", "faces")
    assert (done.code, done.out) == (3, "")
    assert "plain.mp4 holds no face" in done.err
    assert not (gate.folder / "faces").exists()


@pytest.mark.weights
@pytest.mark.corpus
def test_a_photo_with_a_face_is_taken(gate: Place, corpus: Path) -> None:
    photo = corpus / "talking_head/source_art_2.png"
    done = gate.run("registry", "add", "person:art", "--file", str(photo), "--registry", "persons")
    assert done.code == 0, done.err
    listed = gate.run("registry", "list", "--registry", "persons", "--json").document["records"]
    assert listed == [{"kind": "persons", "id": "person:art", "title": listed[0]["title"], "references": 1}]
