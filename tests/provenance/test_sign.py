"""What may be sealed, how the seal tells its story, and what is never lost on the way."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import c2pa
import pytest

from provenance import aigc, media
from provenance.asset import AssetKind, TimeRange, digest
from provenance.check import check, context
from provenance.keys import Keys, Trust, development
from provenance.report import AiDisclosure, Seal
from provenance.sign import ACTIONS, Action, Ingredient, Signed, SignError, SourceType, sign

EMBEDDED = ["png", "jpg", "webp", "gif", "avif", "svg", "pdf", "mp4", "mov", "m4a", "wav", "mp3", "flac"]
BESIDE = ["json", "txt", "md", "fountain", "srt", "webm", "ogg"]
MADE = Action("created", source_type="trainedAlgorithmicMedia", tool="Model", tool_version="1")
Seals = Callable[..., Signed]


def manifest_of(path: Path, trust: Trust) -> dict[str, object]:
    with c2pa.Reader(str(path), context=context(trust)) as reader:
        store = json.loads(reader.json())
    found: dict[str, object] = store["manifests"][store["active_manifest"]]
    return found


@pytest.mark.parametrize("suffix", EMBEDDED)
def test_a_sealed_file_holds_its_manifest_and_is_trusted(
    samples: Path, tmp_path: Path, sealed: Seals, trust: Trust, suffix: str
) -> None:
    before = digest(samples / f"a.{suffix}")
    signed = sealed(samples / f"a.{suffix}", tmp_path / f"out.{suffix}")
    report = check(signed.asset.path, trust)
    assert (report.seal, report.ai_disclosure, report.problems) == (Seal.TRUSTED, AiDisclosure.SIGNED, ())
    assert (report.signer, report.trust_list) == ("dramagate generator", "urn:dramagate:development")
    assert signed.sidecar is None
    assert signed.asset.sha256 == digest(signed.asset.path)
    assert digest(samples / f"a.{suffix}") == before
    assert [path.name for path in tmp_path.iterdir()] == [f"out.{suffix}"]


@pytest.mark.parametrize("suffix", BESIDE)
def test_a_file_that_cannot_hold_a_manifest_has_it_beside_a_byte_copy(
    samples: Path, tmp_path: Path, sealed: Seals, trust: Trust, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    signed = sealed(samples / f"a.{suffix}", out)
    assert signed.sidecar == tmp_path / f"out.{suffix}.c2pa"
    assert out.read_bytes() == (samples / f"a.{suffix}").read_bytes()
    assert check(out, trust).seal is Seal.TRUSTED
    out.write_bytes(out.read_bytes() + b"\n")
    assert check(out, trust).seal is Seal.INVALID
    signed.sidecar.unlink()
    assert check(out, trust).seal is Seal.ABSENT


@pytest.mark.parametrize("suffix", [*EMBEDDED, *BESIDE])
def test_a_sealed_file_carries_on_as_an_ingredient(
    samples: Path, tmp_path: Path, sealed: Seals, trust: Trust, suffix: str
) -> None:
    part = sealed(samples / f"a.{suffix}", tmp_path / f"part.{suffix}")
    whole = sealed(
        samples / "a.mp4", tmp_path / "whole.mp4", ingredients=(Ingredient(part.asset.path, "inputTo", "part"),)
    )
    report = check(whole.asset.path, trust)
    assert report.seal is Seal.TRUSTED
    assert [(link.relationship, link.state, link.title) for link in report.chain] == [
        (None, "ok", "whole.mp4"),
        ("inputTo", "ok", f"part.{suffix}"),
    ]


def test_a_cut_names_its_parent_and_what_was_removed(
    samples: Path, tmp_path: Path, sealed: Seals, trust: Trust
) -> None:
    film = sealed(samples / "a.mp4", tmp_path / "film.mp4")
    media.remux(film.asset.path, tmp_path / "cut.mp4")
    trimmed = Action(
        "trimmed", source_type=SourceType.HUMAN_EDITS, tool="cutter", ranges=(TimeRange(1_500_000, 2_000_001),)
    )
    signed = sealed(
        tmp_path / "cut.mp4",
        tmp_path / "out.mp4",
        trimmed,
        Action("published"),
        ingredients=(Ingredient(film.asset.path, "parentOf", "parent"),),
        role="gateway",
    )
    report = check(signed.asset.path, trust)
    assert report.seal is Seal.TRUSTED
    assert report.ai_disclosure is AiDisclosure.SIGNED
    assert [(link.signer, link.relationship, link.actions) for link in report.chain] == [
        ("dramagate gateway", None, ("c2pa.opened", "c2pa.trimmed", "c2pa.published")),
        ("dramagate generator", "parentOf", ("c2pa.created",)),
    ]
    told = manifest_of(signed.asset.path, trust)
    action = told["assertions"][0]["data"]["actions"][1]  # type: ignore[index]
    assert action["changes"] == [
        {"region": [{"type": "temporal", "time": {"type": "npt", "start": "1.500000", "end": "2.000001"}}]}
    ]


def test_a_seal_meets_the_conformance_rules_we_know(samples: Path, tmp_path: Path, sealed: Seals, trust: Trust) -> None:
    part = Ingredient(samples / "a.png", "componentOf", "sheet")
    told = manifest_of(sealed(samples / "a.mp4", tmp_path / "out.mp4", ingredients=(part,)).asset.path, trust)
    actions = next(a for a in told["assertions"] if a["label"] == "c2pa.actions.v2")  # type: ignore[attr-defined]
    assert actions["created"] is True
    assert actions["data"]["allActionsIncluded"] is True
    assert [action["action"] for action in actions["data"]["actions"]] == ["c2pa.created", "c2pa.placed"]
    assert len(actions["data"]["actions"][1]["parameters"]["ingredients"]) == 1
    generator = told["claim_generator_info"][0]  # type: ignore[index]
    assert (generator["name"], generator["specVersion"]) == ("dramagate", "2.4.0")
    assert told["claim_version"] == 2
    assert [i["relationship"] for i in told["ingredients"]] == ["componentOf"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("actions", "ingredients", "said"),
    [
        ((Action("published"),), (), "begin with c2pa.created"),
        ((Action("published"), MADE), (), "must come, and first"),
        ((MADE, MADE), (), "exactly one"),
        ((Action("opened"),), (), "relationship parentOf"),
        ((MADE,), ("parentOf",), "opened, not created"),
        ((Action("published"),), ("parentOf", "parentOf"), "exactly one"),
        ((), ("parentOf", "inputTo"), "no action says"),
        ((Action("published", ingredients=("on3",)),), ("parentOf",), "names ingredient 'on3'"),
    ],
)
def test_a_story_that_breaks_a_rule_is_refused(
    samples: Path,
    tmp_path: Path,
    keys: Keys,
    trust: Trust,
    actions: tuple[Action, ...],
    ingredients: tuple[str, ...],
    said: str,
) -> None:
    given = [Ingredient(samples / "a.png", how, f"one{n}") for n, how in enumerate(ingredients)]
    with pytest.raises(SignError, match=said):
        sign(
            samples / "a.mp4",
            tmp_path / "out.mp4",
            kind=AssetKind.EPISODE,
            identity=keys.identity("generator"),
            trust=trust,
            title="t",
            actions=actions,
            ingredients=given,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Action("trimed", source_type="humanEdits"), "did you mean 'c2pa.trimmed'"),
        (lambda: Action("created"), "needs a digital source type"),
        (lambda: Action("created", source_type="trainedAlgoritmicMedia"), "did you mean 'trainedAlgorithmicMedia'"),
        (lambda: Action("opened", source_type="humanEdits"), "takes no digital source type"),
        (lambda: Action("published", parameters={"rule": 1}), "cn.dramagate.rule"),
        (lambda: Ingredient(Path("x"), "parentof", "p"), "did you mean 'parentOf'"),
        (lambda: Ingredient(Path("x"), "parentOf", "a b"), "cannot be an ingredient's label"),
        (lambda: Action.parse("cropd"), "did you mean 'c2pa.cropped'"),
    ],
)
def test_words_c2pa_does_not_know_are_refused_with_the_nearest(make: Callable[[], object], said: str) -> None:
    with pytest.raises(SignError, match=said):
        make()


def test_actions_are_parsed_as_a_command_line_gives_them() -> None:
    assert Action.parse("trimmed") == Action("c2pa.trimmed", source_type=SourceType.HUMAN_EDITS)
    assert Action.parse("created=trainedAlgorithmicMedia") == Action("created", source_type=SourceType.TRAINED)
    assert Action.parse("c2pa.published") == Action("published")
    assert len(ACTIONS) == len(set(ACTIONS)) == 31


def test_the_file_itself_and_its_ingredients_are_never_overwritten(
    samples: Path, tmp_path: Path, sealed: Seals
) -> None:
    film = tmp_path / "film.mp4"
    shutil.copyfile(samples / "a.mp4", film)
    (tmp_path / "link.mp4").symlink_to(film)
    before = film.read_bytes()
    for out in (film, tmp_path / "link.mp4"):
        with pytest.raises(SignError, match="would be overwritten"):
            sealed(film, out)
    with pytest.raises(SignError, match="would be overwritten"):
        sealed(samples / "a.png", film, ingredients=(Ingredient(film, "componentOf", "part"),))
    assert film.read_bytes() == before


def test_what_stands_at_the_output_is_replaced_only_by_a_sealed_file(
    samples: Path, tmp_path: Path, sealed: Seals
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"old")
    with pytest.raises(SignError):
        sealed(samples / "a.mp4", out, Action("published"))
    assert out.read_bytes() == b"old"
    sealed(samples / "a.mp4", out)
    assert out.stat().st_size > 3
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_seal_is_not_dropped_silently(samples: Path, tmp_path: Path, sealed: Seals, trust: Trust) -> None:
    first = sealed(samples / "a.png", tmp_path / "first.png")
    with pytest.raises(SignError, match="history would be lost"):
        sealed(first.asset.path, tmp_path / "second.png")
    parent = Ingredient(first.asset.path, "parentOf", "parent")
    second = sealed(first.asset.path, tmp_path / "second.png", Action("published"), ingredients=(parent,))
    assert len(check(second.asset.path, trust).chain) == 2


def test_a_tampered_ingredient_is_refused(samples: Path, tmp_path: Path, sealed: Seals) -> None:
    part = sealed(samples / "a.wav", tmp_path / "part.wav").asset.path
    data = bytearray(part.read_bytes())
    data[data.find(b"data") + 200] ^= 1
    part.write_bytes(data)
    for how in ("parentOf", "componentOf", "inputTo"):
        action = Action("published") if how == "parentOf" else MADE
        with pytest.raises(SignError, match="its own provenance is invalid"):
            sealed(samples / "a.mp4", tmp_path / "out.mp4", action, ingredients=(Ingredient(part, how, "part"),))


def test_a_seal_nobody_we_trust_vouches_for_is_not_kept(
    samples: Path, tmp_path: Path, keys: Keys, home: Path, trust: Trust
) -> None:
    stranger = development(home)
    arguments = {"kind": AssetKind.IMAGE, "title": "t", "actions": (MADE,)}
    with pytest.raises(SignError, match="reads back as valid, so it was not kept"):
        sign(samples / "a.png", tmp_path / "o.png", identity=stranger.identity("generator"), trust=trust, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "o.png").exists()
    ours = sign(samples / "a.png", tmp_path / "o.png", identity=keys.identity("generator"), trust=trust, **arguments)  # type: ignore[arg-type]
    assert ours.asset.path.exists()


def test_an_unvouched_parent_is_passed_on_as_such(
    samples: Path, tmp_path: Path, sealed: Seals, home: Path, trust: Trust
) -> None:
    stranger = development(home)
    theirs = sign(
        samples / "a.png",
        tmp_path / "theirs.png",
        kind=AssetKind.IMAGE,
        identity=stranger.identity("generator"),
        trust=stranger.trust(),
        title="theirs",
        actions=(MADE,),
    )
    assert check(theirs.asset.path, trust).seal is Seal.VALID
    parent = Ingredient(theirs.asset.path, "parentOf", "parent")
    ours = sealed(samples / "a.png", tmp_path / "ours.png", Action("published"), ingredients=(parent,))
    report = check(ours.asset.path, trust)
    assert (report.seal, report.trust_list) == (Seal.VALID, "urn:dramagate:development")
    assert [problem.code for problem in report.problems] == ["ingredient.signingCredential.untrusted"]
    both = trust.with_pem(stranger.root_path)
    assert check(ours.asset.path, both).seal is Seal.TRUSTED


def test_samples_outside_mdat_are_refused_until_laid_out_anew(samples: Path, tmp_path: Path, sealed: Seals) -> None:
    data = bytearray((samples / "a.mp4").read_bytes())
    at = data.find(b"mdat")
    data[at : at + 4] = b"free"
    (tmp_path / "free.mp4").write_bytes(data)
    with pytest.raises(SignError, match="remux"):
        sealed(tmp_path / "free.mp4", tmp_path / "out.mp4")
    media.remux(tmp_path / "free.mp4", tmp_path / "again.mp4")
    assert sealed(tmp_path / "again.mp4", tmp_path / "out.mp4").asset.path.exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp4", b"", "is empty"),
        ("head.mp4", b"\0\0\0\x10ftypisom\0\0\0\0", "no pictures or sound"),
        ("cut.mp4", b"\0\0\0\x10ftypisom\0\0\0\0\0\0\xff\xffmoov", "does not fit the file"),
        ("many.mp4", b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08free" * 30_000, "absurdly many boxes"),
        ("noise.png", bytes(range(256)), "could not be sealed"),
        ("bare.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "closes itself"),
        ("bare.svg", b"<?xml version='1.0'?>\n<!-- <svg> -->\n<s:svg xmlns:s='x' d='>'\n />\n", "closes itself"),
        ("bare.svg", b"\xef\xbb\xbf<!DOCTYPE svg [<!ENTITY a '<svg>'>]><svg/>", "closes itself"),
    ],
)
def test_what_is_no_file_of_its_kind_is_refused(
    tmp_path: Path, sealed: Seals, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SignError, match=said):
        sealed(tmp_path / name, tmp_path / f"out.{name[-3:]}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"title": ""}, "cannot be a title"),
        ({"title": "a\u202eb"}, "cannot be a title"),
        ({"assertions": {"c2pa.hash.data": {}}}, "cannot be an assertion"),
        ({"assertions": {"review": {}}}, "cannot be an assertion"),
        ({"assertions": {"cn.dramagate.review": {"x": float("nan")}}}, "cannot be written as JSON"),
        ({"aigc": {"Label": "1"}}, "ContentProducer is missing"),
    ],
)
def test_statements_that_cannot_be_made_are_refused(
    samples: Path, tmp_path: Path, keys: Keys, trust: Trust, given: dict[str, object], said: str
) -> None:
    arguments = {"kind": AssetKind.IMAGE, "title": "t", "actions": (MADE,)} | given
    with pytest.raises(SignError, match=said):
        sign(samples / "a.png", tmp_path / "o.png", identity=keys.identity("generator"), trust=trust, **arguments)  # type: ignore[arg-type]


def test_a_statement_of_ours_is_read_back(samples: Path, tmp_path: Path, keys: Keys, trust: Trust) -> None:
    said = {"verdict": "approve", "rules": ["a@1"]}
    signed = sign(
        samples / "a.png",
        tmp_path / "o.png",
        kind=AssetKind.COVER,
        identity=keys.identity("gateway"),
        trust=trust,
        title="封面",
        actions=(MADE,),
        assertions={"cn.dramagate.review": said},
    )
    told = {a["label"]: a["data"] for a in manifest_of(signed.asset.path, trust)["assertions"]}  # type: ignore[attr-defined]
    assert told["cn.dramagate.review"] == said
    assert told["cn.dramagate.asset"] == {"kind": "cover"}


def test_the_label_in_the_file_is_the_label_in_the_seal(
    samples: Path, tmp_path: Path, keys: Keys, trust: Trust
) -> None:
    label, other = aigc.Label.first("PRODUCER1", "id-1"), aigc.Label.first("PRODUCER1", "id-2")
    aigc.write(samples / "a.mp4", tmp_path / "labelled.mp4", label)
    arguments = {"kind": AssetKind.EPISODE, "identity": keys.identity("generator"), "trust": trust, "title": "t"}
    with pytest.raises(SignError, match="another AIGC label"):
        sign(tmp_path / "labelled.mp4", tmp_path / "o.mp4", actions=(MADE,), aigc=other.fields(), **arguments)  # type: ignore[arg-type]
    with pytest.raises(SignError, match="does not carry the AIGC label"):
        sign(samples / "a.mp4", tmp_path / "o.mp4", actions=(MADE,), aigc=label.fields(), **arguments)  # type: ignore[arg-type]
    for stated in (None, label.fields()):
        signed = sign(tmp_path / "labelled.mp4", tmp_path / "o.mp4", actions=(MADE,), aigc=stated, **arguments)  # type: ignore[arg-type]
        report = check(signed.asset.path, trust)
        assert report.seal is Seal.TRUSTED
        assert report.aigc is not None
        assert (report.aigc.fields, report.aigc.agrees_with_seal) == (label.fields(), True)


def test_a_label_beside_the_file_travels_with_it(samples: Path, tmp_path: Path, sealed: Seals, trust: Trust) -> None:
    aigc.write(samples / "a.json", tmp_path / "l.json", aigc.Label.first("P", "1"))
    signed = sealed(tmp_path / "l.json", tmp_path / "o.json")
    report = check(signed.asset.path, trust)
    assert report.aigc is not None
    assert report.aigc.agrees_with_seal is True
    note = tmp_path / "o.json.aigc.json"
    note.write_text(json.dumps({"AIGC": aigc.Label.first("P", "2").fields()}))
    assert [problem.code for problem in check(signed.asset.path, trust).problems] == ["aigc.disagreesWithSeal"]


@pytest.mark.parametrize("inner", ["", "<rect/>", "<metadata/>"])
def test_an_svg_whose_root_has_an_end_is_sealed(tmp_path: Path, sealed: Seals, trust: Trust, inner: str) -> None:
    head = "<?xml version='1.0'?>\n<!-- <svg/> -->\n<svg xmlns='http://www.w3.org/2000/svg' class='a/'>"
    (tmp_path / "a.svg").write_text(f"{head}{inner}</svg>")
    signed = sealed(tmp_path / "a.svg", tmp_path / "out.svg")
    assert check(signed.asset.path, trust).seal is Seal.TRUSTED


@pytest.mark.parametrize(("suffix", "at"), [("avif", b"mdat"), ("pdf", b"/Length"), ("svg", b"width=")])
def test_a_byte_of_the_picture_changed_breaks_the_seal(
    samples: Path, tmp_path: Path, sealed: Seals, trust: Trust, suffix: str, at: bytes
) -> None:
    signed = sealed(samples / f"a.{suffix}", tmp_path / f"out.{suffix}")
    data = bytearray(signed.asset.path.read_bytes())
    data[data.rfind(at) + len(at) + 1] ^= 1
    signed.asset.path.write_bytes(data)
    assert check(signed.asset.path, trust).seal is Seal.INVALID


def test_a_sparse_large_box_is_no_trouble(samples: Path, tmp_path: Path, sealed: Seals) -> None:
    data = (samples / "a.mp4").read_bytes()
    (tmp_path / "wide.mp4").write_bytes(data + struct.pack(">I4sQ", 1, b"free", 16 + 64) + b"\0" * 64)
    assert sealed(tmp_path / "wide.mp4", tmp_path / "out.mp4").sidecar is None
