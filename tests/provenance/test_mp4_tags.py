"""A label among the tags of an M4A file: the sound, its place and every other tag stay."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import aigc, bmff, carriers, media, mp4_tags
from provenance.aigc import Label, LabelError

LABEL = Label.first("001191110102MACQD9K64010000", "ep01-0001")
SOUND = [bytes([n]) * 40 for n in range(1, 4)]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *numbers: int) -> bytes:
    return box(kind, bytes(4) + struct.pack(f">{len(numbers)}I", *numbers))


def moov(offsets: list[int], *after: bytes, wide: bool = False) -> bytes:
    """A track of three chunks of one sample of 40 bytes each, and whatever comes after it."""
    wider = box(b"co64", bytes(4) + struct.pack(">I3Q", 3, *offsets))
    table = wider if wide else full(b"stco", 3, *offsets)
    stbl = box(b"stbl", full(b"stsc", 1, 1, 1, 1) + full(b"stsz", 40, 3) + table)
    return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", stbl))) + b"".join(after))


def film(*after: bytes, wide: bool = False, front: bool = True, gap: bytes = b"") -> bytes:
    head, data = box(b"ftyp", b"M4A \0\0\0\0"), box(b"mdat", b"".join(SOUND))
    begin = len(head) + (len(moov([0, 0, 0], *after, wide=wide)) + len(gap) if front else 0) + 8
    tables = moov([begin, begin + 40, begin + 80], *after, wide=wide)
    return head + (tables + gap + data if front else data + gap + tables)


def chunks(data: bytes) -> list[bytes]:
    """What the chunk offsets of a file lead to."""
    at = max(data.find(b"stco"), data.find(b"co64"))
    form = ">3I" if data[at : at + 4] == b"stco" else ">3Q"
    return [data[start : start + 40] for start in struct.unpack_from(form, data, at + 12)]


def labelled(data: bytes, tmp_path: Path) -> bytes:
    src, dst = tmp_path / "a.m4a", BytesIO()
    src.write_bytes(data)
    top = mp4_tags.must_be_plain(bmff.survey(src))
    with src.open("rb") as file:
        mp4_tags.write(file, dst, top, "AIGC", "{}", lambda entry: entry.key != "AIGC")
    return dst.getvalue()


def item(name: bytes, text: bytes) -> bytes:
    mean = box(b"mean", b"\0\0\0\0com.apple.iTunes")
    return box(b"----", mean + box(b"name", bytes(4) + name) + box(b"data", b"\0\0\0\1\0\0\0\0" + text))


def tags(*items: bytes, between: bytes = b"", end: bytes = b"") -> bytes:
    handler = box(b"hdlr", b"\0" * 8 + b"mdirappl" + b"\0" * 9)
    return box(b"udta", box(b"meta", bytes(4) + handler + between + box(b"ilst", b"".join(items))) + end)


TITLE = box(b"\xa9nam", box(b"data", b"\0\0\0\1\0\0\0\0One"))
COVER = box(b"covr", box(b"data", b"\0\0\0\x0d\0\0\0\0" + bytes(range(256))))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("front", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), (tags(item(b"AIGC", b"{}")),)),
        ((box(b"udta", b"\0\0\0\0"),), (tags(item(b"AIGC", b"{}"), end=b"\0\0\0\0"),)),
        ((tags(TITLE, COVER),), (tags(TITLE, COVER, item(b"AIGC", b"{}")),)),
        (
            (tags(item(b"AIGC", b"old" * 99), COVER, item(b"X", b"y")),),
            (tags(COVER, item(b"X", b"y"), item(b"AIGC", b"{}")),),
        ),
        (
            (tags(TITLE, between=box(b"free", bytes(9)), end=box(b"name", b"n")),),
            (tags(TITLE, item(b"AIGC", b"{}"), between=box(b"free", bytes(9)), end=box(b"name", b"n")),),
        ),
    ],
    ids=["no tags", "only an end", "tags", "an old label", "padding"],
)  # fmt: skip
def test_one_item_comes_and_the_rest_of_the_file_stays(
    tmp_path: Path, wide: bool, front: bool, before: tuple[bytes, ...], after: tuple[bytes, ...]
) -> None:
    made = labelled(film(*before, wide=wide, front=front, gap=box(b"free", bytes(5))), tmp_path)
    assert made == film(*after, wide=wide, front=front, gap=box(b"free", bytes(5)))
    assert chunks(made) == SOUND


def test_of_two_lists_one_gets_the_item_and_both_lose_old_ones(tmp_path: Path) -> None:
    handler = box(b"hdlr", b"\0" * 8 + b"mdirappl" + b"\0" * 9)
    old, new = item(b"AIGC", b"old"), item(b"AIGC", b"{}")
    before = box(b"meta", bytes(4) + handler + box(b"ilst", old + TITLE) + box(b"ilst", COVER + old))
    after = box(b"meta", bytes(4) + handler + box(b"ilst", TITLE + new) + box(b"ilst", COVER))
    assert labelled(film(box(b"udta", before)), tmp_path) == film(box(b"udta", after))


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=50).map(lambda body: box(b"tag ", box(b"data", bytes(8) + body))), max_size=4))
def test_other_items_survive_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, items: list[bytes]) -> None:
    made = labelled(film(tags(*items, item(b"AIGC", b"x"))), tmp_path_factory.mktemp("m"))
    assert made == film(tags(*items, item(b"AIGC", b"{}")))


def test_what_tells_places_in_other_ways_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    for data, said in (
        (film() + box(b"moof", b""), "moof box"),
        (film() + box(b"meta", bytes(4)), "meta box"),
        (film() + film()[16:], "2 moov boxes"),
        (box(b"ftyp", b"M4A \0\0\0\0") + box(b"mdat", b"x"), "0 moov boxes"),
        (film()[:-1], "does not fit the file"),
        (film().replace(b"mdat", b"free"), "outside its mdat"),
        (film() + box(b"free", b"") * 30_000, "absurdly many"),
    ):
        path.write_bytes(data)
        with pytest.raises(bmff.Malformed, match=said):
            mp4_tags.must_be_plain(bmff.survey(path))
    saio = film().replace(b"stsc", b"saio", 1)
    with pytest.raises(bmff.Malformed, match="encrypted"):
        mp4_tags.write(BytesIO(saio), BytesIO(), bmff.Box(b"moov", 16, 24, saio.find(b"mdat") - 4), "A", "", bool)


def test_an_offset_that_no_longer_fits_is_refused() -> None:
    data = box(b"ftyp", b"M4A \0\0\0\0") + moov([0xFFFFFFF0, 0xFFFFFFF1, 0xFFFFFFF2])
    with pytest.raises(bmff.Malformed, match="4 GiB"):
        mp4_tags.write(BytesIO(data), BytesIO(), bmff.Box(b"moov", 16, 24, len(data)), "A", "", bool)


def test_a_table_that_promises_too_much_is_refused() -> None:
    stray = box(b"stbl", full(b"stco", 0xFFFFFFFF))
    data = box(b"ftyp", b"M4A \0\0\0\0") + moov([0, 0, 0], stray)
    with pytest.raises(bmff.Malformed, match="promises 4294967295 entries"):
        mp4_tags.write(BytesIO(data), BytesIO(), bmff.Box(b"moov", 16, 24, len(data)), "A", "", bool)


def test_a_recording_in_fragments_is_laid_out_anew(samples: Path, tmp_path: Path) -> None:
    pieces = tmp_path / "pieces.m4a"
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "100000"}
    with av.open(str(samples / "a.m4a")) as src, av.open(str(pieces), "w", format="ipod", options=options) as dst:
        out = dst.add_stream_from_template(src.streams[0])
        for packet in src.demux():
            if packet.dts is not None:
                packet.stream = out
                dst.mux(packet)
    assert b"moof" in pieces.read_bytes()
    aigc.write(pieces, tmp_path / "out.m4a", LABEL)
    assert [(one.carrier, one.fields) for one in aigc.read(tmp_path / "out.m4a")] == [
        ("m4a:moov/udta/meta/ilst/----", LABEL.fields())
    ]
    assert media.essence(tmp_path / "out.m4a") == media.essence(pieces)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.m4a", "pieces.m4a"]


def test_a_recording_with_its_tables_in_front_still_plays_the_same(samples: Path, tmp_path: Path) -> None:
    media.remux(samples / "a.m4a", tmp_path / "front.m4a", metadata={"AIGC": "{}", "title": "One"})
    data = (tmp_path / "front.m4a").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    aigc.write(tmp_path / "front.m4a", tmp_path / "out.m4a", LABEL)
    assert np.array_equal(media.sound(tmp_path / "out.m4a", 48_000), media.sound(samples / "a.m4a", 48_000))
    texts = {entry.key: entry.value for entry in carriers.entries(tmp_path / "out.m4a")}
    assert (texts["title"], texts["AIGC"]) == ("One", LABEL.to_json())
    assert len(aigc.read(tmp_path / "out.m4a")) == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_wrong_bytes_are_no_trouble(tmp_path_factory: pytest.TempPathFactory, hits: list[tuple[int, int]]) -> None:
    folder = tmp_path_factory.mktemp("m")
    data = bytearray(film(tags(TITLE, COVER)))
    for at, byte in hits:
        data[at % len(data)] = byte
    (folder / "a.m4a").write_bytes(data)
    carriers.entries(folder / "a.m4a")
    with pytest.raises(LabelError):  # none of them is a recording that plays
        aigc.write(folder / "a.m4a", folder / "b.m4a", LABEL)
