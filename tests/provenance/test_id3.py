"""ID3 tags: what is in them, what stays of them beside a label, and what no broken one may do to us."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provenance import aigc, carriers, id3
from provenance.aigc import Label, LabelError

LABEL = Label.first("001191110102MACQD9K64010000", "ep01-0001")
OTHER = Label.first("001191110102MACQD9K64010000", "ep01-0002")
SOUND = b"\xff\xfb\x90\x64" + bytes(413)
"""One silent MPEG frame: 128 kbit/s, 44.1 kHz."""


def seven(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def frame(version: int, name: str, body: bytes, flags: int = 0, *, plain: bool = False) -> bytes:
    if version == 2:
        return name.encode() + len(body).to_bytes(3, "big") + body
    size = struct.pack(">I", len(body)) if version == 3 or plain else seven(len(body))
    return name.encode() + size + struct.pack(">H", flags) + body


def tag(version: int, body: bytes, flags: int = 0, *, size: bytes | None = None) -> bytes:
    return b"ID3" + bytes([version, 0, flags]) + (size or seven(len(body))) + body


def texts(data: bytes) -> list[tuple[str, str, str]]:
    found = id3.read(BytesIO(data))
    assert found is not None
    return [(entry.carrier, entry.key, entry.value) for _, all_ in carriers.id3_frames(found, "mp3") for entry in all_]


TXXX = b"\x03Note\0" + "第一".encode()
TXX = b"\x00Note\0one"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tag(4, frame(4, "TXXX", TXXX)), [("mp3:TXXX", "Note", "第一")]),
        (tag(4, frame(4, "TXXX", TXXX) + bytes(99)), [("mp3:TXXX", "Note", "第一")]),
        (tag(2, frame(2, "TXX", TXX)), [("mp3:TXXX", "Note", "one")]),
        (tag(2, frame(2, "TSS", b"\0Lavf")), [("mp3:TSSE", "TSSE", "Lavf")]),
        (tag(4, frame(4, "TXXX", b"\2\1\0\0\2")), [("mp3:TXXX", "Ā\2", "")]),
        (tag(3, frame(3, "TXXX", b"\1" + "é\0".encode("utf-16") + "ÿa".encode("utf-16"))), [("mp3:TXXX", "é", "ÿa")]),
        (tag(4, frame(4, "TXXX", b"\2" + "Ā\0第".encode("utf-16-be"))), [("mp3:TXXX", "Ā", "第")]),
        (tag(4, frame(4, "COMM", b"\3eng\0words")), [("mp3:COMM", "comment", "words")]),
        (tag(4, frame(4, "TIT2", b"\3one\0two\0\0")), [("mp3:TIT2", "TIT2", "one\ntwo")]),
        (tag(3, frame(3, "TXXX", b"\0Note\0\xff\xe0").replace(b"\xff", b"\xff\0"), 0x80), [("mp3:TXXX", "Note", "ÿà")]),
        (tag(4, frame(4, "TXXX", b"\0N\0\xff\0\xe0", 0x02)), [("mp3:TXXX", "N", "ÿà")]),
        (tag(4, frame(4, "TXXX", b"\0N\0\xff\0\xe0"), 0x80), [("mp3:TXXX", "N", "ÿà")]),
        (tag(4, frame(4, "TXXX", b"G" + seven(5) + b"\0N\0ab", 0x41)), [("mp3:TXXX", "N", "ab")]),
        (tag(4, frame(4, "TXXX", seven(len(TXXX)) + zlib.compress(TXXX), 0x09)), [("mp3:TXXX", "Note", "第一")]),
        (tag(3, frame(3, "TXXX", bytes(4) + b"G" + zlib.compress(TXX), 0xA0)), [("mp3:TXXX", "Note", "one")]),
        (tag(4, frame(4, "TXXX", TXXX, 0x04)), []),
        (tag(3, frame(3, "TXXX", TXX, 0x40)), []),
        (tag(3, struct.pack(">IHI", 6, 0, 0) + frame(3, "TXXX", TXX), 0x40), [("mp3:TXXX", "Note", "one")]),
        (tag(3, struct.pack(">IHII", 10, 0x8000, 0, 77) + frame(3, "TXXX", TXX), 0x40), [("mp3:TXXX", "Note", "one")]),
        (tag(4, seven(6) + b"\1\0" + frame(4, "TXXX", TXXX), 0x40), [("mp3:TXXX", "Note", "第一")]),
        (tag(3, frame(3, "TXXX", TXX), 0x40), [("mp3:TXXX", "Note", "one")]),
        (
            tag(4, frame(4, "TXXX", b"\3A\0" + b"x" * 300, plain=True) + frame(4, "TIT2", b"\3t", plain=True)),
            [("mp3:TXXX", "A", "x" * 300), ("mp3:TIT2", "TIT2", "t")],
        ),
        (tag(4, frame(4, "TXXX", b"\3A\0" + b"x" * 300, plain=True)), [("mp3:TXXX", "A", "x" * 300)]),
        (tag(4, frame(4, "TXXX", b"\3A\0" + b"x" * 200) + bytes(9) + b"old" * 99), [("mp3:TXXX", "A", "x" * 200)]),
    ],
    ids=range(24),
)  # fmt: skip
def test_every_way_to_write_a_text_is_read(data: bytes, said: list[tuple[str, str, str]]) -> None:
    assert texts(data + SOUND) == said


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_tag_keeps_its_version_and_its_frames(tmp_path: Path, version: int) -> None:
    names = {2: ("TT2", "PIC", "TXX", "TXX"), 3: ("TIT2", "APIC", "TXXX", "TXXX"), 4: ("TIT2", "APIC", "TXXX", "TXXX")}
    bodies = (b"\0One", b"\0JPG\3\0" + bytes(range(256)), b"\0Note\0x", b"\0AIGC\0{}")
    frames = [frame(version, name, body) for name, body in zip(names[version], bodies, strict=True)]
    (tmp_path / "a.mp3").write_bytes(tag(version, b"".join(frames) + bytes(50)) + SOUND)
    aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", OTHER)
    aigc.write(tmp_path / "b.mp3", tmp_path / "c.mp3", LABEL)
    data = (tmp_path / "c.mp3").read_bytes()
    own = frame(version, names[version][2], (b"\3" if version == 4 else b"\0") + b"AIGC\0" + LABEL.to_json().encode())
    assert data == tag(version, b"".join(frames[:3]) + own) + SOUND


def test_a_file_without_a_tag_gets_one_of_version_4(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(SOUND)
    aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", LABEL)
    own = frame(4, "TXXX", b"\3AIGC\0" + LABEL.to_json().encode())
    assert (tmp_path / "b.mp3").read_bytes() == tag(4, own) + SOUND


def test_an_extended_header_and_a_footer_go_and_the_sound_begins_where_it_did(tmp_path: Path) -> None:
    title = frame(4, "TIT2", b"\3One")
    body = seven(12) + b"\1\x20\5" + bytes(5) + title
    (tmp_path / "a.mp3").write_bytes(tag(4, body, 0x50) + b"3DI" + tag(4, body, 0x50)[3:10] + SOUND)
    aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", LABEL)
    own = frame(4, "TXXX", b"\3AIGC\0" + LABEL.to_json().encode())
    assert (tmp_path / "b.mp3").read_bytes() == tag(4, title + own) + SOUND


def test_a_label_among_other_texts_is_replaced_and_words_about_one_stay(tmp_path: Path) -> None:
    told = frame(3, "COMM", b"\0eng\0" + OTHER.to_json().encode())
    words = frame(3, "COMM", b"\0eng\0An AIGC label is a label")
    (tmp_path / "a.mp3").write_bytes(tag(3, told + words) + SOUND)
    assert [one.carrier for one in aigc.read(tmp_path / "a.mp3")] == ["mp3:COMM"]
    aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", LABEL)
    own = frame(3, "TXXX", b"\0AIGC\0" + LABEL.to_json().encode())
    assert (tmp_path / "b.mp3").read_bytes() == tag(3, words + own) + SOUND


def test_unsynchronised_frames_stay_so_and_are_still_read(tmp_path: Path) -> None:
    note = frame(4, "TXXX", b"\0N\0\xff\0\xe0")
    (tmp_path / "a.mp3").write_bytes(tag(4, note, 0x80) + SOUND)
    aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", LABEL)
    own = frame(4, "TXXX", b"\3AIGC\0" + LABEL.to_json().encode())
    assert (tmp_path / "b.mp3").read_bytes() == tag(4, note + own, 0x80) + SOUND
    assert texts((tmp_path / "b.mp3").read_bytes())[0] == ("mp3:TXXX", "N", "ÿà")


def test_a_packet_of_xmp_is_not_thrown_away_for_the_label_in_it(tmp_path: Path) -> None:
    label = f'<T:AIGC xmlns:T="{aigc.NAMESPACE}">{OTHER.to_json()}</T:AIGC>'
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{label}</x:xmpmeta>'
    (tmp_path / "a.mp3").write_bytes(tag(4, frame(4, "PRIV", b"XMP\0" + packet.encode())) + SOUND)
    assert [one.carrier for one in aigc.read(tmp_path / "a.mp3")] == ["mp3:PRIV/xmp"]
    with pytest.raises(LabelError, match=r"labels lie in mp3:PRIV/xmp, mp3:TXXX instead of in one place"):
        aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", LABEL)


NAMES = st.sampled_from(["TIT2", "TXXX", "APIC", "GEOB", "PRIV", "COMM", "XYZ1", "WXXX"])
BODIES = st.binary(max_size=700)


@given(st.sampled_from([3, 4]), st.lists(st.tuples(NAMES, BODIES), max_size=6), st.integers(0, 20))
@example(4, [("TXXX", b"\3A\0" + b"x" * 125)], 1)
@example(4, [("APIC", bytes(256))], 0)
def test_every_other_frame_survives_byte_for_byte(version: int, given_: list[tuple[str, bytes]], padding: int) -> None:
    frames = [frame(version, name, body) for name, body in given_]
    old = id3.read(BytesIO(tag(version, b"".join(frames) + bytes(padding)) + SOUND))
    assert old is not None
    assert (old.broken, [f.body for f in old.frames]) == (None, [body for _, body in given_])
    fresh = old.with_text(old.frames, "AIGC", "{}")
    own = frame(version, "TXXX", (b"\3" if version == 4 else b"\0") + b"AIGC\0{}")
    assert fresh == tag(version, b"".join(frames) + own)
    again = id3.read(BytesIO(fresh + SOUND))
    assert again is not None
    assert (again.frames[:-1], again.size_bytes, again.broken) == (old.frames, len(fresh), None)


HUGE = b"\x7f\x7f\x7f\x7f"
BROKEN = {
    "longer than the file": tag(4, frame(4, "TXXX", TXXX), size=HUGE),
    "length of eight bits": tag(4, frame(4, "TXXX", TXXX), size=b"\xff\xff\xff\xff"),
    "frame beyond the tag": tag(4, b"TXXX" + HUGE + b"\0\0" + TXXX),
    "frame of eight bits": tag(4, b"TXXX\xff\xff\xff\xff\0\0" + TXXX),
    "frame of 4 GiB": tag(3, b"TXXX\xff\xff\xff\xff\0\0" + TXXX),
    "noise behind a frame": tag(3, frame(3, "TXXX", TXX) + b"noise and more noise"),
    "a few odd bytes": tag(3, frame(3, "TXXX", TXX) + b"odd"),
    "extended header too long": tag(3, b"\x7f\xff\xff\xff" + bytes(30), 0x40),
    "extended header of nothing": tag(4, bytes(30), 0x40),
    "extended header cut": tag(4, b"\0\0", 0x40),
    "version 5": tag(5, frame(4, "TXXX", TXXX)),
    "packed version 2.2": tag(2, frame(2, "TXX", TXX), 0x40),
    "too many frames": tag(3, frame(3, "TXXX", b"") * (id3.MAX_FRAMES + 1)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_tag_is_read_as_far_as_it_goes_and_never_written_anew(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.mp3").write_bytes(BROKEN[name])
    started = time.monotonic()
    assert all(entry.key == "Note" for entry in carriers.entries(tmp_path / "a.mp3"))
    with pytest.raises(LabelError, match=r"its ID3 tag is broken: .*export it again"):
        aigc.write(tmp_path / "a.mp3", tmp_path / "b.mp3", LABEL)
    assert time.monotonic() - started < 5
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp3"]


def test_a_label_in_a_tag_that_breaks_off_later_is_still_seen(tmp_path: Path) -> None:
    own = frame(4, "TXXX", b"\3AIGC\0" + LABEL.to_json().encode())
    (tmp_path / "a.mp3").write_bytes(tag(4, own, size=HUGE))
    assert [one.fields for one in aigc.read(tmp_path / "a.mp3")] == [LABEL.fields()]


def test_packed_frames_cannot_fill_the_memory() -> None:
    bomb = zlib.compress(b"\3A\0" + b" " * (7 << 20))
    data = tag(4, frame(4, "TXXX", seven(0) + bomb, 0x09) * 500)
    tracemalloc.start()
    kept = texts(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 2
    assert peak < 100 << 20


def test_a_tag_cannot_grow_beyond_what_it_can_say() -> None:
    with pytest.raises(id3.Malformed, match="256 MiB"):
        id3.EMPTY.with_text((id3.Frame(b"GEOB", 0, bytes(1 << 28)),), "AIGC", "{}")
    with pytest.raises(id3.Malformed, match="16 MiB"):
        id3.Tag(2, 0, (), 0, None).with_text((id3.Frame(b"GEO", 0, bytes(1 << 24)),), "AIGC", "{}")


@given(st.binary(max_size=400), st.integers(2, 4), st.integers(0, 255), st.booleans())
def test_noise_in_a_tag_is_no_trouble(noise: bytes, version: int, flags: int, sized: bool) -> None:
    found = id3.read(BytesIO(tag(version, noise, flags, size=None if sized else HUGE)))
    assert found is not None
    for _, entries in carriers.id3_frames(found, "mp3"):
        assert all(isinstance(entry.value, str) for entry in entries)


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.sampled_from([2, 3, 4])
)
def test_a_tag_with_wrong_bytes_is_no_trouble(hits: list[tuple[int, int]], version: int) -> None:
    names = ("TXX", "COM") if version == 2 else ("TXXX", "COMM")
    bodies = (b"\1" + "é\0x".encode("utf-16"), b"\3eng\0words")
    data = bytearray(tag(version, b"".join(frame(version, n, b) for n, b in zip(names, bodies, strict=True))) + SOUND)
    for at, byte in hits:
        data[at % 60] = byte
    found = id3.read(BytesIO(bytes(data)))
    if found is not None:
        kept = [frame for frame, _ in carriers.id3_frames(found, "mp3")]
        if found.broken is None:
            again = id3.read(BytesIO(found.with_text(kept, "AIGC", "{}")))
            assert again is not None
            assert [f.body for f in again.frames[:-1]] == [f.body for f in kept]
