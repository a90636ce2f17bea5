"""Registries and papers: accepted whole or refused by file, place and nearest spelling."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance import registry
from provenance.asset import digest
from provenance.registry import PapersError, Reference, RegistryError, load, parse_papers

REPOSITORY = Path(__file__).parents[2]
PERSON = {"id": "person:a", "kind": "private", "names": {"zh": "甲"}}
CONSENT = {
    "id": "consent-1",
    "person": {"ref": "person:a"},
    "attribute": "face",
    "subject_status": "adult_living",
    "grantor": {"kind": "self", "identity_verified": True},
    "biometric_separate_consent": True,
    "scope": {
        "description": "new performances in the series named here, and in nothing else whatever",
        "uses": ["new_performance"],
        "series_ids": ["series:one"],
    },
    "media": ["short_video_app"],
    "territories": ["CN"],
    "term": {"from": "2026-01-01", "to": "2027-01-01"},
    "revocation": {"allowed": True, "channel": "mail"},
    "contract": {"sha256": "0" * 64, "signed_at": "2026-01-01T08:00:00+08:00"},
    "recorded_at": "2026-01-02T00:00:00Z",
}


def put(root: Path, name: str, record: Any) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record if isinstance(record, str) else json.dumps(record, ensure_ascii=False), "utf-8")
    return path


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}


# --- a registry that is right


def test_a_person_and_a_work_come_back_as_enrolled(samples: Path, tmp_path: Path) -> None:
    root = tmp_path / "r"
    registry.add_person(
        root, "person:a", kind="private", names={"zh": "甲"}, photos=[samples / "a.png"], voices=[samples / "a.wav"]
    )
    registry.add_work(root, "work:film", kind="film", title="片", files=[samples / "a.mp4", samples / "a.srt"])
    registry.add_record(root, "consents", CONSENT)
    held = load(root)
    stored = {s: root / f"references/{digest(samples / s)[:2]}/{digest(samples / s)}{Path(s).suffix}" for s in
              ("a.png", "a.wav", "a.mp4", "a.srt")}  # fmt: skip
    assert held.persons["person:a"].references == (
        Reference(stored["a.png"], "face"),
        Reference(stored["a.wav"], "voice"),
    )
    assert held.works["work:film"].references == (
        Reference(stored["a.mp4"], "video"),
        Reference(stored["a.srt"], "subtitle"),
    )
    assert held.works["work:film"].title == "片"
    assert held.consents == (CONSENT,)
    assert [(row["kind"], row["id"], row["title"], row["references"]) for row in registry.list_records(root)] == [
        ("persons", "person:a", "甲", 2),
        ("consents", "consent-1", "", 0),
        ("works", "work:film", "片", 2),
    ]


def test_an_empty_folder_is_an_empty_registry_and_a_missing_one_is_not(tmp_path: Path) -> None:
    assert load(tmp_path).persons == {}
    with pytest.raises(RegistryError, match="is not a folder"):
        load(tmp_path / "none")


def test_the_snapshot_changes_with_records_and_files_and_with_nothing_else(samples: Path, tmp_path: Path) -> None:
    put(tmp_path, "persons/one.json", PERSON | {"references": [{"path": "faces/a.png"}]})
    put(tmp_path, "persons/two.json", PERSON | {"id": "person:b"})
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/a.png").write_bytes((samples / "a.png").read_bytes())
    first = load(tmp_path).digest
    (tmp_path / "persons/two.json").rename(tmp_path / "persons/a-first.json")
    assert load(tmp_path).digest == first
    (tmp_path / "faces/a.png").write_bytes((samples / "a.jpg").read_bytes())
    second = load(tmp_path).digest
    put(tmp_path, "persons/a-first.json", PERSON | {"id": "person:b", "kind": "deceased"})
    assert len({first, second, load(tmp_path).digest}) == 3


def test_paths_count_from_the_root_or_from_the_record(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/a.png").write_bytes((samples / "a.png").read_bytes())
    for name in ("faces/a.png", "../faces/a.png", "./faces/../faces/a.png"):
        put(tmp_path, "persons/p.json", PERSON | {"references": [{"path": name, "kind": "face"}]})
        assert load(tmp_path).persons["person:a"].references == (
            Reference((tmp_path / "faces/a.png").resolve(), "face"),
        )


# --- a registry that is wrong


@pytest.mark.parametrize(
    ("name", "record", "said"),
    [
        ("persons/p.json", "{", r"persons/p\.json, line 1, column 2: is not JSON"),
        ("persons/p.json", "[]", "must hold one JSON object, not a list"),
        ("persons/p.json", "", "is empty"),
        ("persons/p.json", PERSON | {"id": "a"}, r"/id: .*\^person:"),
        ("persons/p.json", PERSON | {"kind": "privat"}, "/kind: .*did you mean 'private'"),
        ("persons/p.json", PERSON | {"nmaes": {}}, "\"nmaes\"; did you mean 'names'"),
        ("persons/p.json", {"id": "person:a"}, 'the field "kind" is missing'),
        ("persons/p.json", PERSON | {"delete_after": "20.11.2026"}, "/delete_after: .*write it like 2026-11-20"),
        ("persons/p.json", PERSON | {"names": []}, "/names: .* is a list; it must be an object"),
        ("consents/c.json", CONSENT | {"attribute": "fase"}, "/attribute: .*did you mean 'face'"),
        ("consents/c.json", CONSENT | {"recorded_at": "2026-01-02T00:00:00"}, "/recorded_at: .*date-time"),
        ("consents/c.json", CONSENT | {"media": []}, "/media: .*too short; at least 1"),
        ("consents/c.json", CONSENT | {"subject_status": "deceased"}, "the field|is not allowed"),
        ("persons/p.json", '{"id":"person:a","id":"person:b","kind":"private"}', '"id" occurs twice'),
        ("person/p.json", PERSON, "did you mean the folder persons/"),
        ("works.json", PERSON, "did you mean the folder works/"),
        ("persons", "x", "must be a folder"),
    ],
)
def test_a_wrong_record_is_refused_by_file_and_place(tmp_path: Path, name: str, record: Any, said: str) -> None:
    path = put(tmp_path, name, record)
    with pytest.raises(RegistryError, match=said) as error:
        load(tmp_path)
    assert str(path.relative_to(tmp_path).parts[0]) in str(error.value)


def test_an_id_used_twice_names_both_files(tmp_path: Path) -> None:
    put(tmp_path, "persons/one.json", PERSON)
    put(tmp_path, "persons/two.json", PERSON)
    with pytest.raises(RegistryError, match=r"two\.json: /id: 'person:a' is used by .*one\.json"):
        load(tmp_path)
    put(tmp_path, "persons/two.json", PERSON | {"id": "person:b"})
    assert set(load(tmp_path).persons) == {"person:a", "person:b"}


def test_ids_of_different_kinds_do_not_disturb_each_other(samples: Path, tmp_path: Path) -> None:
    registry.add_person(tmp_path, "person:a", kind="private", names={}, photos=[samples / "a.png"])
    registry.add_record(tmp_path, "consents", CONSENT | {"id": "person:a"})
    assert len(load(tmp_path).persons["person:a"].references) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../outside.png", "leads out of the registry"),
        ("link.png", "leads out of the registry"),
        ("linked/outside.png", "leads out of the registry"),
        ("/etc/hostname", "is absolute"),
        ("none.png", "there is no file 'none.png'"),
        ("persons", "there is no file"),
        ("", "is not a path"),
        ("loop.png", "cannot be followed|there is no file"),
        ("x" * 5000, "cannot be followed|there is no file"),
    ],
)
def test_a_reference_stays_inside(samples: Path, tmp_path: Path, name: str, said: str) -> None:
    root = tmp_path / "r"
    (tmp_path / "outside.png").write_bytes((samples / "a.png").read_bytes())
    put(root, "persons/p.json", PERSON | {"references": [{"path": name}]})
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "linked").symlink_to(tmp_path)
    (root / "loop.png").symlink_to(root / "loop.png")
    with pytest.raises(RegistryError, match=rf"/references/0/path: .*{said}|/references/0/path: .*({said})"):
        load(root)


def test_a_record_that_is_a_link_out_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere.txt", PERSON)
    (tmp_path / "r/persons").mkdir(parents=True)
    (tmp_path / "r/persons/p.json").symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(RegistryError, match="leads out of the registry"):
        load(tmp_path / "r")


def test_another_file_than_the_record_names_is_refused(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes((samples / "a.png").read_bytes())
    right = digest(samples / "a.png")
    for stated, good in ((right, True), (right.upper(), True), ("0" * 64, False)):
        put(tmp_path, "persons/p.json", PERSON | {"references": [{"path": "a.png", "sha256": stated}]})
        if good:
            assert load(tmp_path).persons
        else:
            with pytest.raises(RegistryError, match=f"/references/0/sha256: .*{right}"):
                load(tmp_path)


def test_digests_are_remembered_only_while_the_file_is_the_same(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry._Digests, "REMEMBER_BYTES", 1)
    registry.add_person(tmp_path, "person:a", kind="private", names={}, photos=[samples / "a.png"])
    first = load(tmp_path)
    assert (tmp_path / ".digests.json").exists()
    monkeypatch.setattr(registry, "digest", lambda path: pytest.fail(f"{path} was read again"))
    assert load(tmp_path).digest == first.digest
    monkeypatch.undo()
    first.persons["person:a"].references[0].path.write_bytes((samples / "a.jpg").read_bytes())
    with pytest.raises(RegistryError, match="the record names another file"):
        load(tmp_path)


# --- adding and removing


def person(root: Path, *photos: Path, name: str = "person:a", voices: Sequence[Path] = ()) -> Path:
    return registry.add_person(root, name, kind="private", names={}, photos=photos, voices=voices)


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda root, s: person(root), "already holds 'person:a'"),
        (lambda root, s: person(root, s / "a.png", name="a"), r"/id: .*\^person:"),
        (lambda root, s: person(root, s / "no.png", name="person:b"), "there is no file"),
        (lambda root, s: person(root, s / "a.png", s / "a.txt", name="person:b"), "text"),
        (lambda root, s: person(root, s / "a.png", s / "a.wav", name="person:b"), "no picture"),
        (lambda root, s: person(root, voices=[s / "a.png"], name="person:b"), "no sound"),
        (
            lambda root, s: registry.add_work(root, "work:a", kind="flim", title="t", files=[s / "a.mp4"]),
            "did you mean 'film'",
        ),
        (lambda root, s: registry.add_record(root, "consnts", {}), "did you mean 'consents'"),
        (lambda root, s: registry.remove(root, "person:aa"), "did you mean 'person:a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_leaves_nothing_behind(
    samples: Path, tmp_path: Path, add: Callable[[Path, Path], object], said: str
) -> None:
    registry.add_person(tmp_path, "person:a", kind="private", names={}, photos=[])
    before = files(tmp_path)
    with pytest.raises(RegistryError, match=said):
        add(tmp_path, samples)
    assert files(tmp_path) == before


def test_removing_a_record_removes_its_files_unless_another_names_them(samples: Path, tmp_path: Path) -> None:
    registry.add_person(tmp_path, "person:a", kind="private", names={}, photos=[samples / "a.png", samples / "a.jpg"])
    registry.add_work(tmp_path, "work:a", kind="picture", title="t", files=[samples / "a.png"])
    shared, own = (digest(samples / name) for name in ("a.png", "a.jpg"))
    registry.remove(tmp_path, "person:a")
    assert files(tmp_path) == {"works/a.json", f"references/{shared[:2]}/{shared}.png"}
    registry.remove(tmp_path, "work:a")
    assert files(tmp_path) == set()
    assert own not in str(files(tmp_path))


def test_odd_ids_get_safe_and_different_file_names(tmp_path: Path) -> None:
    for name in ("../../x", "a/b", "a b", "甲", ".hidden", "x" * 300):
        registry.add_record(tmp_path / "r", "consents", CONSENT | {"id": name})
    assert {one["id"] for one in load(tmp_path / "r").consents} == {"../../x", "a/b", "a b", "甲", ".hidden", "x" * 300}
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_of_processes_adding_the_same_person_one_succeeds(samples: Path, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from provenance import registry\n"
        "won = 0\n"
        "for n in range(30):\n"
        "    try:\n"
        "        registry.add_person(pathlib.Path(sys.argv[1]), f'person:{n}', kind='private', names={},"
        " photos=[pathlib.Path(sys.argv[2])])\n"
        "        won += 1\n"
        "    except registry.RegistryError:\n"
        "        pass\n"
        "print(won)\n"
    )
    root = tmp_path / "r"
    root.mkdir()
    arguments = [sys.executable, "-c", program, str(root), str(samples / "a.png")]
    started = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) for _ in range(3)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in started) == 30
    assert len(load(root).persons) == 30


# --- papers

PAPERS = {"gate": "publish", "asset": {"kind": "episode"}}


def test_papers_with_what_is_needed_are_let_through(tmp_path: Path) -> None:
    full = PAPERS | {"territories": ["CN"], "planned_publish_at": "2026-12-01T00:00:00+08:00", "client_ref": "abcdefgh"}
    for papers in (PAPERS, full):
        path = put(tmp_path, "p.json", papers)
        assert registry.load_papers(path) == papers
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert registry.load_papers(path) == papers


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\xff\xfe{\0}\0", "is not UTF-8 at byte 0; save it as UTF-8"),
        (b'{"gate":"publish",\n"asset" {}}', "line 2, column 9: is not JSON"),
        (b'{"gate":"publish","asset":{"kind":"episod"}}', "/asset/kind: \"episod\" .*did you mean 'episode'"),
        (b'{"gate":"publish","gate":"prescreen","asset":{"kind":"episode"}}', '"gate" occurs twice'),
        (b'{"gate":"publish","asset":{"kind":"episode"},"teritories":["CN"]}', "did you mean 'territories'"),
        (
            b'{"gate":"publish","asset":{"kind":"episode"},"territories":["cn"]}',
            "/territories/0: .*does not have the form",
        ),
        (b'{"gate":"publish","asset":{"kind":"episode"},"territories":["CN","CN"]}', "/territories: .*twice"),
        (
            b'{"gate":"publish","asset":{"kind":"episode","width":"720"}}',
            "/asset/width: .* is text; it must be a whole number",
        ),
        (b'{"gate":"publish","asset":{"kind":"episode","bytes":0}}', "/asset/bytes: .*at least 1"),
        (b'{"gate":"publish","asset":{"kind":"episode"},"planned_publish_at":"tomorrow"}', "2026-11-20T08:00:00"),
        (b'{"gate":"publish","asset":{"kind":"episode"},"planned_publish_at":"2026-13-01T00:00:00Z"}', "date-time"),
        (b'{"gate":"publish"}', 'the field "asset" is missing'),
        (b'{"asset":{"kind":"episode","width":NaN}}', "NaN is not a JSON number"),
        (b'{"asset":{"kind":"episode","width":1e999}}', "too large"),
        (b'{"asset":{"kind":"episode","width":' + b"9" * 5000 + b"}}", "thousands of digits"),
        (b'{"series":{"title":"a\\u0000b"}}', r"U\+0000"),
        (b'{"series":{"title":"\\ud800"}}', r"U\+D800"),
        (b'{"a\\ud800":1}', r"U\+D800"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper than 32"),
        (b" " * (5 << 20), "larger than 4 MiB"),
        (b"[1]", "not a list"),
    ],
)
def test_wrong_papers_are_refused_by_place(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(raw)
    with pytest.raises(PapersError, match=said) as error:
        registry.load_papers(path)
    assert str(error.value).startswith(str(path))
    assert str(error.value).isprintable()


def test_papers_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(PapersError, match=r"none\.json: cannot be read"):
        registry.load_papers(tmp_path / "none.json")
    with pytest.raises(PapersError, match="cannot be read"):
        registry.load_papers(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["asset", "series", "territories", "gate", "filings", "extra", "production"]))
def test_any_json_is_papers_or_a_clear_refusal(value: Any, name: str) -> None:
    raw = json.dumps(PAPERS | {name: value}).encode()
    with suppress(PapersError):  # anything else that is raised fails the test
        assert parse_papers(raw, "p.json") == json.loads(raw)
