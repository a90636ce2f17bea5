"""Vorbis comments in FLAC and Ogg: what stays beside a label, and what no broken file may do to us."""

from __future__ import annotations

import struct
import time
import tracemalloc
from io import BytesIO
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import aigc, carriers, media, vorbis
from provenance.aigc import Label, LabelError

LABEL = Label.first("001191110102MACQD9K64010000", "ep01-0001")


def comments(*items: str, vendor: bytes = b"them", count: int | None = None, tail: bytes = b"") -> bytes:
    raw = [item.encode() for item in items]
    head = struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(raw) if count is None else count)
    return head + b"".join(struct.pack("<I", len(item)) + item for item in raw) + tail


def block(kind: int, body: bytes, *, last: bool = False) -> bytes:
    return bytes([kind | 0x80 * last]) + len(body).to_bytes(3, "big") + body


def flac(*blocks: tuple[int, bytes]) -> bytes:
    made = [block(kind, body, last=n == len(blocks) - 1) for n, (kind, body) in enumerate(blocks)]
    return b"fLaC" + b"".join(made) + b"\xff\xf8sound"


def _crc_of(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


CRC = [_crc_of(byte) for byte in range(256)]


def crc(page: bytes) -> int:
    """Ogg's checksum as RFC 3533 defines it, byte by byte."""
    value = 0
    for byte in page:
        value = value << 8 & 0xFFFFFFFF ^ CRC[value >> 24 ^ byte]
    return value


def page(number: int, lacing: bytes, body: bytes, *, flags: int = 0, granule: int = 0, serial: int = 7) -> bytes:
    head = struct.pack("<4sBBQIIIB", b"OggS", 0, flags, granule, serial, number, 0, len(lacing)) + lacing
    return head[:22] + struct.pack("<I", crc(head + body)) + head[26:] + body


def laced(packet: bytes) -> bytes:
    return b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])


def paged(packet: bytes, *, widest: int = 255) -> list[bytes]:
    """A packet on pages of at most `widest` pieces, the first of them page 1."""
    pieces, made = laced(packet), list[bytes]()
    for at in range(0, len(pieces), widest):
        here = pieces[at : at + widest]
        body = packet[at * 255 : at * 255 + sum(here)]
        granule = 0 if here[-1] < 255 else 2**64 - 1
        made.append(page(1 + len(made), here, body, flags=bool(at), granule=granule))
    return made


OGG_HEAD = page(0, b"\x13", b"OpusHead\1\1" + bytes(9), flags=2)


def opus(body: bytes, *, widest: int = 255) -> tuple[list[bytes], list[bytes]]:
    """Pages of headers, and three of sound."""
    headers = [OGG_HEAD, *paged(b"OpusTags" + body, widest=widest)]
    return headers, [page(len(headers) + n, b"\5", b"sound", flags=4 * (n == 2), granule=960 * n) for n in range(3)]


class Leaf(NamedTuple):
    number: int
    granule: int
    flags: int
    fits: bool
    """Whether the checksum does."""
    lacing: bytes
    body: bytes


def split(data: bytes) -> list[Leaf]:
    """Every page."""
    found, at = list[Leaf](), 0
    while at < len(data):
        flags, granule, _, number, check, count = struct.unpack_from("<BQIIIB", data, at + 5)
        lacing = data[at + 27 : at + 27 + count]
        end = at + 27 + count + sum(lacing)
        plain = data[at : at + 22] + bytes(4) + data[at + 26 : end]
        found.append(Leaf(number, granule, flags, crc(plain) == check, lacing, data[at + 27 + count : end]))
        at = end
    return found


def read(data: bytes, kind: str) -> list[tuple[str, str]]:
    found = vorbis.flac_comments(BytesIO(data)) if kind == "flac" else vorbis.ogg_comments(BytesIO(data))
    return [pair for one in found for pair in one.pairs()]


def write(data: bytes, kind: str, added: str = "AIGC={}", dropped: str = "AIGC") -> bytes:
    out = BytesIO()
    writer = vorbis.write_flac if kind == "flac" else vorbis.write_ogg
    writer(BytesIO(data), out, lambda key, _: key != dropped, added)
    return out.getvalue()


INFO = (0, bytes(34))
ITEMS = st.lists(st.text(max_size=40).map(lambda text: "K=" + text), max_size=5)


@given(
    ITEMS, st.lists(st.tuples(st.sampled_from([1, 2, 3, 5, 6, 126]), st.binary(max_size=300)), max_size=4), st.data()
)
def test_every_other_flac_block_survives_byte_for_byte(
    items: list[str], blocks: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(blocks)))
    own = (4, comments(*items, "AIGC=old", tail=b"tail"))
    made = flac(INFO, *blocks[:at], own, *blocks[at:])
    fresh = (4, comments(*items, "AIGC={}", tail=b"tail"))
    assert write(made, "flac") == flac(INFO, *blocks[:at], fresh, *blocks[at:])
    assert write(flac(INFO, *blocks), "flac") == flac(INFO, (4, comments("AIGC={}", vendor=b"dramagate")), *blocks)


def test_a_tag_before_flac_and_a_second_list_are_kept_in_order() -> None:
    tag = b"ID3\4\0\0\0\0\0\5xxxxx"
    made = tag + flac(INFO, (4, comments("A=1", "AIGC=x")), (4, comments("AIGC=y", "B=2")))
    assert read(made, "flac") == [("A", "1"), ("AIGC", "x"), ("AIGC", "y"), ("B", "2")]
    assert write(made, "flac") == tag + flac(INFO, (4, comments("A=1", "AIGC={}")), (4, comments("B=2")))


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 140_000).map(lambda n: "K=" + "x" * n), max_size=2),
    st.integers(0, 140_000),
    st.binary(max_size=20),
)
def test_ogg_sound_survives_whatever_the_length_of_the_comments(items: list[str], old: int, tail: bytes) -> None:
    pages, sound = opus(comments(*items, "AIGC=" + "o" * old, tail=tail), widest=200)
    fresh = write(b"".join(pages + sound), "ogg")
    found = split(fresh)
    assert [leaf.number for leaf in found] == list(range(len(found)))
    assert all(leaf.fits for leaf in found)
    assert [(leaf.granule, leaf.body) for leaf in found[-3:]] == [(960 * n, b"sound") for n in range(3)]
    for before, leaf in pairwise(found[1:-3]):
        assert (leaf.flags & 1, before.granule) == ((1, 2**64 - 1) if before.lacing[-1] == 255 else (0, 0))
    assert found[-4].granule == 0
    assert b"".join(leaf.body for leaf in found[1:-3]) == b"OpusTags" + comments(*items, "AIGC={}", tail=tail)
    assert read(fresh, "ogg") == [("K", item[2:]) for item in items] + [("AIGC", "{}")]
    if len(found) == len(pages) + 3:
        assert fresh.endswith(b"".join(sound))


def test_only_pages_of_its_own_stream_get_new_numbers() -> None:
    headers, sound = opus(comments("A=1"))
    other, second = page(0, b"\4", b"Skel", flags=2, serial=9), page(1, b"\3", b"ske", serial=9)
    again = b"".join(chain(*opus(comments("A=2"))))
    made = headers[0] + other + headers[1] + sound[0] + second + b"".join(sound[1:]) + again
    fresh = write(made, "ogg", "AIGC=" + "x" * 70_000)
    assert fresh.endswith(again)
    assert fresh.count(second) == 1
    found = split(fresh.removesuffix(again))
    assert [leaf.number for leaf in found] == [0, 0, 1, 2, 3, 1, 4, 5]
    assert all(leaf.fits for leaf in found)


def test_a_stream_that_ends_with_its_headers_still_ends() -> None:
    words = b"OpusTags" + comments("A=1")
    again = b"".join(chain(*opus(comments("A=2"))))
    fresh = write(OGG_HEAD + page(1, laced(words), words, flags=4) + again, "ogg", "AIGC=" + "x" * 70_000)
    assert fresh.endswith(again)
    assert [leaf.flags for leaf in split(fresh.removesuffix(again))] == [2, 0, 5]


def test_vorbis_keeps_its_setup_packet_and_pages_of_other_streams() -> None:
    words, setup = b"\x03vorbis" + comments("AIGC=x", tail=b"\1"), b"\x05vorbis" + bytes(500)
    other = page(0, b"\4", b"Skel", flags=2, serial=9)
    between = page(1, b"\3", b"ske", serial=9)
    first = page(0, b"\x1e", b"\x01vorbis" + bytes(23), flags=2)
    half = len(setup) - 255
    headers = [
        page(1, laced(words) + b"\xff", words + setup[:255]),
        page(2, laced(setup[255:]), setup[255:], flags=1),
    ]
    sound = page(3, b"\5", b"sound", flags=4, granule=10)
    made = first + other + headers[0] + between + headers[1] + sound
    fresh = write(made, "ogg", "AIGC=longer")
    new = b"\x03vorbis" + comments("AIGC=longer", tail=b"\1")
    assert half < 255
    assert [leaf.body for leaf in split(fresh)] == [
        b"\x01vorbis" + bytes(23), b"Skel", (new + setup)[: len(new) + 255], setup[255:], b"ske", b"sound",
    ]  # fmt: skip
    assert all(leaf.fits for leaf in split(fresh))
    assert fresh.startswith(first + other)
    assert fresh.endswith(between + sound)


def test_flac_in_ogg_keeps_its_block_header() -> None:
    first = page(0, b"\x33", b"\x7fFLAC\1\0\0\1fLaC" + block(0, bytes(34)), flags=2)
    words = block(4, comments("AIGC=x", "T=1"), last=True)
    made = first + page(1, laced(words), words) + page(2, b"\5", b"sound", flags=4)
    fresh = write(made, "ogg")
    new = block(4, comments("T=1", "AIGC={}"), last=True)
    assert fresh == first + page(1, laced(new), new) + page(2, b"\5", b"sound", flags=4)


BROKEN_LISTS = {
    "giant count": comments("A=1", count=0xFFFFFFFF),
    "giant vendor": struct.pack("<I", 0xFFFFFFFF) + b"x",
    "giant comment": comments("A=1", count=2) + struct.pack("<I", 0xFFFFFFFF) + b"x",
    "cut": b"\1\0",
    "too many": comments(*[""] * (vorbis.MAX_COMMENTS + 1)),
}


@pytest.mark.parametrize("kind", ["flac", "ogg"])
@pytest.mark.parametrize("name", BROKEN_LISTS)
def test_a_broken_list_is_read_as_far_as_it_goes_and_never_written_anew(tmp_path: Path, name: str, kind: str) -> None:
    body = BROKEN_LISTS[name]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(flac(INFO, (4, body)) if kind == "flac" else b"".join(chain(*opus(body))))
    started = time.monotonic()
    tracemalloc.start()
    found = carriers.entries(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {(entry.key, entry.value) for entry in found} <= {("A", "1"), ("", "")}
    with pytest.raises(LabelError, match="export it again"):
        aigc.write(path, tmp_path / f"b.{kind}", LABEL)
    assert time.monotonic() - started < 10
    assert peak < 100 << 20
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


TAGS = b"OpusTags" + comments("A=1")
BROKEN_OGG = {
    "headers break off": (OGG_HEAD + page(1, b"\xff" * 3, TAGS.ljust(765, b"\0"), granule=2**64 - 1), "break off"),
    "only a beginning": (OGG_HEAD, "break off"),
    "another packet": (OGG_HEAD + page(1, b"\4", b"what"), "second packet holds no comments"),
    "sound among headers": (OGG_HEAD + page(1, laced(TAGS) + b"\4", TAGS + b"what", granule=960), "sound begins"),
    "continued from nothing": (OGG_HEAD + page(1, laced(TAGS), TAGS, flags=1), "never began"),
    "pictures only": (page(0, b"\7", b"\x80theora", flags=2) + page(1, b"\1", b"x"), "no Vorbis, Opus or FLAC"),
    "no stream begins": (page(1, laced(TAGS), TAGS), "no Vorbis, Opus or FLAC"),
    "noise": (b"OggS" + bytes(range(200)), "no Vorbis, Opus or FLAC"),
    "endless header": (b"".join([OGG_HEAD, *paged(TAGS + bytes(200_000))[:-1]]), "break off"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_OGG)
def test_a_broken_ogg_file_is_told(name: str) -> None:
    data, said = BROKEN_OGG[name]
    assert read(data, "ogg") in ([], [("A", "1")])
    with pytest.raises(vorbis.Malformed, match=said):
        write(data, "ogg")


def test_noise_behind_the_headers_matters_only_where_pages_get_new_numbers() -> None:
    data = b"".join(opus(comments("A=1", tail=bytes(66_000)))[0]) + b"noise" * 9
    assert write(data, "ogg").endswith(b"noise" * 9)
    with pytest.raises(vorbis.Malformed, match="are no Ogg page"):
        write(data, "ogg", "AIGC=" + "x" * 70_000)


def test_an_endless_header_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vorbis, "MAX_PACKET_BYTES", 100_000)
    data, _ = BROKEN_OGG["endless header"]
    with pytest.raises(vorbis.Malformed, match="exceed"):
        write(data, "ogg")
    monkeypatch.setattr(vorbis, "MAX_HEADER_PAGES", 2)
    with pytest.raises(vorbis.Malformed, match="break off"):
        write(data, "ogg")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"fLaC" + block(0, bytes(34)), "break off"),
        (b"fLaC" + block(0, bytes(34)) + b"\x84\xff\xff\xffxx", "break off"),
        (b"fLaC", "break off"),
        (b"what", "break off"),
        (flac((4, comments("A=1"))), "first FLAC block"),
    ],
)
def test_broken_flac_is_told(data: bytes, said: str) -> None:
    assert read(data, "flac") in ([], [("A", "1")])
    with pytest.raises(vorbis.Malformed, match=said):
        write(data, "flac")


def test_comments_that_fill_a_flac_block_are_not_cut() -> None:
    made = flac(INFO, (4, comments("A=" + "x" * ((1 << 24) - 40))))
    assert len(write(made, "flac", "B=2")) > 1 << 24
    with pytest.raises(vorbis.Malformed, match="16 MiB"):
        write(made, "flac", "B=" + "x" * 40)


@pytest.mark.parametrize("suffix", ["flac", "ogg"])
@given(hits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_wrong_bytes_are_no_trouble(suffix: str, hits: list[tuple[int, int]]) -> None:
    data = bytearray(
        flac(INFO, (4, comments("A=1", "B=2"))) if suffix == "flac" else b"".join(chain(*opus(comments("A=1", "B=2"))))
    )
    for at, byte in hits:
        data[at % len(data)] = byte
    before = read(bytes(data), suffix)
    try:
        fresh = write(bytes(data), suffix)
    except vorbis.Malformed:
        return
    assert read(fresh, suffix)[: len(before) + 1] == [p for p in before if p[0] != "AIGC"] + [("AIGC", "{}")]


@pytest.mark.corpus
def test_real_recordings_keep_their_sound_and_their_comments(corpus: Path, tmp_path: Path) -> None:
    paths = sorted((corpus / "audio").glob("*.ogg"))
    assert paths
    for path in paths:
        out = tmp_path / path.name
        aigc.write(path, out, LABEL)
        assert media.essence(out) == media.essence(path)
        before, after = carriers.entries(path), carriers.entries(out)
        assert after == (*before, carriers.Entry("ogg:comment", "AIGC", LABEL.to_json()))
