"""What the provenance of a file says: on published files with known answers, on attacks, and on damage."""

from __future__ import annotations

import csv
import datetime as dt
import http.server
import json
import os
import random
import shutil
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import c2pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance import bmff, media
from provenance import keys as pki
from provenance.asset import AssetKind
from provenance.check import check, context
from provenance.keys import Keys, Purpose, Trust, TrustList, development
from provenance.report import AiDisclosure, ProvenanceReport, Seal
from provenance.sign import Action, Ingredient, Signed, sign

Seals = Callable[..., Signed]
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def codes(report: ProvenanceReport) -> list[str]:
    return [problem.code for problem in report.problems]


def library_seal(
    src: Path,
    out: Path,
    keys: Keys,
    trust: Trust,
    mime: str,
    *,
    actions: Sequence[Mapping[str, object]] = (),
    ingredients: Sequence[tuple[Mapping[str, object], str, bytes]] = (),
    remote: str | None = None,
) -> str:
    """Seal with the library alone, as somebody without our refusals would; what the library then says of it."""
    made = list(actions) or [{"action": "c2pa.created", "digitalSourceType": AI}]
    manifest = {
        "title": out.name,
        "claim_generator_info": [{"name": "other", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "created": True, "data": {"actions": made}}],
    }
    identity = keys.identity("generator")
    own = context(trust)
    builder = c2pa.Builder(manifest, own)
    for doc, kind, data in ingredients:
        builder.add_ingredient(dict(doc), kind, BytesIO(data))
    if remote:
        builder.set_no_embed()
        builder.set_remote_url(remote)
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", identity.chain_pem, identity.key_pem, None))
    with src.open("rb") as source, out.open("w+b") as target:
        builder.sign(signer, mime, source, target)
    if remote:
        return "remote"
    with out.open("rb") as file, c2pa.Reader(mime, file, context=own) as reader:
        said: str = json.loads(reader.json())["validation_state"]
    return said


# --- published files


@pytest.mark.corpus
def test_every_published_fixture_lands_in_the_family_its_manifest_names(corpus: Path) -> None:
    folder = corpus / "c2pa"
    trust = Trust().with_pem(folder / "c2pa-rs_test_cert_root_bundle.pem").with_ekus(folder / "c2pa-rs_store.cfg")
    with (folder / "manifest.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) > 20
    answers = {row["file"]: (_family(row), check(folder / row["file"], trust).seal) for row in rows}
    assert {name: both for name, both in answers.items() if both[1] not in both[0]} == {}


def _family(row: dict[str, str]) -> set[Seal]:
    """What the row's columns ask for: the library's word with the test roots, and what ingredients recorded."""
    said = row["observed_with_c2pa-rs_test_roots+C2PA_trust_list"]
    inside = set(row["failures_recorded_inside_ingredients"].split(",")) - {"-", "signingCredential.untrusted"}
    if said.startswith("Trusted"):
        # a list entry of the C2PA list is not among the test roots
        return {Seal.TAINTED} if inside else {Seal.TRUSTED}
    if said.startswith("Valid"):
        return {Seal.VALID}
    if said.startswith("Invalid"):
        return {Seal.INVALID}
    if "no JUMBF" in said or "Remote:" in said or "NotSupported" in said:
        return {Seal.ABSENT}
    if "could not be parsed" in said:  # no manifest was ever in these two parser bombs
        return {Seal.ABSENT}
    return {Seal.INVALID}


@pytest.mark.corpus
def test_a_laundered_picture_is_tainted_and_says_which_part(corpus: Path) -> None:
    folder = corpus / "c2pa"
    report = check(
        folder / "ptf__adobe-20220124-CIE-sig-CA.jpg", Trust().with_pem(folder / "c2pa-rs_test_cert_root_bundle.pem")
    )
    assert report.seal is Seal.TAINTED
    assert [(problem.code, problem.where) for problem in report.problems] == [
        ("ingredient.claimSignature.mismatch", "E-sig-CA.jpg")
    ]
    assert all(problem.zh and problem.en for problem in report.problems)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("evil_signed.mp4", "samplesOutsideHash"),
        ("evil_swapped.mp4", "samplesOutsideHash"),
        ("evil_signed.mp4", "hashExclusions"),
        ("two_parents.mp4", "multipleParents"),
        ("update_redaction_not_applied.mp4", "assertion.notRedacted"),
    ],
)
def test_attacks_are_refused_by_name(corpus: Path, name: str, code: str) -> None:
    report = check(corpus / "c2pa" / "attack" / name, Trust())
    assert report.seal is Seal.INVALID
    assert code in codes(report)


@pytest.mark.corpus
def test_a_remote_manifest_is_named_and_not_fetched(corpus: Path) -> None:
    report = check(corpus / "c2pa" / "rs__cloud.jpg", Trust())
    assert (report.seal, codes(report)) == (Seal.ABSENT, ["remoteManifest"])
    assert "https://cai-manifests.adobe.com/" in report.problems[0].en


@pytest.mark.corpus
def test_generators_outside_the_seal_are_declared_only(corpus: Path) -> None:
    report = check(corpus / "ai_clips" / "comfyui" / "text_to_video_wan.webp", Trust())
    assert (report.seal, report.ai_disclosure) == (Seal.ABSENT, AiDisclosure.DECLARED)
    assert "ComfyUI model: wan2.1_t2v_1.3B_fp16.safetensors" in report.generators


# --- attacks of our own making: the library calls each of them trusted


def test_a_film_in_a_free_box_is_not_believed_before_or_after_the_swap(
    samples: Path, tmp_path: Path, keys: Keys, trust: Trust
) -> None:
    data = bytearray((samples / "a.mp4").read_bytes())
    at = data.find(b"mdat")
    data[at : at + 4] = b"free"
    (tmp_path / "free.mp4").write_bytes(data)
    evil = tmp_path / "evil.mp4"
    assert library_seal(tmp_path / "free.mp4", evil, keys, trust, "video/mp4") == "Trusted"
    swapped = bytearray(evil.read_bytes())
    box = next(b for b in bmff.survey(evil).top if b.type == b"free" and b.end - b.start > 1000)
    for index in range(box.body, box.end):
        swapped[index] ^= 0xFF
    for content in (evil.read_bytes(), bytes(swapped)):
        evil.write_bytes(content)
        with c2pa.Reader("video/mp4", BytesIO(content), context=context(trust)) as reader:
            assert json.loads(reader.json())["validation_state"] == "Trusted"
        report = check(evil, trust)
        assert (report.seal, report.samples_in_hash, codes(report)) == (Seal.INVALID, False, ["samplesOutsideHash"])


def test_a_chunk_that_begins_in_mdat_and_ends_outside_is_seen(samples: Path, tmp_path: Path) -> None:
    """A check of chunk beginnings alone would pass this one."""
    media.remux(samples / "a.mp4", tmp_path / "film.mp4")
    data = bytearray((tmp_path / "film.mp4").read_bytes())
    assert bmff.survey(tmp_path / "film.mp4").samples_in_mdat is True
    box = next(b for b in bmff.survey(tmp_path / "film.mp4").top if b.type == b"mdat")
    half = box.end - 16
    data[half : half + 8] = struct.pack(">I4s", box.end - half, b"free")
    data[box.start : box.start + 4] = struct.pack(">I", half - box.start)
    (tmp_path / "split.mp4").write_bytes(data)
    assert bmff.survey(tmp_path / "split.mp4").samples_in_mdat is False


@pytest.mark.parametrize("movflags", ["frag_keyframe+empty_moov", "frag_keyframe+empty_moov+default_base_moof"])
def test_fragments_are_looked_into(samples: Path, tmp_path: Path, movflags: str) -> None:
    import av

    path = tmp_path / "fragments.mp4"
    with av.open(str(samples / "a.mp4")) as src, av.open(str(path), "w", options={"movflags": movflags}) as out:
        stream = out.add_stream_from_template(src.streams.video[0])
        for packet in src.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert bmff.survey(path).samples_in_mdat is True
    data = bytearray(path.read_bytes())
    at = data.find(b"mdat")
    data[at : at + 4] = b"free"
    path.write_bytes(data)
    assert bmff.survey(path).samples_in_mdat is False


def test_a_tampered_part_taints_the_whole(
    samples: Path, tmp_path: Path, keys: Keys, trust: Trust, sealed: Seals
) -> None:
    part = sealed(samples / "a.wav", tmp_path / "part.wav").asset.path
    data = bytearray(part.read_bytes())
    data[data.find(b"data") + 200] ^= 1
    how = {"title": "part.wav", "relationship": "componentOf", "label": "p"}
    placed: list[dict[str, object]] = [
        {"action": "c2pa.created", "digitalSourceType": AI},
        {"action": "c2pa.placed", "parameters": {"ingredientIds": ["p"]}},
    ]
    out = tmp_path / "whole.png"
    said = library_seal(
        samples / "a.png", out, keys, trust, "image/png", actions=placed, ingredients=((how, "audio/wav", bytes(data)),)
    )
    assert said == "Trusted"
    report = check(out, trust)
    assert report.seal is Seal.TAINTED
    assert [(p.code, p.where) for p in report.problems] == [("ingredient.assertion.dataHash.mismatch", "part.wav")]
    deeper = sealed_by_library_with_parent(out, tmp_path / "deeper.png", keys, trust)
    assert check(deeper, trust).seal is Seal.TAINTED


def sealed_by_library_with_parent(parent: Path, out: Path, keys: Keys, trust: Trust) -> Path:
    opened = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}]
    how = {"title": parent.name, "relationship": "parentOf", "label": "p"}
    library_seal(
        parent, out, keys, trust, "image/png", actions=opened, ingredients=((how, "image/png", parent.read_bytes()),)
    )
    return out


def test_two_parents_are_refused_and_one_is_let_through(
    samples: Path, tmp_path: Path, keys: Keys, trust: Trust
) -> None:
    data = (samples / "a.png").read_bytes()
    opened = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["p0"]}}]
    out = tmp_path / "out.png"
    for count, seal in ((1, Seal.TRUSTED), (2, Seal.INVALID)):
        parents = tuple(
            ({"title": f"{n}", "relationship": "parentOf", "label": f"p{n}"}, "image/png", data) for n in range(count)
        )
        library_seal(samples / "a.png", out, keys, trust, "image/png", actions=opened, ingredients=parents)
        report = check(out, trust)
        assert report.seal is seal
        assert ("multipleParents" in codes(report)) is (count == 2)
    grandchild = check(sealed_by_library_with_parent(out, tmp_path / "grandchild.png", keys, trust), trust)
    assert (grandchild.seal, codes(grandchild)) == (Seal.TAINTED, ["ingredient.multipleParents"])


def test_a_film_hashed_piece_by_piece_is_let_through(
    samples: Path, tmp_path: Path, keys: Keys, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Merkle tree also leaves mdat out of the one hash, and covers it with others."""
    plain = c2pa.Context.from_dict

    def pieces(settings: dict[str, Any]) -> c2pa.Context:
        return plain({**settings, "core": {**settings["core"], "merkle_tree_chunk_size_in_kb": 1}})

    with monkeypatch.context() as patched:
        patched.setattr(c2pa.Context, "from_dict", pieces)
        assert library_seal(samples / "a.mp4", tmp_path / "o.mp4", keys, trust, "video/mp4") == "Trusted"
    with c2pa.Reader("video/mp4", BytesIO((tmp_path / "o.mp4").read_bytes()), context=context(trust)) as reader:
        assert '"merkle"' in reader.detailed_json()
    assert check(tmp_path / "o.mp4", trust).seal is Seal.TRUSTED


def test_a_root_for_time_stamps_does_not_vouch_for_a_signer(
    samples: Path, tmp_path: Path, keys: Keys, sealed: Seals
) -> None:
    path = sealed(samples / "a.png", tmp_path / "o.png").asset.path
    pem = keys.root_path.read_text("ascii")
    clock = TrustList("urn:x:clock", pem, Purpose.TSA)
    for lists, seal, uri in (
        ((clock,), Seal.VALID, None),
        ((clock, TrustList("urn:x:signers", pem)), Seal.TRUSTED, "urn:x:signers"),
        ((TrustList("urn:x:first", pem), TrustList("urn:x:second", pem)), Seal.TRUSTED, "urn:x:first"),
        ((), Seal.VALID, None),
    ) * 5:  # the library's own choice among lists differs from run to run
        report = check(path, Trust(lists))
        assert (report.seal, report.trust_list) == (seal, uri)
        assert ("signingCredential.untrusted" in codes(report)) is (uri is None)


def test_the_list_of_the_outermost_signer_is_the_one_reported(
    samples: Path, tmp_path: Path, home: Path, keys: Keys, trust: Trust, sealed: Seals
) -> None:
    studio = development(home)
    theirs = sign(
        samples / "a.png",
        tmp_path / "theirs.png",
        kind=AssetKind.IMAGE,
        identity=studio.identity("generator"),
        trust=studio.trust(),
        title="theirs",
        actions=(Action("created", source_type="trainedAlgorithmicMedia"),),
    )
    both = Trust((TrustList("urn:x:studio", studio.root_path.read_text("ascii")), *trust.lists))
    parent = Ingredient(theirs.asset.path, "parentOf", "parent")
    ours = sealed(samples / "a.png", tmp_path / "ours.png", Action("published"), ingredients=(parent,))
    assert (check(ours.asset.path, both).seal, check(ours.asset.path, both).trust_list) == (
        Seal.TRUSTED,
        "urn:dramagate:development",
    )
    assert check(theirs.asset.path, both).trust_list == "urn:x:studio"


def test_no_request_leaves_for_a_manifest_on_the_web(samples: Path, tmp_path: Path, keys: Keys, trust: Trust) -> None:
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/m.c2pa"
        library_seal(samples / "a.png", tmp_path / "o.png", keys, trust, "image/png", remote=url)
        report = check(tmp_path / "o.png", trust)
    finally:
        server.shutdown()
        server.server_close()
    assert (report.seal, codes(report), asked) == (Seal.ABSENT, ["remoteManifest"], [])
    assert url in report.problems[0].en


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("boxes.mp4", b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08free" * 100_000),
        (
            "nested.mp4",
            b"\0\0\0\x10ftypisom\0\0\0\0" + struct.pack(">I4s", 8 + 800_000, b"moov") + b"\0\0\0\x08free" * 100_000,
        ),
        ("boxes.bin", b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08free" * 100_000),
        ("chunks.wav", b"RIFF" + struct.pack("<I", 8_000_004) + b"WAVE" + b"abcd\0\0\0\0" * 1_000_000),
        ("blocks.gif", b"GIF89a\1\0\1\0\0\0\0" + b"\x21\xfe\x01a\0" * 700_000 + b";"),
    ],
)
def test_files_made_to_stall_a_parser_are_answered_quickly(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    started = time.process_time()
    report = check(tmp_path / name, Trust())
    assert time.process_time() - started < 2  # the library alone needs 25 s for the first of these
    assert (report.seal, codes(report)) == (Seal.ABSENT, ["file.tooManyBoxes"])


def test_a_film_of_many_fragments_is_still_read(tmp_path: Path, samples: Path) -> None:
    data = (samples / "a.mp4").read_bytes() + b"\0\0\0\x08free" * 12_000
    (tmp_path / "long.mp4").write_bytes(data)
    assert codes(check(tmp_path / "long.mp4", Trust())) == []


# --- damage


def _outside_the_manifest(path: Path) -> list[tuple[int, int]]:
    """Byte ranges the seal must protect: everything but the manifest itself, ftyp and free boxes."""
    data = path.read_bytes()
    if path.suffix == ".png":
        at = data.find(b"caBX") - 4
        return [(0, at), (at + 12 + struct.unpack(">I", data[at : at + 4])[0], len(data))]
    if path.suffix == ".wav":
        at = data.find(b"C2PA")
        return [(12, at), (at + 8 + struct.unpack("<I", data[at + 4 : at + 8])[0], len(data))]
    if path.suffix == ".mp4":
        return [(b.start, b.end) for b in bmff.survey(path).top if b.type in (b"moov", b"mdat")]
    return [(0, len(data))]


@pytest.mark.parametrize("suffix", ["png", "wav", "mp4", "json"])
def test_no_flipped_byte_stays_trusted(samples: Path, tmp_path: Path, trust: Trust, sealed: Seals, suffix: str) -> None:
    path = sealed(samples / f"a.{suffix}", tmp_path / f"o.{suffix}").asset.path
    good = path.read_bytes()
    places = [at for start, end in _outside_the_manifest(path) for at in range(start, end)]
    rng = random.Random(20261120)
    survived = []
    for at in rng.sample(places, min(60, len(places))):
        bad = bytearray(good)
        bad[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        if check(path, trust).seal is Seal.TRUSTED:
            survived.append(at)
    assert survived == []
    path.write_bytes(good)
    assert check(path, trust).seal is Seal.TRUSTED


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "mp4", "wav", "mp3", "flac", "m4a"])
def test_damage_anywhere_is_told_and_never_raised(
    samples: Path, tmp_path: Path, trust: Trust, sealed: Seals, suffix: str
) -> None:
    path = sealed(samples / f"a.{suffix}", tmp_path / f"o.{suffix}").asset.path
    good, rng = path.read_bytes(), random.Random(7)
    for _ in range(25):
        bad = bytearray(good)
        for _ in range(rng.choice([1, 8, 64])):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        if rng.random() < 0.3:
            del bad[rng.randrange(len(bad)) :]
        path.write_bytes(bad)
        report = check(path, trust)
        assert report.to_json()["seal"] in set(Seal)
        assert all(problem.zh and problem.en for problem in report.problems)


MAGICS = (
    b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1", b"\0\0\0\x10ftypisom", b"RIFF\xff\0\0\0WEBP", b"GIF89a",
    b"ID3\4\0\0", b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3", b"---\n", b"%PDF-",
)  # fmt: skip
SUFFIXES = ("", ".mp4", ".png", ".md", ".json", ".mkv", ".m4a", ".pdf", ".svg")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(MAGICS), st.sampled_from(SUFFIXES))
def test_any_bytes_get_an_answer(tmp_path: Path, noise: bytes, magic: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(magic + noise)
    report = check(path, Trust())
    assert report.seal in (Seal.ABSENT, Seal.INVALID)
    assert ProvenanceReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_an_empty_file_and_a_text_have_no_seal(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "script.txt").write_text("第一场")
    assert codes(check(tmp_path / "empty.mp4", Trust())) == ["file.empty"]
    assert check(tmp_path / "text.mp4", Trust()).seal is Seal.ABSENT
    assert check(tmp_path / "script.txt", Trust()) == replace(check(tmp_path / "empty.mp4", Trust()), problems=())


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "none.mp4", Trust())
    with pytest.raises(IsADirectoryError):
        check(tmp_path, Trust())
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(OSError, match="not a regular file"):
        check(tmp_path / "pipe.mp4", Trust())


def test_a_manifest_of_another_file_does_not_fit(samples: Path, tmp_path: Path, trust: Trust, sealed: Seals) -> None:
    one = sealed(samples / "a.txt", tmp_path / "one.txt")
    two = sealed(samples / "a.json", tmp_path / "two.json")
    assert one.sidecar
    assert two.sidecar
    assert check(one.asset.path, trust, sidecar=two.sidecar).seal is Seal.INVALID
    assert check(one.asset.path, trust, sidecar=one.sidecar).seal is Seal.TRUSTED
    one.sidecar.write_bytes(b"noise")
    report = check(one.asset.path, trust)
    assert report.seal is Seal.INVALID
    with pytest.raises(FileNotFoundError):
        check(one.asset.path, trust, sidecar=tmp_path / "none.c2pa")


def test_a_stray_sidecar_does_not_unseat_the_manifest_inside(
    samples: Path, tmp_path: Path, trust: Trust, sealed: Seals
) -> None:
    path = sealed(samples / "a.png", tmp_path / "o.png").asset.path
    (tmp_path / "o.png.c2pa").write_bytes(b"noise")
    assert check(path, trust).seal is Seal.TRUSTED


def test_a_suffix_does_not_hide_a_seal(samples: Path, tmp_path: Path, trust: Trust, sealed: Seals) -> None:
    path = sealed(samples / "a.mp4", tmp_path / "o.mp4").asset.path
    for name in ("o.txt", "o", "o.json", "o.mkv"):
        shutil.copyfile(path, tmp_path / name)
        assert check(tmp_path / name, trust).seal is Seal.TRUSTED


def test_a_seal_dies_with_its_certificate_and_says_so(
    samples: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = development(home)
    (made.folder / "generator.pem").unlink()
    monkeypatch.setattr(pki, "LEAF_DAYS", 1)  # backdated by a day, so over within seconds
    monkeypatch.setattr(pki, "RENEW_DAYS", 0)
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda _: ends), UTC=dt.UTC, timedelta=dt.timedelta)
    with monkeypatch.context() as patched:
        patched.setattr(pki, "dt", clock)
        pki._issue_leaf(made.folder, "generator")
    signed = sign(
        samples / "a.png",
        tmp_path / "o.png",
        kind=AssetKind.IMAGE,
        identity=made.identity("generator"),
        trust=made.trust(),
        title="short",
        actions=(Action("created", source_type="trainedAlgorithmicMedia"),),
    )
    assert check(signed.asset.path, made.trust()).seal is Seal.TRUSTED
    time.sleep(max(0, (ends - dt.datetime.now(dt.UTC)).total_seconds()) + 1.1)
    report = check(signed.asset.path, made.trust())
    assert report.seal is Seal.INVALID
    assert "signingCredential.expired" in codes(report)


def test_hostile_titles_are_flattened(samples: Path, tmp_path: Path, keys: Keys, trust: Trust) -> None:
    out = tmp_path / "o\u202e<script>\n.png"
    library_seal(samples / "a.png", out, keys, trust, "image/png")
    title = check(out, trust).chain[0].title
    assert title == "o <script> .png"


def test_a_report_survives_its_json(samples: Path, tmp_path: Path, trust: Trust, sealed: Seals) -> None:
    part = sealed(samples / "a.json", tmp_path / "p.json")
    whole = sealed(samples / "a.mp4", tmp_path / "o.mp4", ingredients=(Ingredient(part.asset.path, "inputTo", "p"),))
    report = check(whole.asset.path, trust)
    assert ProvenanceReport.from_json(json.loads(json.dumps(report.to_json()))) == report
