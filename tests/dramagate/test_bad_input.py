"""What a user reads who hands in something that cannot be used: one sentence, the right code, nothing half done."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
from typing import TYPE_CHECKING

import av
import pytest

from dramagate.commands.shown import plain
from tests.dramagate import small_films

if TYPE_CHECKING:
    from tests.conftest import Golden
    from tests.dramagate.conftest import Done, Place

UNUSABLE, USAGE, UNAVAILABLE = 3, 2, 4

CHECKS: dict[str, tuple[int, list[str]]] = {
    "a text renamed": (UNUSABLE, ["text.mp4"]),
    "an empty file": (UNUSABLE, ["empty.mp4"]),
    "a truncated film": (UNUSABLE, ["truncated.mp4"]),
    "a film without frames": (UNUSABLE, ["frameless.mp4"]),
    "a path that is not there": (UNUSABLE, ["gone.mp4"]),
    "a folder": (UNUSABLE, ["folder"]),
    "a device": (UNUSABLE, ["/dev/null"]),
    "papers that are not there": (UNUSABLE, ["plain.mp4", "--papers", "gone.json"]),
    "papers that are not JSON": (UNUSABLE, ["plain.mp4", "--papers", "text.mp4"]),
    "papers that break the schema": (UNUSABLE, ["plain.mp4", "--papers", "papers.json"]),
    "papers for several": (USAGE, ["plain.mp4", "other.mp4", "--papers", "papers.json"]),
    "a rulebook nobody knows": (USAGE, ["plain.mp4", "--rulebook", "cn-nrtaa"]),
    "a rulebook that is not there": (USAGE, ["plain.mp4", "--rulebook", "gone.yaml"]),
    "a rulebook that is wrong": (USAGE, ["plain.mp4", "--rulebook", "wrong.yaml"]),
    "a territory nobody knows": (USAGE, ["plain.mp4", "--territory", "QQ"]),
    "a gate nobody knows": (USAGE, ["plain.mp4", "--gate", "both"]),
    "a registry that is not there": (USAGE, ["plain.mp4", "--registry", "gone"]),
    "a registry that is wrong": (USAGE, ["plain.mp4", "other.mp4", "--registry", "wrong-registry"]),
    "a trust list without certificates": (USAGE, ["plain.mp4", "--trust", "text.mp4"]),
    "a report into a file": (USAGE, ["plain.mp4", "--report", "text.mp4"]),
    "a report below a file": (USAGE, ["plain.mp4", "--report", "text.mp4/out"]),
    "no file": (USAGE, []),
    "an option nobody knows": (USAGE, ["plain.mp4", "--quick"]),
    "a name that moves the cursor": (UNUSABLE, ["gone\x1b[2J\u202e.mp4"]),
}
OTHERS: dict[str, tuple[int, list[str]]] = {
    "compare: a kind nobody knows": (USAGE, ["compare", "--kind", "smell", "plain.mp4", "other.mp4"]),
    "compare: one file": (USAGE, ["compare", "--kind", "video", "plain.mp4"]),
    "compare: files and a list": (USAGE, ["compare", "--kind", "video", "plain.mp4", "other.mp4", "--pairs", "p.tsv"]),
    "compare: a file that is not there": (UNUSABLE, ["compare", "--kind", "video", "plain.mp4", "gone.mp4"]),
    "compare: a list that is not there": (UNUSABLE, ["compare", "--kind", "video", "--pairs", "gone.tsv"]),
    "compare: a list that is no text": (UNUSABLE, ["compare", "--kind", "video", "--pairs", "plain.mp4"]),
    "compare: a list without header": (UNUSABLE, ["compare", "--kind", "video", "--pairs", "headless.tsv"]),
    "compare: a row with one path": (UNUSABLE, ["compare", "--kind", "video", "--pairs", "short.tsv"]),
    "compare: voices": (UNAVAILABLE, ["compare", "--kind", "voice", "plain.mp4", "other.mp4"]),
    "inspect: a path that is not there": (UNUSABLE, ["inspect", "gone.mp4"]),
    "inspect: key usages that are not there": (USAGE, ["inspect", "plain.mp4", "--ekus", "gone.txt"]),
    "sign: without an action": (USAGE, ["sign", "plain.mp4", "--out", "new.mp4"]),
    "sign: an action nobody knows": (USAGE, ["sign", "plain.mp4", "--out", "new.mp4", "--action", "trimed"]),
    "sign: onto itself": (UNUSABLE, ["sign", "plain.mp4", "--out", "plain.mp4", "--action", "trimmed"]),
    "sign: onto its parent": (UNUSABLE, ["sign", "plain.mp4", "--out", "other.mp4", "--parent", "other.mp4"]),
    "sign: into no folder": (UNUSABLE, ["sign", "plain.mp4", "--out", "no/new.mp4", "--action", "dubbed"]),
    "label: onto itself": (UNUSABLE, ["label", "plain.mp4", "--out", "plain.mp4"]),
    "label: onto itself, with text": (UNUSABLE, ["label", "plain.mp4", "--text", "--out", "./plain.mp4"]),
    "label: onto a folder": (UNUSABLE, ["label", "plain.mp4", "--out", "folder"]),
    "label: a producer that is no code": (USAGE, ["label", "plain.mp4", "--out", "new.mp4", "--producer", "制作"]),
    "label: a language nobody knows": (USAGE, ["label", "plain.mp4", "--out", "new.mp4", "--language", "fr"]),
    "label: a text renamed": (UNUSABLE, ["label", "text.mp4", "--out", "new.mp4"]),
    "render: a verdict that is none": (
        UNUSABLE,
        ["render", "plain.mp4", "--verdict", "papers.json", "--out", "new.mp4"],
    ),
    "render: a verdict without edits": (
        UNUSABLE,
        ["render", "plain.mp4", "--verdict", "none.json", "--out", "new.mp4"],
    ),
    "render: onto itself": (UNUSABLE, ["render", "plain.mp4", "--verdict", "cut.json", "--out", "plain.mp4"]),
    "render: a text renamed": (UNUSABLE, ["render", "text.mp4", "--verdict", "cut.json", "--out", "new.mp4"]),
    "registry: nothing it knows": (UNUSABLE, ["registry", "add", "nonsense"]),
    "registry: a person without a photo": (USAGE, ["registry", "add", "person:li"]),
    "registry: a photo that is not there": (UNUSABLE, ["registry", "add", "person:li", "--file", "gone.jpg"]),
    "registry: a record that is wrong": (USAGE, ["registry", "add", "record.json"]),
    "registry: a list of what is not there": (USAGE, ["registry", "list", "--registry", "gone"]),
    "registry: removing nobody": (USAGE, ["registry", "remove", "person:nobody"]),
    "models: weights nobody knows": (USAGE, ["models", "pull", "semantics"]),
    "models: nothing named": (USAGE, ["models", "pull"]),
    "bench: one nobody knows": (USAGE, ["bench", "all"]),
    "work: a queue nobody knows": (USAGE, ["work", "--queue", "fast"]),
    "a command nobody knows": (USAGE, ["chek"]),
}
EDIT = {"do": "cut", "start_us": 0, "end_us": 500_000, "rule": "house.words"}


@pytest.fixture(scope="module")
def desk(place: Place) -> Place:
    """The folder with everything wrong in it."""
    folder = place.folder
    whole = (folder / "plain.mp4").read_bytes()
    (folder / "text.mp4").write_text("This is no film.\n" * 40, "utf-8")
    (folder / "empty.mp4").touch()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    with av.open(str(folder / "frameless.mp4"), "w") as target:
        stream = target.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        target.start_encoding()
    small_films.sound_only(folder / "sound.mp4")
    (folder / "folder").mkdir()
    for name, document in {
        "papers.json": {"gate": "later", "asset": {"kind": "episode"}},
        "none.json": {"edits": []},
        "cut.json": {"edits": [EDIT]},
        "record.json": {"id": "person:li", "names": {"zh": "李"}, "kind": "robot"},
    }.items():
        (folder / name).write_text(json.dumps(document), "utf-8")
    (folder / "headless.tsv").write_text("plain.mp4\tother.mp4\n", "utf-8")
    (folder / "short.tsv").write_text("a\tb\nplain.mp4\n", "utf-8")
    (folder / "wrong.yaml").write_text("rulebook: mine\nversion: one\n", "utf-8")
    (folder / "wrong-registry/persons").mkdir(parents=True)
    (folder / "wrong-registry/persons/li.json").write_text('{"id": "person:li"', "utf-8")
    place.run("keys", "list")
    return place


def told(done: Done, place: Place) -> str:
    """The sentence on standard error, which is all there is on it."""
    assert done.err.startswith("dramagate: ")
    assert "Traceback" not in done.err
    return place.without_paths(done.err.removeprefix("dramagate: "))


def _without_sizes(sentence: str) -> str:
    """The sentence without the sizes of encoded films: x264 does not give the same bytes twice."""
    return re.sub(r"\b\d{4,} bytes|(?<=declares )\d{4,}", "N", sentence)


def test_whatever_cannot_be_checked_is_said_in_one_sentence(desk: Place, golden: Golden) -> None:
    said, before = [], desk.tree()
    for name, (code, words) in CHECKS.items():
        done = desk.run("check", *words, "--json")
        sentence = told(done, desk)
        error = desk.without_paths(done.document["error"])
        assert sentence == "\n".join(map(plain, error.split("\n"))) + "\n"
        assert done.code == code, name
        said.append(f"{name}: {code}\n  {_without_sizes(sentence)}")
    assert desk.tree() == before
    golden("cli-check-bad-input.txt", "".join(said))


def test_whatever_else_cannot_be_done_is_said_in_one_sentence(desk: Place, golden: Golden) -> None:
    said, before = [], desk.tree()
    for name, (code, words) in OTHERS.items():
        done = desk.run(*words)
        assert (done.code, done.out) == (code, ""), (name, done)
        said.append(f"{name}: {code}\n  {told(done, desk)}")
    assert desk.tree() == before
    assert not (desk.home / "registry").exists() or not list((desk.home / "registry").rglob("*.json"))
    golden("cli-other-bad-input.txt", "".join(said))


def test_a_file_this_user_may_not_read_is_named(desk: Place) -> None:
    closed = desk.folder / "closed.mp4"
    shutil.copyfile(desk.folder / "plain.mp4", closed)
    closed.chmod(0)
    try:
        done = desk.run("check", "closed.mp4", "--json", before=_bound_by_permissions)
    finally:
        closed.unlink()
    assert done.code == UNUSABLE
    assert done.document["error"] == "closed.mp4 may not be read by this user: change its permissions"


def test_sound_in_a_film_s_file_is_refused_unless_the_papers_call_it_sound(desk: Place) -> None:
    done = desk.run("check", "sound.mp4", "--json")
    assert done.code == UNUSABLE
    assert done.document["error"] == (
        "sound.mp4 holds sound and no picture: submit the film with its pictures,"
        ' or say asset.kind "audio" in its papers'
    )
    (desk.folder / "sound.json").write_text('{"gate": "publish", "asset": {"kind": "audio"}}', "utf-8")
    document = desk.run("check", "sound.mp4", "--papers", "sound.json", "--json").document
    assert (document["kind"], document["media"]["video_codec"]) == ("audio", None)


def test_a_film_whose_weights_are_missing_is_held_not_approved(desk: Place) -> None:
    done = desk.run("check", "plain.mp4", "--json")
    assert done.code == 11
    gaps = {r["rule"] for r in done.document["verdict"]["reasons"] if r["rule"].startswith("gap:")}
    assert {"gap:likeness", "gap:explicit_content", "gap:screen_text"} <= gaps
    assert all("models pull" in g["remedy"] for g in done.document["screening"]["gaps"])


def test_settings_that_are_wrong_name_the_variable(desk: Place) -> None:
    done = desk.run("check", "plain.mp4", env={"DRAMAGATE_DEVICE": "abacus"})
    assert (done.code, done.out) == (USAGE, "")
    assert done.err == "dramagate: DRAMAGATE_DEVICE: 'abacus' is not one of cpu, cuda\n"


def _bound_by_permissions() -> None:
    """Take from root what lets it read every file (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH); others never had it."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):
            assert libc.prctl(24, capability, 0, 0, 0) == 0
