"""The implicit AIGC label: written to the standard's place, read from every place seen in the wild."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from provenance import aigc, carriers, media
from provenance.aigc import KEYS, Label, LabelError

LABEL = Label.first("001191110102MACQD9K64010000", "ep01-0001")
OTHER = LABEL.propagated("001191110102MACQD9K64020000", "pub-7", reserved_code2="sig")
PLACES = {
    "png": "png:xmp",
    "jpg": "jpeg:xmp",
    "webp": "webp:xmp",
    "gif": "gif:xmp",
    "mp4": "mp4:moov/udta/meta/keys",
    "mov": "mov:moov/udta/meta/keys",
    "webm": "webm:SimpleTag",
    "m4a": "m4a:moov/udta/meta/ilst/----",
    "wav": "wav:AIGC",
    "mp3": "mp3:TXXX",
    "flac": "flac:comment",
    "ogg": "ogg:comment",
    "md": "md:front-matter",
    "json": "sidecar:aigc.json",
    "txt": "sidecar:aigc.json",
    "fountain": "sidecar:aigc.json",
    "srt": "sidecar:aigc.json",
}


@pytest.mark.parametrize(("suffix", "place"), PLACES.items())
def test_a_label_is_written_to_its_place_and_replaced_there(
    samples: Path, tmp_path: Path, suffix: str, place: str
) -> None:
    src, first, second = samples / f"a.{suffix}", tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
    before = src.read_bytes()
    assert aigc.read(src) == ()
    aigc.write(src, first, LABEL)
    aigc.write(first, second, OTHER)
    for path, label in ((first, LABEL), (second, OTHER)):
        (found,) = aigc.read(path)
        assert (found.fields, found.carrier, found.conforming, found.copies) == (label.fields(), place, True, 1)
    assert src.read_bytes() == before


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_pixels_stay_bit_for_bit(samples: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"o.{suffix}"
    aigc.write(samples / f"a.{suffix}", out, LABEL)
    with Image.open(samples / f"a.{suffix}") as before, Image.open(out) as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "webm", "m4a", "wav", "mp3", "flac", "ogg"])
def test_samples_stay_bit_for_bit(samples: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"o.{suffix}"
    aigc.write(samples / f"a.{suffix}", out, LABEL)
    assert media.essence(out) == media.essence(samples / f"a.{suffix}")


def test_a_simple_webp_becomes_an_extended_one(tmp_path: Path) -> None:
    for lossless in (True, False):
        Image.new("RGB", (37, 21), (9, 8, 7)).save(tmp_path / "s.webp", lossless=lossless)
        aigc.write(tmp_path / "s.webp", tmp_path / "o.webp", LABEL)
        with Image.open(tmp_path / "o.webp") as picture:
            assert picture.size == (37, 21)
            assert picture.convert("RGB").getpixel((5, 5)) == Image.open(tmp_path / "s.webp").convert("RGB").getpixel(
                (5, 5)
            )


def test_other_metadata_is_kept(tmp_path: Path) -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:T="http://www.tc260.org.cn/ns/AIGC/1.0/"'
        ' T:AIGC="old"><dc:format>image/png</dc:format></rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    for name in ("s.png", "s.jpg", "s.webp"):
        Image.new("RGB", (8, 8)).save(tmp_path / name, xmp=b"" if name == "s.png" else packet.encode())
        if name == "s.png":
            data = (tmp_path / name).read_bytes()
            chunk = _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet.encode())
            (tmp_path / name).write_bytes(data[:33] + chunk + data[33:])
        assert [one.conforming for one in aigc.read(tmp_path / name)] == [False]
        out = tmp_path / f"o-{name}"
        aigc.write(tmp_path / name, out, LABEL)
        texts = [(entry.key.rsplit("}", 1)[-1], entry.value) for entry in carriers.entries(out)]
        assert ("format", "image/png") in texts
        assert [one.fields for one in aigc.read(out)] == [LABEL.fields()]


def test_front_matter_keeps_its_other_fields(tmp_path: Path) -> None:
    source = tmp_path / "s.md"
    source.write_text("---\ntitle: 一\nAIGC:\n  Label: 1\n  Junk: x\ntags: [a]\n---\n\nText\n", "utf-8")
    assert [one.conforming for one in aigc.read(source)] == [False]
    aigc.write(source, tmp_path / "o.md", LABEL)
    text = (tmp_path / "o.md").read_text("utf-8")
    assert text.endswith("title: 一\ntags: [a]\n---\n\nText\n")
    assert text.count("AIGC") == 1
    assert [one.fields for one in aigc.read(tmp_path / "o.md")] == [LABEL.fields()]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


JS = LABEL.to_json()
WRAPPED = json.dumps({"AIGC": LABEL.fields()})


def _exif(tag: int, text: bytes) -> bytes:
    entry = struct.pack("<HHII", tag, 7, len(text), 26)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + b"\0\0\0\0" + text


def _png_with(*chunks: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return carriers.PNG_MAGIC + head + b"".join(chunks) + _chunk(b"IDAT", zlib.compress(b"\0\0")) + _chunk(b"IEND", b"")


def _jpeg_with(marker: int, body: bytes) -> bytes:
    return b"\xff\xd8" + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + b"\xff\xda\0\2\xff\xd9"


def _moov(inner: bytes) -> bytes:
    return _box(b"ftyp", b"isom\0\0\0\0") + _box(b"moov", inner)


def _keys_meta(form: str) -> bytes:
    handler = _box(b"hdlr", b"\0" * 8 + b"mdta" + b"\0" * 13)
    key = struct.pack(">I4s", 12, b"mdta") + b"AIGC"
    item = _box(b"\0\0\0\1", _box(b"data", b"\0\0\0\1\0\0\0\0" + JS.encode()))
    inner = handler + _box(b"keys", struct.pack(">II", 0, 1) + key) + _box(b"ilst", item)
    return _box(b"meta", inner if form == "qt" else b"\0\0\0\0" + inner)


COMMENT = b"ASCII\0\0\0" + WRAPPED.encode()


def _itunes(item: bytes) -> bytes:
    return _moov(_box(b"udta", _box(b"meta", b"\0\0\0\0" + _box(b"ilst", item))))


def _data(text: str) -> bytes:
    return _box(b"data", b"\0\0\0\1\0\0\0\0" + text.encode())


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description xmlns:TC260="{aigc.NAMESPACE}" TC260:AIGC="{JS.replace(chr(34), "&quot;")}"/>'
    "</rdf:RDF></x:xmpmeta>"
).encode()
WILD = {
    "png bare tEXt": ("png", _png_with(_chunk(b"tEXt", b"AIGC\0" + JS.encode())), "png:tEXt"),
    "png wrapped tEXt": ("png", _png_with(_chunk(b"tEXt", b"AIGC\0" + WRAPPED.encode())), "png:tEXt"),
    "png zTXt": ("png", _png_with(_chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(JS.encode()))), "png:zTXt"),
    "png xmp attribute": ("png", _png_with(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)), "png:xmp"),
    "png exif": ("png", _png_with(_chunk(b"eXIf", _exif(0x9286, COMMENT))), "png:exif"),
    "jpeg user comment": ("jpg", _jpeg_with(0xE1, b"Exif\0\0" + _exif(0x9286, COMMENT)), "jpeg:exif"),
    "jpeg description": ("jpg", _jpeg_with(0xE1, b"Exif\0\0" + _exif(0x010E, WRAPPED.encode())), "jpeg:exif"),
    "jpeg near jfif": ("jpg", _jpeg_with(0xE0, b"AIGC" + JS.encode()), "jpeg:app0"),
    "jpeg comment": ("jpg", _jpeg_with(0xFE, WRAPPED.encode()), "jpeg:comment"),
    "mp4 moov/meta": ("mp4", _moov(_keys_meta("iso")), "mp4:moov/meta/keys"),
    "mov moov/meta": ("mov", _box(b"ftyp", b"qt  \0\0\0\0") + _box(b"moov", _keys_meta("qt")), "mov:moov/meta/keys"),
    "mp4 udta keys": ("mp4", _moov(_box(b"udta", _keys_meta("iso"))), "mp4:moov/udta/meta/keys"),
    "mp4 freeform": (
        "mp4",
        _itunes(_box(b"----", _box(b"mean", b"\0\0\0\0com.apple.iTunes") + _box(b"name", b"\0\0\0\0AIGC") + _data(JS))),
        "mp4:moov/udta/meta/ilst/----",
    ),
    "mp4 xmp": ("mp4", _moov(b"") + _box(b"uuid", carriers.XMP_UUID + XMP), "mp4:uuid/xmp"),
    "mp4 comment": ("mp4", _itunes(_box(b"\xa9cmt", _data(WRAPPED))), "mp4:moov/udta/meta/ilst"),
    "wav info": (
        "wav",
        b"RIFF" + struct.pack("<I", 4 + 8 + 4 + 8 + len(JS) + len(JS) % 2) + b"WAVE"
        + b"LIST" + struct.pack("<I", 4 + 8 + len(JS) + len(JS) % 2) + b"INFOAIGC" + struct.pack("<I", len(JS))
        + JS.encode() + b"\0" * (len(JS) % 2),
        "wav:LIST/INFO",
    ),
    "md flow": ("md", f"---\nAIGC: {JS}\n---\ntext".encode(), "md:front-matter"),
}  # fmt: skip


@pytest.mark.parametrize("name", WILD)
def test_labels_seen_in_the_wild_are_read(tmp_path: Path, name: str) -> None:
    suffix, content, place = WILD[name]
    (tmp_path / f"w.{suffix}").write_bytes(content)
    assert [(one.carrier, one.fields, one.conforming) for one in aigc.read(tmp_path / f"w.{suffix}")] == [
        (place, LABEL.fields(), True)
    ]


@pytest.mark.parametrize(
    "name",
    [
        "png bare tEXt",
        "png zTXt",
        "png exif",
        "jpeg user comment",
        "jpeg description",
        "jpeg near jfif",
        "jpeg comment",
    ],
)
def test_a_label_in_an_odd_place_is_moved_to_the_right_one(tmp_path: Path, name: str) -> None:
    suffix, content, _ = WILD[name]
    (tmp_path / f"w.{suffix}").write_bytes(content)
    aigc.write(tmp_path / f"w.{suffix}", tmp_path / f"o.{suffix}", OTHER)
    assert [(one.carrier, one.fields) for one in aigc.read(tmp_path / f"o.{suffix}")] == [
        (PLACES[suffix], OTHER.fields())
    ]


def test_two_labels_are_not_conforming_and_are_counted(tmp_path: Path) -> None:
    twice = _png_with(_chunk(b"tEXt", b"AIGC\0" + JS.encode()), _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    (tmp_path / "w.png").write_bytes(twice)
    assert [(one.copies, one.conforming) for one in aigc.read(tmp_path / "w.png")] == [(2, False), (2, False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Label":1}', {"Label": "1"}),
        ('{"ServiceProvider":"x"}', {"ServiceProvider": "x"}),
        ("not json", {"": "not json"}),
        (JS.replace("ep01-0001", "第一集"), {**LABEL.fields(), "ProduceID": "第一集", "PropagateID": "第一集"}),
        (JS[:-1] + ',"Extra":"1"}', {**LABEL.fields(), "Extra": "1"}),
    ],
)
def test_a_broken_label_is_shown_as_found(tmp_path: Path, text: str, said: dict[str, str]) -> None:
    (tmp_path / "w.png").write_bytes(_png_with(_chunk(b"iTXt", b"AIGC\0\0\0\0\0" + text.encode())))
    (found,) = aigc.read(tmp_path / "w.png")
    assert (found.conforming, found.fields) == (False, said)


def test_words_about_labels_are_not_labels(tmp_path: Path) -> None:
    (tmp_path / "w.png").write_bytes(_png_with(_chunk(b"tEXt", b"Comment\0what is an AIGC label?")))
    (tmp_path / "w.md").write_text("# AIGC: rules\nAIGC: {}\n")
    assert aigc.read(tmp_path / "w.png") == ()
    assert aigc.read(tmp_path / "w.md") == ()


def test_a_hostile_packet_is_not_expanded(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + XMP
    (tmp_path / "w.png").write_bytes(_png_with(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + bomb)))
    assert aigc.read(tmp_path / "w.png") == ()
    with pytest.raises(LabelError, match="XMP packet"):
        aigc.write(tmp_path / "w.png", tmp_path / "o.png", LABEL)
    squeezed = zlib.compress(b" " * (64 << 20))
    (tmp_path / "z.png").write_bytes(_png_with(_chunk(b"zTXt", b"AIGC\0\0" + squeezed)))
    assert aigc.read(tmp_path / "z.png") == ()


def test_many_packed_texts_cannot_fill_the_memory(tmp_path: Path) -> None:
    squeezed = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b" " * (7 << 20)))
    (tmp_path / "w.png").write_bytes(_png_with(*[squeezed] * 100))
    assert sum(len(entry.value) for entry in carriers.entries(tmp_path / "w.png")) <= carriers.MAX_TOTAL_CHARS + (
        7 << 20
    )
    assert aigc.read(tmp_path / "w.png") == ()


@given(st.text(max_size=12))
def test_values_are_what_the_standard_allows(value: str) -> None:
    allowed = all(ord(c) == 0x21 or 0x23 <= ord(c) <= 0x5B or 0x5D <= ord(c) <= 0x7E for c in value)
    if allowed and value:
        label = Label.first("P", value)
        assert Label.of(json.loads(label.to_json())) == label
        assert label.fields()["PropagateID"] == value
    else:
        with pytest.raises(LabelError, match="ProduceID"):
            Label.first("P", value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Label": "4"}, 'must be "1"'),
        ({"Label": 1}, "must be text"),
        ({"Name": "x"}, "'Name' is not a field"),
        ({"ContentProducer": "x" * 2000}, "longer than"),
        ({"ContentProducer": ""}, "is empty"),
    ],
)
def test_labels_that_break_a_rule_cannot_be_made(change: dict[str, object], said: str) -> None:
    with pytest.raises(LabelError, match=said):
        Label.of({**LABEL.fields(), **change})
    with pytest.raises(LabelError, match="ReservedCode2 is missing"):
        Label.of({key: value for key, value in LABEL.fields().items() if key != "ReservedCode2"})
    assert tuple(LABEL.fields()) == KEYS


def test_what_cannot_carry_a_label_is_told(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\1\2\3")
    with pytest.raises(LabelError, match="known are"):
        aigc.write(tmp_path / "x.bin", tmp_path / "o.bin", LABEL)
    shutil.copyfile(samples / "a.png", tmp_path / "a.png")
    with pytest.raises(LabelError, match="would be overwritten"):
        aigc.write(tmp_path / "a.png", tmp_path / "a.png", LABEL)
    for suffix in ("png", "jpg", "webp", "wav", "mp4", "m4a", "flac"):
        data = (samples / f"a.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
    for suffix in ("png", "wav", "mp4"):
        with pytest.raises((LabelError, media.Unusable)):
            aigc.write(tmp_path / f"cut.{suffix}", tmp_path / f"o.{suffix}", LABEL)
        assert not (tmp_path / f"o.{suffix}").exists()
