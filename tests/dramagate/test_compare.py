"""`dramagate compare`: one JSON line per pair, whatever the pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.dramagate import small_films

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dramagate.conftest import Place


@pytest.fixture(scope="module")
def pairs(place: Place) -> Place:
    """Films and pictures that are copies, and some that are not."""
    small_films.film(place.folder / "unlike.mp4", seed=99)
    for name, seed in (("a.png", 5), ("unlike.png", 99)):
        Image.fromarray(small_films.landscape(seed)).save(place.folder / name)
    with Image.open(place.folder / "a.png") as picture:
        picture.resize((400, 240)).save(place.folder / "small.jpg", quality=70)
    (place.folder / "sub").mkdir()
    (place.folder / "broken.mp4").write_text("This is no film.\n", "utf-8")
    return place


@pytest.mark.parametrize(
    ("kind", "a", "b", "match"),
    [
        ("video", "plain.mp4", "other.mp4", "yes"),
        ("video", "plain.mp4", "unlike.mp4", "no"),
        ("picture", "a.png", "small.jpg", "yes"),
        ("picture", "a.png", "unlike.png", "no"),
        ("audio", "plain.mp4", "other.mp4", "yes"),
    ],
)
def test_copies_match_and_others_do_not(pairs: Place, kind: str, a: str, b: str, match: str) -> None:
    done = pairs.run("compare", "--kind", kind, a, b, "--json")
    row = done.document
    assert (row["a"], row["b"], row["match"]) == (a, b, match)
    assert 0 <= row["score"] <= 1
    assert all(len(r) == 4 and r[0] < r[1] and r[2] < r[3] for r in row["ranges"])
    assert bool(row["ranges"]) == (match == "yes" and kind != "picture")
    assert (done.code, done.err) == (0, "")


def test_a_list_gives_one_line_per_pair_and_says_what_is_unusable(pairs: Place) -> None:
    rows = [
        ("../plain.mp4", "../other.mp4"),
        (str(pairs.folder / "plain.mp4"), "gone.mp4"),
        ("../broken.mp4", "../plain.mp4"),
    ]
    text = "a\tb\tcopy\n" + "".join(f"{a}\t{b}\t1\n" for a, b in rows)
    (pairs.folder / "sub/list.tsv").write_text(text, "utf-8")
    done = pairs.run("compare", "--kind", "video", "--pairs", "sub/list.tsv", "--json")
    assert [(d["a"], d["b"]) for d in done.documents] == rows
    assert [d["match"] for d in done.documents] == ["yes", "unusable", "unusable"]
    assert "gone.mp4" in done.documents[1]["why"]
    assert "broken.mp4 is a text file" in done.documents[2]["why"]
    assert (done.code, done.err) == (0, "")


def test_a_list_without_pairs_gives_no_line(pairs: Place) -> None:
    (pairs.folder / "none.tsv").write_text("a\tb\n", "utf-8")
    done = pairs.run("compare", "--kind", "picture", "--pairs", "none.tsv", "--json")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_person_reads_one_line(pairs: Place) -> None:
    done = pairs.run("compare", "--kind", "picture", "a.png", "small.jpg")
    assert done.out.startswith("yes      ")
    assert done.out.count("\n") == 1


@pytest.mark.corpus
@pytest.mark.weights
def test_a_face_is_found_again_in_the_film_made_from_it(gate: Place, corpus: Path) -> None:
    heads = corpus / "talking_head"
    for film, match in (("art_2_RD_Radio31.mp4", {"yes", "possible"}), ("still_full_e.mp4", {"no"})):
        done = gate.run("compare", "--kind", "face", str(heads / "source_art_2.png"), str(heads / film), "--json")
        assert done.document["match"] in match


@pytest.mark.weights
def test_where_there_is_no_face_there_is_nothing_to_compare(gate: Place) -> None:
    row = gate.run("compare", "--kind", "face", "plain.mp4", "other.mp4", "--json").document
    assert row["match"] == "unusable"
    assert "face" in row["why"]
