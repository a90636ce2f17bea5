"""One freeform item (`----`) in the tags of an M4A file, written beside untouched sound.

Only moov is built anew, and only its tags change length; every chunk offset that lies behind it moves along.
Source: ISO/IEC 14496-12 8.7.5 (stco, co64) and 8.10 (udta, meta); the freeform item is Apple's, as iTunes writes it.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import numpy as np

from provenance import bmff, carriers
from provenance.bmff import Box, Malformed
from provenance.carriers import Entry
from provenance.files import copy_part

_TRACK_TABLES = (b"trak", b"mdia", b"minf", b"stbl")
_OFFSETS_ELSEWHERE = frozenset({b"moof", b"mfra", b"meta"})
"""Boxes beside moov that may tell where things lie in the file, and which we do not move along."""


def must_be_plain(layout: bmff.Layout) -> Box:
    """The moov box of a file in which nothing but chunk offsets says where the sound lies. Raises Malformed."""
    if layout.too_many_boxes:
        raise Malformed("it is made of absurdly many boxes")
    if layout.malformed:
        raise Malformed(layout.malformed)
    moov = [box for box in layout.top if box.type == b"moov"]
    if len(moov) != 1:
        raise Malformed(f"it has {len(moov)} moov boxes instead of one")
    if other := next((box for box in layout.top if box.type in _OFFSETS_ELSEWHERE), None):
        raise Malformed(f"it has a {other.type.decode()} box at byte {other.start}, as files in fragments do")
    if not layout.samples_in_mdat:
        raise Malformed("some samples lie outside its mdat boxes")
    return moov[0]


def write(src: BinaryIO, dst: BinaryIO, moov: Box, name: str, text: str, keep: Callable[[Entry], bool]) -> None:
    """Copy a file with the tags to `keep` and one freeform item more; `moov` is what `must_be_plain` gave.

    Raises Malformed where an offset would no longer fit its field, or is of a kind we do not move.
    """
    src.seek(moov.start)
    data = src.read(moov.end - moov.start)
    top = Box(b"moov", 0, moov.body - moov.start, len(data))
    item = _box(
        b"----",
        _box(b"mean", b"\0\0\0\0com.apple.iTunes")
        + _box(b"name", b"\0\0\0\0" + name.encode())
        + _box(b"data", b"\0\0\0\1\0\0\0\0" + text.encode()),
    )
    fresh = _with_item(data, top, item, keep)
    src.seek(0)
    copy_part(src, dst, moov.start)
    dst.write(_moved(fresh, moov.end, len(fresh) - len(data)))
    src.seek(moov.end)
    shutil.copyfileobj(src, dst, 1 << 20)


# --- below: moov anew


def _with_item(data: bytes, moov: Box, item: bytes, keep: Callable[[Entry], bool]) -> bytes:
    udta = _first(data, moov.body, moov.end, b"udta")
    if udta is None:
        return _rebuilt(data, moov, moov.body, {}, _box(b"udta", _meta(item)))
    meta = _first(data, udta.body, udta.end, b"meta")
    if meta is None:
        inner = _rebuilt(data, udta, udta.body, {}, _meta(item))
        return _rebuilt(data, moov, moov.body, {udta.start: inner})
    begin = bmff.meta_body(data, meta)
    gone = dict.fromkeys(_unwanted(data, meta, keep), b"")
    lists: dict[int, bytes] = {}
    for box in bmff.children(data, begin, meta.end):
        if box.type == b"ilst":
            lists[box.start] = _rebuilt(data, box, box.body, gone, b"" if lists else item)
    inner = _rebuilt(data, meta, begin, lists, b"" if lists else _box(b"ilst", item))
    inner = _rebuilt(data, udta, udta.body, {meta.start: inner})
    return _rebuilt(data, moov, moov.body, {udta.start: inner})


def _unwanted(data: bytes, meta: Box, keep: Callable[[Entry], bool]) -> Iterator[int]:
    for item, entries in carriers.meta_items(data, meta, "m4a:moov/udta/meta"):
        if not all(keep(entry) for entry in entries):
            yield item.start


def _first(data: bytes, start: int, end: int, kind: bytes) -> Box | None:
    return next((box for box in bmff.children(data, start, end) if box.type == kind), None)


def _rebuilt(data: bytes, box: Box, begin: int, changed: Mapping[int, bytes], added: bytes = b"") -> bytes:
    """`box`, with the children that begin where `changed` says replaced, and `added` behind the last of them.

    Odd bytes behind the last child, such as the four zeros that end a QuickTime udta, stay there.
    """
    parts, end = [data[box.body : begin]], begin
    for child in bmff.children(data, begin, box.end):
        parts.append(changed.get(child.start, data[child.start : child.end]))
        end = child.end
    return _box(box.type, b"".join(parts) + added + data[end : box.end])


def _meta(item: bytes) -> bytes:
    handler = _box(b"hdlr", b"\0" * 8 + b"mdirappl" + b"\0" * 9)
    return _box(b"meta", b"\0\0\0\0" + handler + _box(b"ilst", item))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _moved(moov: bytes, behind: int, by: int) -> bytes:
    """`moov` with every chunk offset of at least `behind` moved by `by` bytes."""
    fresh = bytearray(moov)
    for box in _offset_tables(moov, 8, len(moov)):
        width = ">u4" if box.type == b"stco" else ">u8"
        count = struct.unpack_from(">I", moov, box.body + 4)[0]
        if box.body + 8 + count * np.dtype(width).itemsize > box.end:
            raise Malformed(f"a {box.type.decode()} box promises {count} entries and is too short for them")
        old = np.frombuffer(moov, width, count, box.body + 8).astype(np.int64)
        new = np.where(old >= behind, old + by, old)
        if new.size and int(new.max()) > np.iinfo(width).max:
            raise Malformed("its sound would come to lie beyond the 4 GiB its offsets can say")
        fresh[box.body + 8 : box.body + 8 + new.size * np.dtype(width).itemsize] = new.astype(width).tobytes()
    return bytes(fresh)


def _offset_tables(moov: bytes, start: int, end: int) -> Iterator[Box]:
    for box in bmff.children(moov, start, end):
        if box.type in _TRACK_TABLES:
            yield from _offset_tables(moov, box.body, box.end)
        elif box.type in (b"stco", b"co64"):
            yield box
        elif box.type == b"saio":
            raise Malformed("it is encrypted, and says where the keys' details lie")
