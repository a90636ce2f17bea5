"""Vorbis comments of FLAC, Ogg Vorbis, Ogg Opus and Ogg FLAC files: read, and written anew beside untouched sound.

Written for this project, because a label needs no more than this. Every other FLAC block and every Ogg page of
sound stays the same bytes; where headers come to need more pages, later pages of that stream get new numbers and
checksums. Source: RFC 9639 section 8 (FLAC), section 10.1 (FLAC in Ogg); RFC 3533 section 6 (Ogg pages); RFC 7845
section 5 (Opus); Xiph "Vorbis I", sections 4.2 and 5.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from provenance import id3
from provenance.files import copy_part

MAX_COMMENTS = 20_000
"""Files seen have under a hundred; chapters written as comments make it thousands."""
MAX_BLOCKS = 10_000
MAX_PACKET_BYTES = 32 << 20
"""Of a longer header only the beginning is read. A FLAC block ends at 16 MiB; in Ogg, covers lie in comments."""
MAX_HEADER_PAGES = 5_000
"""Pages looked at before the comments are given up; `MAX_PACKET_BYTES` fill about 500."""

_COMMENT_BLOCK = 4
_NO_GRANULE = 0xFFFFFFFFFFFFFFFF
_CONTINUED, _FIRST, _LAST = 1, 2, 4


class Malformed(ValueError):
    """The comments cannot be written anew; the message is a clause that says why."""


@dataclass(frozen=True, slots=True)
class Comments:
    """One list of comments."""

    vendor: bytes
    items: tuple[bytes, ...]
    """Each "KEY=value" in UTF-8, as stored."""
    tail: bytes
    """What follows the list: Vorbis's framing bit, Opus's padding."""
    broken: str | None
    """Why the list is not whole, in one clause; None where it is."""

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Key and value of every comment."""
        return map(_pair, self.items)

    def edited(self, keep: Keep, added: tuple[bytes, ...]) -> Comments:
        """Those that are to be kept, and the `added` ones. Raises Malformed where this list is not whole."""
        if self.broken:
            raise Malformed(self.broken)
        return replace(self, items=(*(item for item in self.items if keep(*_pair(item))), *added))


Keep = Callable[[str, str], bool]
"""Given a comment's key and value, whether it stays."""


def flac_comments(file: BinaryIO) -> Iterator[Comments]:
    """The comments of a FLAC file, one per block that holds any (a sound file has one). Never raises."""
    for kind, start, length, _ in _flac_blocks(file):
        if kind == _COMMENT_BLOCK:
            file.seek(start)
            yield _parsed(file.read(length))


def write_flac(src: BinaryIO, dst: BinaryIO, keep: Keep, added: str) -> None:
    """Copy a FLAC file with the comments to `keep` and `added`, "KEY=value"; other blocks and sound byte for byte.

    They go where comments are, or behind the first block. Raises Malformed where the blocks break off.
    """
    blocks = list(_flac_blocks(src))
    if not blocks or not blocks[-1][3]:
        raise Malformed("its FLAC blocks break off before the sound")
    if blocks[0][0] != 0:
        raise Malformed("its first FLAC block is not the stream's description")
    src.seek(0)
    copy_part(src, dst, blocks[0][1] - 4)
    if not any(kind == _COMMENT_BLOCK for kind, *_ in blocks):
        blocks.insert(1, (_COMMENT_BLOCK, -1, 0, False))
    due: tuple[bytes, ...] = (added.encode(),)
    for number, (kind, start, length, _) in enumerate(blocks):
        last = 0x80 if number == len(blocks) - 1 else 0
        src.seek(max(0, start))
        if kind != _COMMENT_BLOCK:
            dst.write(bytes([last | kind]) + length.to_bytes(3, "big"))
            copy_part(src, dst, length)
            continue
        old = _parsed(src.read(length)) if start >= 0 else Comments(b"dramagate", (), b"", None)
        body, due = _built(old.edited(keep, due)), ()
        if len(body) >= 1 << 24:
            raise Malformed("its comments would exceed the 16 MiB a FLAC block can hold")
        dst.write(bytes([last | kind]) + len(body).to_bytes(3, "big") + body)
    end = max(start + length for _, start, length, _ in blocks)
    src.seek(end)
    shutil.copyfileobj(src, dst, 1 << 20)


def ogg_comments(file: BinaryIO) -> Iterator[Comments]:
    """The comments of the first Vorbis, Opus or FLAC stream of an Ogg file, as far as they can be read."""
    headers = _ogg_headers(file)
    if headers is not None and headers.hold_comments():
        yield _parsed(headers.packets[0][len(headers.before) :])


def write_ogg(src: BinaryIO, dst: BinaryIO, keep: Keep, added: str) -> None:
    """Copy an Ogg file with the comments to `keep` and `added`, "KEY=value", in its first Vorbis, Opus or FLAC stream.

    Its sound stays byte for byte. Raises Malformed where there is no such stream, its headers break off, or sound
    begins on a page of headers.
    """
    headers = _ogg_headers(src)
    if headers is None:
        raise Malformed("it holds no Vorbis, Opus or FLAC stream")
    if headers.broken or not headers.hold_comments():
        raise Malformed(headers.broken or "its second packet holds no comments")
    old = _parsed(headers.packets[0][len(headers.before) :])
    pages = _paged(headers, [headers.packet(_built(old.edited(keep, (added.encode(),)))), *headers.packets[1:]])
    size = src.seek(0, 2)
    at = 0
    for number, old_page in enumerate(headers.pages):
        src.seek(at)
        copy_part(src, dst, old_page.start - at)
        at = old_page.end
        if number == 0:
            dst.write(b"".join(pages))
    shift = 0 if headers.pages[-1].flags & _LAST else len(pages) - len(headers.pages)
    while shift and (page := _page(src, at, size)) is not None:
        src.seek(page.start)
        raw = src.read(page.end - page.start)
        if page.serial == headers.serial:
            raw = _numbered(raw, page.number + shift & 0xFFFFFFFF)
            shift = 0 if page.flags & _LAST else shift
        dst.write(raw)
        at = page.end
    if shift and at < size:
        raise Malformed(f"the bytes from {at} on are no Ogg page")
    src.seek(at)
    shutil.copyfileobj(src, dst, 1 << 20)


# --- below: the list of comments


def _pair(item: bytes) -> tuple[str, str]:
    """Key and value; the key is empty where there is no equals sign."""
    key, sign, value = item.decode("utf-8", "replace").partition("=")
    return (key, value) if sign else ("", key)


def _parsed(body: bytes) -> Comments:
    """The comments in `body`, as many as are whole."""
    if len(body) < 4:
        return Comments(b"", (), b"", "its comments are cut short")
    vendor_end = 4 + struct.unpack_from("<I", body)[0]
    if vendor_end + 4 > len(body):
        return Comments(b"", (), b"", "its comments begin with a program's name that is longer than they are")
    vendor = body[4:vendor_end]
    count = struct.unpack_from("<I", body, vendor_end)[0]
    at = vendor_end + 4
    items: list[bytes] = []
    broken = None
    while len(items) < count:
        if len(items) >= MAX_COMMENTS:
            broken = f"it has more than {MAX_COMMENTS} comments"
            break
        end = at + 4 + struct.unpack_from("<I", body, at)[0] if at + 4 <= len(body) else len(body) + 1
        if end > len(body):
            broken = f"it says {count} comments and breaks off after {len(items)}"
            break
        items.append(body[at + 4 : end])
        at = end
    return Comments(vendor, tuple(items), body[at:], broken)


def _built(comments: Comments) -> bytes:
    parts = [struct.pack("<I", len(comments.vendor)), comments.vendor, struct.pack("<I", len(comments.items))]
    for item in comments.items:
        parts += [struct.pack("<I", len(item)), item]
    return b"".join(parts) + comments.tail


# --- below: FLAC blocks


def _flac_blocks(file: BinaryIO) -> Iterator[tuple[int, int, int, bool]]:
    """(type, start of the body, length, whether it is the last) of every whole block; an ID3 tag before is skipped."""
    size = file.seek(0, 2)
    tag = id3.read(file)
    at = tag.size_bytes if tag else 0
    file.seek(at)
    if file.read(4) != b"fLaC":
        return
    at += 4
    for _ in range(MAX_BLOCKS):
        file.seek(at)
        head = file.read(4)
        length = int.from_bytes(head[1:], "big")
        if len(head) < 4 or at + 4 + length > size:
            return
        yield head[0] & 0x7F, at + 4, length, bool(head[0] & 0x80)
        if head[0] & 0x80:
            return
        at += 4 + length


# --- below: Ogg pages


@dataclass(frozen=True, slots=True)
class _Page:
    start: int
    flags: int
    granule: int
    serial: int
    number: int
    lacing: bytes
    body: int
    end: int


_FLAC = b"\x04\0\0\0"
_STREAMS = {b"\x01vorbis": b"\x03vorbis", b"OpusHead": b"OpusTags", b"\x7fFLAC": _FLAC}
"""How a stream's first packet begins, and how its packet of comments does; FLAC's is a block with its own length."""


@dataclass(slots=True)
class _Headers:
    """The pages of one stream from its second on, to the first that ends with a packet; and their packets."""

    before: bytes
    """What the packet of comments begins with."""
    serial: int
    pages: list[_Page]
    packets: list[bytes]
    broken: str | None

    def hold_comments(self) -> bool:
        """Whether the second packet of the stream is one of comments."""
        if not self.packets:
            return False
        if self.before == _FLAC:
            return self.packets[0][:1] in (b"\x04", b"\x84")
        return self.packets[0].startswith(self.before)

    def packet(self, body: bytes) -> bytes:
        """A packet like the old one with `body` as its comments."""
        if self.before != _FLAC:
            return self.before + body
        if len(body) >= 1 << 24:
            raise Malformed("its comments would exceed the 16 MiB a FLAC block can hold")
        return self.packets[0][:1] + len(body).to_bytes(3, "big") + body


def _page(file: BinaryIO, at: int, size: int) -> _Page | None:
    """The page at `at` of a file of `size` bytes; None where there is no whole one."""
    file.seek(at)
    head = file.read(27)
    if len(head) < 27 or head[:5] != b"OggS\0":
        return None
    flags, granule, serial, number, _, count = struct.unpack_from("<BQIIIB", head, 5)
    lacing = file.read(count)
    body = at + 27 + count
    end = body + sum(lacing)
    if len(lacing) < count or end > size:
        return None
    return _Page(at, flags, granule, serial, number, lacing, body, end)


def _ogg_headers(file: BinaryIO) -> _Headers | None:
    """The headers of the first stream whose comments we know; None where there is none."""
    found: _Headers | None = None
    packet: list[bytes] = []
    at = total = 0
    end = file.seek(0, 2)
    for _ in range(MAX_HEADER_PAGES):
        page = _page(file, at, end)
        if page is None:
            break
        at = page.end
        file.seek(page.body)
        if page.flags & _FIRST:
            head = file.read(min(8, page.end - page.body))
            before = next((theirs for ours, theirs in _STREAMS.items() if head.startswith(ours)), None)
            if found is None and before is not None:
                found = _Headers(before, page.serial, [], [], "its headers break off")
            continue
        if found is None:
            return None  # beginnings of streams come before everything else
        if page.serial != found.serial:
            continue
        found.pages.append(page)
        for size in page.lacing:
            packet.append(file.read(size))
            total += size
            if size < 255:
                found.packets.append(b"".join(packet))
                packet = []
        if total > MAX_PACKET_BYTES:
            found.broken = f"its headers exceed {MAX_PACKET_BYTES >> 20} MiB"
            break
        if found.packets and not packet:
            found.broken = _oddity(found.pages)
            break
    if found is not None and packet and not found.packets:
        found.packets.append(b"".join(packet))  # what there is of it
    return found


def _oddity(pages: list[_Page]) -> str | None:
    if any(page.granule not in (0, _NO_GRANULE) for page in pages):
        return "sound begins on a page of headers"
    if pages[0].flags & _CONTINUED:
        return "its second page continues a packet that never began"
    return None


def _paged(headers: _Headers, packets: list[bytes]) -> list[bytes]:
    """Pages that hold `packets`: as many as there were, if they suffice, so that later pages keep their numbers."""
    pieces: list[bytes] = []
    for packet in packets:
        pieces += [packet[at : at + 255] for at in range(0, len(packet) + 1, 255)]
    count = min(len(pieces), max(len(headers.pages), -(-len(pieces) // 255)))
    made: list[bytes] = []
    at = 0
    for left in range(count, 0, -1):
        here = pieces[at : at + min(255, len(pieces) - at - (left - 1))]
        flags = _CONTINUED if at and len(pieces[at - 1]) == 255 else 0
        if left == 1:
            flags |= headers.pages[-1].flags & _LAST
        ends = any(len(piece) < 255 for piece in here)
        head = struct.pack("<4sBBQI", b"OggS", 0, flags, 0 if ends else _NO_GRANULE, headers.serial)
        head += struct.pack("<IIB", 0, 0, len(here)) + bytes(len(piece) for piece in here)
        made.append(_numbered(head + b"".join(here), headers.pages[0].number + len(made) & 0xFFFFFFFF))
        at += len(here)
    return made


def _numbered(page: bytes, number: int) -> bytes:
    """The page with this number and the checksum that goes with it."""
    plain = page[:18] + struct.pack("<II", number, 0) + page[26:]
    return plain[:22] + struct.pack("<I", _checksum(plain)) + plain[26:]


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32, which is zlib's with every bit order turned round, and begins and ends without inversion."""
    turned = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(turned.to_bytes(4, "little").translate(_MIRRORED), "big")
