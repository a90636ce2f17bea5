"""ID3v2 tags of MP3 files: every frame as it lies there, the words in it, and the tag with one frame more.

Written for this project, because a label needs no more than this. Nothing of a tag is reordered or re-encoded:
frames that stay are the same bytes. Source: id3.org "ID3 tag version 2.4.0" main structure and native frames,
"2.3.0", "2.2.0".
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_TAG_BYTES = 64 << 20
"""Of a longer tag only the beginning is read. A tag may say 256 MiB; covers and seals make it a few MiB."""
MAX_FRAMES = 20_000
"""Tags seen have under a hundred; a hostile one of 64 MiB could hold 6 million empty frames."""
MAX_INFLATED_BYTES = 16 << 20
"""What all compressed frames of one tag may unpack to together."""

_UNSYNCHRONISED, _EXTENDED, _EXPERIMENTAL, _FOOTER = 0x80, 0x40, 0x20, 0x10
_ID = {2: re.compile(rb"[A-Z][A-Z0-9]{2}"), 3: re.compile(rb"[A-Z][A-Z0-9]{2}[A-Z0-9 \0]")}
_ID[4] = _ID[3]
_LONG_NAMES = {"TXX": "TXXX", "COM": "COMM", "TSS": "TSSE"}
"""Version 2.2 frames whose names readers ask for, under the names later versions gave them."""


class Malformed(ValueError):
    """The tag cannot be written anew without losing something; the message is a clause that says where."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as stored."""

    id: bytes
    flags: int
    """Two bytes of status and format; 0 in version 2.2, which has none."""
    body: bytes
    """As stored: still packed, grouped or unsynchronised where the flags say so."""


@dataclass(frozen=True, slots=True)
class Tag:
    """What a file begins with."""

    version: int
    """2, 3 or 4, for ID3v2.2 to ID3v2.4."""
    flags: int
    frames: tuple[Frame, ...]
    size_bytes: int
    """Header, frames, padding and footer: where the sound begins."""
    broken: str | None
    """Where the tag stops making sense, in one clause; None for a sound one. Frames before that place are here."""

    def texts(self, max_bytes: int) -> Iterator[tuple[Frame, str, str, bytes]]:
        """(frame, name, description, content) of each readable frame: TXXX, COMM, any other T..., and PRIV.

        The content is UTF-8 with a line feed between several values, and for PRIV all its bytes. Frames that are
        encrypted, packed beyond `MAX_INFLATED_BYTES` in all, or longer than `max_bytes` are left out.
        """
        budget = MAX_INFLATED_BYTES
        for frame in self.frames:
            short = frame.id.decode("latin-1").rstrip(" \0")
            name = _LONG_NAMES.get(short, short)
            if not name.startswith("T") and name not in ("COMM", "PRIV"):
                continue
            if len(frame.body) > max_bytes:
                continue
            content, used = self._content(frame, min(budget, max_bytes))
            budget -= used
            if content is None:
                continue
            if name == "PRIV":
                yield frame, name, "", content
            elif (text := _text(name, content)) is not None:
                yield frame, name, text[0], text[1].encode("utf-8", "replace")

    def with_text(self, kept: Iterable[Frame], description: str, text: str) -> bytes:
        """The tag with the frames `kept` as they are, and one TXXX frame at the end; both texts are ASCII.

        Padding and footer go, and so does the extended header, whose checksum and padding size no longer hold.
        Raises Malformed where this tag is broken or the new one would be longer than a tag can say.
        """
        if self.broken:
            raise Malformed(f"its ID3 tag is broken: {self.broken}")
        name = b"TXX" if self.version == 2 else b"TXXX"
        utf8 = self.version == 4
        own = Frame(name, 0, bytes([3 if utf8 else 0]) + description.encode("ascii") + b"\0" + text.encode("ascii"))
        body = b"".join(_packed(self.version, frame) for frame in (*kept, own))
        flags = self.flags & _EXPERIMENTAL
        if self.version == 4:  # there it is a mark about frames, which stay as they are
            flags |= self.flags & _UNSYNCHRONISED
        return b"ID3" + bytes([self.version, 0, flags]) + _syncsafe(len(body)) + body

    def _content(self, frame: Frame, limit: int) -> tuple[bytes | None, int]:
        """What the frame says once unpacked, and how many bytes unpacking made; None where it cannot be read."""
        body, form = frame.body, frame.flags & 0xFF
        if self.version == 2 or form == 0:
            whole = self.version == 4 and self.flags & _UNSYNCHRONISED
            return (_synchronised(body) if whole else body), 0
        if self.version == 3:
            if form & 0x40:
                return None, 0
            packed = bool(form & 0x80)
            body = body[4 * packed + bool(form & 0x20) :]
        else:
            if form & 0x04:
                return None, 0
            packed = bool(form & 0x08)
            body = body[bool(form & 0x40) + 4 * bool(form & 0x01) :]
            if form & 0x02 or self.flags & _UNSYNCHRONISED:
                body = _synchronised(body)
        return _inflated(body, limit) if packed else (body, 0)


EMPTY = Tag(4, 0, (), 0, None)
"""The tag of a file that has none."""


def read(file: BinaryIO) -> Tag | None:
    """The tag `file` begins with; None where it begins with something else. Never raises for broken content."""
    file.seek(0)
    head = file.read(10)
    if len(head) < 10 or head[:3] != b"ID3":
        return None
    version, flags = head[3], head[5]
    promised = _plain(head[6:10])
    size = 10 + promised + (10 if version == 4 and flags & _FOOTER else 0)
    if version not in (2, 3, 4) or (version == 2 and flags & _EXTENDED):
        return Tag(version, flags, (), size, f"version 2.{version} with flags {flags:#04x} is not one we know")
    data = file.read(min(promised, MAX_TAG_BYTES))
    broken = None
    if any(byte & 0x80 for byte in head[6:10]):
        broken = "its length is not written in seven bits per byte"
    elif promised > MAX_TAG_BYTES:
        broken = f"it says {promised >> 20} MiB, more than the {MAX_TAG_BYTES >> 20} MiB that are read"
    elif len(data) < promised:
        broken = f"it says {promised} bytes and the file ends after {len(data)}"
    if version < 4 and flags & _UNSYNCHRONISED:
        data = _synchronised(data)
    at = _after_extended_header(data, version) if flags & _EXTENDED else 0
    if at is None:
        return Tag(version, flags, (), size, broken or "its extended header is longer than the tag")
    frames, noise = _frames(data, at, version)
    return Tag(version, flags, tuple(frames), size, broken or noise)


# --- below: frames


def _frames(data: bytes, at: int, version: int) -> tuple[list[Frame], str | None]:
    """The frames from `at` on, and where they stop making sense.

    Programs wrote version 2.4 with the plain sizes of 2.3 (iTunes did), so where seven bits per byte lead into
    noise, the plain reading is taken if it leads further. What follows the first zero is padding, whatever it holds.
    """
    found, noise, zeros = _walk(data, at, version, plain=version != 4)
    if version == 4 and (noise or not zeros):
        other, other_noise, other_zeros = _walk(data, at, version, plain=True)
        whole = other_zeros and not other_noise and len(other) == len(found)
        if whole or len(other) > len(found):
            return other, other_noise
    return found, noise


def _walk(data: bytes, at: int, version: int, *, plain: bool) -> tuple[list[Frame], str | None, bool]:
    """The frames, where they run into noise, and whether nothing but zeros follows them."""
    wide, long = (3, 6) if version == 2 else (4, 10)
    known = _ID[version]
    found: list[Frame] = []
    while at + long <= len(data) and data[at]:
        ident = data[at : at + wide]
        if not known.fullmatch(ident):
            return found, f"no frame begins at byte {at + 10}, where one should", False
        raw = data[at + wide : at + 2 * wide]
        if not plain and any(byte & 0x80 for byte in raw):
            return found, f"the frame at byte {at + 10} has a length not written in seven bits per byte", False
        size = int.from_bytes(raw, "big") if plain else _plain(raw)
        body = at + long
        if body + size > len(data):
            return found, f"the frame at byte {at + 10} says {size} bytes and reaches beyond the tag", False
        if len(found) >= MAX_FRAMES:
            return found, f"it has more than {MAX_FRAMES} frames", False
        flags = 0 if version == 2 else int.from_bytes(data[at + 8 : at + 10], "big")
        found.append(Frame(ident, flags, data[body : body + size]))
        at = body + size
    rest = data[at:]
    if rest[:1] not in (b"", b"\0"):
        return found, f"{len(rest)} bytes that are no frame follow at byte {at + 10}", False
    return found, None, not any(rest)


def _after_extended_header(data: bytes, version: int) -> int | None:
    """Where frames begin; None where the extended header does not fit."""
    if len(data) < 6:
        return None
    if _ID[3].fullmatch(data[:4]):
        return 0  # the flag is set and no header follows: some programs write that
    at = 4 + struct.unpack(">I", data[:4])[0] if version == 3 else _plain(data[:4])
    return at if 6 <= at <= len(data) else None


def _packed(version: int, frame: Frame) -> bytes:
    size = len(frame.body)
    if version == 2:
        if size >= 1 << 24:
            raise Malformed("its ID3 tag would hold a frame longer than 16 MiB; version 2.2 cannot say that")
        return frame.id + size.to_bytes(3, "big") + frame.body
    length = _syncsafe(size) if version == 4 else struct.pack(">I", size)
    return frame.id + length + struct.pack(">H", frame.flags) + frame.body


def _text(name: str, content: bytes) -> tuple[str, str] | None:
    """(description, text) of a text frame's content; None where it has none."""
    if not content or content[0] > 3:
        return None
    coding, rest = content[0], content[1:]
    if name == "COMM":
        rest = rest[3:]
    if name not in ("COMM", "TXXX"):
        return "", _values(_decoded(coding, rest))
    description, text = _split(coding, rest)
    return _decoded(coding, description).strip("\0"), _values(_decoded(coding, text))


def _split(coding: int, raw: bytes) -> tuple[bytes, bytes]:
    """What lies before and after the first end of text: one zero, or two in UTF-16."""
    if coding in (0, 3):
        first, _, second = raw.partition(b"\0")
        return first, second
    at = raw.find(b"\0\0")
    while at > 0 and at % 2:
        at = raw.find(b"\0\0", at + 1)
    return (raw, b"") if at < 0 else (raw[:at], raw[at + 2 :])


def _decoded(coding: int, raw: bytes) -> str:
    if coding == 0:
        return raw.decode("latin-1")
    if coding == 3:
        return raw.decode("utf-8", "replace")
    big = coding == 2 or raw[:2] == b"\xfe\xff"
    text = raw.decode("utf-16-be" if big else "utf-16-le", "replace")
    return text.replace("\ufeff", "") if coding == 1 else text


def _values(text: str) -> str:
    return text.rstrip("\0").replace("\0", "\n")


def _inflated(body: bytes, limit: int) -> tuple[bytes | None, int]:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(body, max(1, limit))
    except zlib.error:
        return None, 0
    return (None if unpacker.unconsumed_tail else text), len(text)


def _synchronised(data: bytes) -> bytes:
    """Without the zeros that unsynchronisation put after each 0xFF."""
    return data.replace(b"\xff\x00", b"\xff")


def _plain(raw: bytes) -> int:
    """Four bytes of seven bits each."""
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value


def _syncsafe(size: int) -> bytes:
    if size >= 1 << 28:
        raise Malformed("its ID3 tag would exceed the 256 MiB a tag can say")
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
