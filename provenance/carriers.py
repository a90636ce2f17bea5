"""Every piece of text a file carries beside its pictures and sound, and where it lies.

AIGC labels (aigc.py) and generator traces (traces.py) are read from the same places, so one module walks the
containers and the two interpret. Nothing here raises for broken content: a walk ends where the bytes stop making
sense. Source of the places: notes on GB 45438-2025 guides TC260-PG-20257A to 202510A, and files seen in the wild.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from provenance import bmff, id3, vorbis

MAX_TEXT_BYTES = 8 << 20
"""One text longer than this is left out; the largest ComfyUI graphs seen are under 1 MB."""
MAX_TOTAL_CHARS = 64 << 20
"""All texts of one file together; what lies behind them is not read. 1 MB of packed PNG texts can unpack to 1 GB."""
MAX_PIECES = 100_000
"""Chunks, segments, blocks or tags walked in one file."""

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
LABEL_SIDECAR_SUFFIX = ".aigc.json"

_SUFFIXES = {
    "png": "png", "jpg": "jpeg", "jpeg": "jpeg", "jpe": "jpeg", "webp": "webp", "gif": "gif", "wav": "wav",
    "avi": "avi", "mp4": "mp4", "m4v": "mp4", "mov": "mov", "qt": "mov", "m4a": "m4a", "m4b": "m4a", "avif": "avif",
    "heic": "heic", "heif": "heif", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "oga": "ogg", "opus": "ogg",
    "mkv": "mkv", "mka": "mkv", "webm": "webm", "pdf": "pdf", "svg": "svg", "json": "json", "md": "md",
    "markdown": "md", "txt": "txt", "fountain": "fountain", "srt": "srt", "vtt": "vtt", "tif": "tiff", "tiff": "tiff",
    "dng": "dng", "jxl": "jxl",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One text: which carrier, under which key, and what it says."""

    carrier: str
    """e.g. "png:tEXt", "mp4:moov/udta/meta/keys", "jpeg:xmp"."""
    key: str
    value: str


def container(path: Path) -> str:
    """What `path` is, by its first bytes and only then by its suffix: "png", "mp4", "json", ...; "" where unknown.

    Raises OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(64)
    by_suffix = _SUFFIXES.get(path.suffix.lower().lstrip("."), "")
    if head.startswith(PNG_MAGIC):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}[head[8:12]]
    if bmff.is_bmff(head):
        brand = head[8:12] if head[4:8] == b"ftyp" else b""
        if brand in (b"M4A ", b"M4B "):
            return "m4a"
        if brand in (b"avif", b"avis"):
            return "avif"
        if brand in (b"heic", b"heix", b"mif1", b"heim", b"msf1"):
            return "heic"
        if brand == b"qt  " or (not brand and by_suffix == "mov"):
            return "mov"
        return by_suffix if by_suffix in ("mp4", "m4a") else "mp4"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in head else "mkv"
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(b"ID3"):
        return by_suffix if by_suffix in ("mp3", "flac") else "mp3"
    return by_suffix


def entries(path: Path) -> tuple[Entry, ...]:
    """Every text `path` carries, in file order, the label sidecar last. Raises OSError where it cannot be read."""
    kind = container(path)
    walk = {
        "png": _png, "jpeg": _jpeg, "webp": _riff, "wav": _riff, "avi": _riff, "gif": _gif, "mp4": _bmff, "mov": _bmff,
        "m4a": _bmff, "avif": _bmff, "heic": _bmff, "heif": _bmff, "mp3": _id3, "flac": _vorbis, "ogg": _vorbis,
        "mkv": _matroska, "webm": _matroska, "md": _front_matter,
    }.get(kind)  # fmt: skip
    found: list[Entry] = []
    left = MAX_TOTAL_CHARS
    if walk is not None:
        with path.open("rb") as file:
            try:
                for entry in walk(file, kind):
                    found.append(entry)
                    left -= len(entry.value)
                    if len(found) >= MAX_PIECES or left < 0:
                        break
            except (struct.error, IndexError, ValueError, OverflowError):
                pass  # the container broke off here; what was read before stands
    sidecar = path.with_name(path.name + LABEL_SIDECAR_SUFFIX)
    if sidecar.is_file() and sidecar.stat().st_size <= MAX_TEXT_BYTES:
        found.append(Entry("sidecar:aigc.json", "AIGC", sidecar.read_bytes().decode("utf-8-sig", "replace")))
    return tuple(found)


def xmp_entries(packet: bytes, carrier: str) -> Iterator[Entry]:
    """The elements and attributes of an XMP packet as "{namespace}name" keys; nothing where it cannot be parsed."""
    root = parse_xmp(packet)
    if root is None:
        return
    for element in root.iter():
        for name, value in element.attrib.items():
            yield Entry(carrier, name, value)
        structural = str(element.tag).startswith(("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}", "{adobe:ns:meta/}"))
        text = "".join(element.itertext()).strip()
        if text and not (structural and len(element)):
            yield Entry(carrier, str(element.tag), text)


def parse_xmp(packet: bytes) -> ElementTree.Element | None:
    """The x:xmpmeta or rdf:RDF element of a packet; None where it is not well-formed or declares entities."""
    start, end = packet.find(b"<"), packet.rfind(b">")
    if start < 0 or b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        return None
    try:
        return ElementTree.fromstring(packet[start : end + 1])  # noqa: S314  entities are refused above
    except (ElementTree.ParseError, ValueError):
        return None


def exif_entries(tiff: bytes, carrier: str) -> Iterator[Entry]:
    """The text tags of an EXIF block, keyed "0x010e"; follows the Exif sub-directory."""
    for tag, start, length in exif_texts(tiff):
        raw = tiff[start : start + length]
        if tag == 0x9286:  # UserComment: eight bytes name the character set
            charset, raw = raw[:8], raw[8:]
            order = "utf-16-le" if tiff[:2] == b"II" else "utf-16-be"
            text = raw.decode(order if charset.startswith(b"UNICODE") else "utf-8", "replace")
        elif tag in (0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E):
            text = raw.decode("utf-16-le", "replace")
        else:
            text = raw.decode("utf-8", "replace")
        text = text.strip("\0 \r\n\t")
        if text:
            yield Entry(carrier, f"0x{tag:04x}", text)


def exif_texts(tiff: bytes) -> Iterator[tuple[int, int, int]]:
    """(tag, start, length in bytes) of every text-like value of an EXIF block."""
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return
    order = "<" if tiff[:2] == b"II" else ">"
    pending, seen = [struct.unpack_from(order + "I", tiff, 4)[0]], set[int]()
    while pending and len(seen) < 16:
        at = pending.pop(0)
        if at in seen or not 8 <= at <= len(tiff) - 2:
            continue
        seen.add(at)
        count = struct.unpack_from(order + "H", tiff, at)[0]
        for index in range(min(count, (len(tiff) - at - 2) // 12)):
            tag, form, number = struct.unpack_from(order + "HHI", tiff, at + 2 + 12 * index)
            inline = at + 2 + 12 * index + 8
            if tag in (0x8769, 0x8825):
                pending.append(struct.unpack_from(order + "I", tiff, inline)[0])
            elif form in (1, 2, 7) and number <= MAX_TEXT_BYTES:
                start = inline if number <= 4 else struct.unpack_from(order + "I", tiff, inline)[0]
                if start + number <= len(tiff):
                    yield tag, start, number
        after = at + 2 + 12 * count
        if after + 4 <= len(tiff):
            pending.append(struct.unpack_from(order + "I", tiff, after)[0])


# --- below: one walk per family of containers


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, length) of every chunk of a PNG, to IEND or where the file ends."""
    size = file.seek(0, 2)
    at = 8
    for _ in range(MAX_PIECES):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        if at + 12 + length > size:
            return
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += 12 + length


def png_text(kind: bytes, data: bytes) -> tuple[str, bytes] | None:
    """Key and decompressed bytes of a tEXt, zTXt or iTXt chunk; None where it is broken or too large."""
    key, zero, rest = data.partition(b"\0")
    if not zero:
        return None
    name = key.decode("latin-1")
    if kind == b"tEXt":
        return name, rest
    if kind == b"zTXt":
        text = _inflate(rest[1:])
        return None if text is None else (name, text)
    if len(rest) < 2:
        return None
    packed = rest[0] == 1
    parts = rest[2:].split(b"\0", 2)
    if len(parts) < 3:
        return None
    body = _inflate(parts[2]) if packed else parts[2]
    return None if body is None else (name, body)


def _png(file: BinaryIO, kind: str) -> Iterator[Entry]:
    for chunk, start, length in png_chunks(file):
        if chunk not in (b"tEXt", b"zTXt", b"iTXt", b"eXIf") or length > MAX_TEXT_BYTES:
            continue
        file.seek(start)
        data = file.read(length)
        if chunk == b"eXIf":
            yield from exif_entries(data, f"{kind}:exif")
            continue
        text = png_text(chunk, data)
        if text is None:
            continue
        name, value = text
        if name == "XML:com.adobe.xmp":
            yield from xmp_entries(value, f"{kind}:xmp")
        else:
            yield Entry(f"{kind}:{chunk.decode()}", name, value.decode("utf-8", "replace"))


def _inflate(data: bytes) -> bytes | None:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else text


def jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(marker, start of the body, length) of every segment of a JPEG before its picture data."""
    at = 2
    for _ in range(MAX_PIECES):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        if head[1] == 0xFF:
            at += 1
            continue
        if head[1] in (0xDA, 0xD9):
            return
        length = struct.unpack(">H", head[2:])[0]
        if length < 2:
            return
        yield head[1], at + 4, length - 2
        at += 2 + length


def _jpeg(file: BinaryIO, kind: str) -> Iterator[Entry]:
    for marker, start, length in jpeg_segments(file):
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            continue
        file.seek(start)
        data = file.read(length)
        if marker == 0xE1 and data.startswith(XMP_IN_JPEG):
            yield from xmp_entries(data[len(XMP_IN_JPEG) :], f"{kind}:xmp")
        elif marker == 0xE1 and data.startswith(b"Exif\0\0"):
            yield from exif_entries(data[6:], f"{kind}:exif")
        elif marker == 0xFE:
            yield Entry(f"{kind}:comment", "comment", data.decode("utf-8", "replace"))
        elif marker != 0xEB and (bare := re.search(rb"AIGC\s*[:=]?\s*(\{.*\})", data, re.DOTALL)):
            yield Entry(f"{kind}:app{marker - 0xE0}", "AIGC", bare[1].decode("utf-8", "replace"))


def riff_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, length) of every top-level chunk of a RIFF file; LIST bodies keep their list type."""
    size = file.seek(0, 2)
    at = 12
    for _ in range(MAX_PIECES):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        kind, length = struct.unpack("<4sI", head)
        if at + 8 + length > size:
            return
        yield kind, at + 8, length
        at += 8 + length + length % 2


def riff_nested(file: BinaryIO) -> Iterator[bytes]:
    """The type of every chunk of a RIFF file, those inside lists too."""
    size = file.seek(0, 2)
    stack = [(12, size)]
    while stack:
        at, end = stack.pop()
        while at + 8 <= end:
            file.seek(at)
            kind, length = struct.unpack("<4sI", file.read(8))
            yield kind
            if at + 8 + length > end:
                break
            if kind in (b"LIST", b"RIFF") and length >= 4 and len(stack) < bmff.MAX_DEPTH:
                stack.append((at + 8 + length + length % 2, end))
                at, end = at + 12, at + 8 + length
            else:
                at += 8 + length + length % 2


def _riff(file: BinaryIO, kind: str) -> Iterator[Entry]:
    for chunk, start, length in riff_chunks(file):
        name = chunk.decode("latin-1")
        if length > MAX_TEXT_BYTES or chunk not in (b"AIGC", b"EXIF", b"XMP ", b"_PMX", b"LIST", b"id3 ", b"ID3 "):
            continue
        file.seek(start)
        data = file.read(length)
        if chunk == b"EXIF":
            yield from exif_entries(data.removeprefix(b"Exif\0\0"), f"{kind}:exif")
        elif chunk in (b"XMP ", b"_PMX"):
            yield from xmp_entries(data, f"{kind}:xmp")
        elif chunk == b"LIST" and data[:4] == b"INFO":
            at = 4
            while at + 8 <= len(data):
                key, long = struct.unpack_from("<4sI", data, at)
                value = data[at + 8 : at + 8 + long]
                yield Entry(f"{kind}:LIST/INFO", key.decode("latin-1"), _plain(value))
                at += 8 + long + long % 2
        elif chunk == b"AIGC":
            yield Entry(f"{kind}:{name}", "AIGC", _plain(data))


def _gif(file: BinaryIO, kind: str) -> Iterator[Entry]:
    for block, label, data, _, _ in gif_extensions(file):
        if block == 0xFE:
            yield Entry(f"{kind}:comment", "comment", data.decode("utf-8", "replace"))
        elif label == b"XMP DataXMP":
            yield from xmp_entries(data, f"{kind}:xmp")
        elif b"AIGC" in label:
            yield Entry(f"{kind}:application", "AIGC", data.decode("utf-8", "replace"))


def gif_extensions(file: BinaryIO) -> Iterator[tuple[int, bytes, bytes, int, int]]:
    """(block label, application name, data, start, end) of every extension of a GIF; XMP comes without its trailer."""
    file.seek(0)
    head = file.read(13)
    at = 13 + (3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0)
    for _ in range(MAX_PIECES):
        file.seek(at)
        mark = file.read(2)
        if not mark or mark[0] == 0x3B:
            return
        if mark[0] == 0x2C:
            file.seek(at + 9)
            flags = file.read(1)[0]
            at += 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0) + 1
            at, _ = _sub_blocks(file, at, keep=False)
        elif mark[0] == 0x21:
            label, start = b"", at
            at += 2
            if mark[1] == 0xFF:
                file.seek(at)
                label = file.read(12)[1:]
                at += 12
            if label == b"XMP DataXMP":  # the packet itself, unblocked, and a 258-byte trailer that ends in zero
                end, data = _xmp_in_gif(file, at)
                yield mark[1], label, data, start, end
                at = end
            else:
                at, data = _sub_blocks(file, at, keep=mark[1] in (0xFE, 0xFF))
                yield mark[1], label, data, start, at
        else:
            return


def gif_blocks(file: BinaryIO) -> Iterator[int]:
    """One item for every extension, picture and sub-block of a GIF, as far as it makes sense."""
    file.seek(0)
    head = file.read(13)
    if len(head) < 13:
        return
    file.seek(3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0, 1)
    while (mark := file.read(1)) and mark[0] in (0x21, 0x2C):
        yield mark[0]
        if mark[0] == 0x21:
            file.seek(1, 1)
        else:
            picture = file.read(9)
            if len(picture) < 9:
                return
            file.seek((3 << ((picture[8] & 7) + 1) if picture[8] & 0x80 else 0) + 1, 1)
        while (size := file.read(1)) and size[0]:
            file.seek(size[0], 1)
            yield 0


def _xmp_in_gif(file: BinaryIO, at: int) -> tuple[int, bytes]:
    file.seek(at)
    data = file.read(MAX_TEXT_BYTES)
    end = data.find(b"\x01\xff\xfe\xfd")
    if end < 0:
        return _sub_blocks(file, at, keep=True)
    return at + end + 258, data[:end]


def _sub_blocks(file: BinaryIO, at: int, *, keep: bool) -> tuple[int, bytes]:
    kept: list[bytes] = []
    total = 0
    file.seek(at)
    while (size := file.read(1)) and size[0]:
        piece = file.read(size[0])
        at += 1 + size[0]
        if keep and total < MAX_TEXT_BYTES:
            kept.append(piece)
            total += len(piece)
    return at + 1, b"".join(kept)


def _bmff(file: BinaryIO, kind: str) -> Iterator[Entry]:
    size = file.seek(0, 2)
    at = 0
    for _ in range(bmff.MAX_BOXES):
        file.seek(at)
        head = file.read(32)
        if len(head) < 8:
            return
        length, name = struct.unpack_from(">I4s", head)
        body = 8
        if length == 1:
            length, body = struct.unpack_from(">Q", head, 8)[0], 16
        elif length == 0:
            length = size - at
        if length < body or at + length > size:
            return
        if name in (b"moov", b"meta", b"udta") and length <= bmff.MAX_TABLES_BYTES:
            file.seek(at)
            data = file.read(length)
            yield from _bmff_text(data, bmff.Box(name, 0, body, length), kind, "", 0)
        elif name == b"uuid" and head[body : body + 16] == XMP_UUID and length <= MAX_TEXT_BYTES:
            file.seek(at + body + 16)
            yield from xmp_entries(file.read(length - body - 16), f"{kind}:uuid/xmp")
        at += length


def _bmff_text(data: bytes, box: bmff.Box, kind: str, path: str, depth: int) -> Iterator[Entry]:
    """The texts below `box`, which is a moov, udta, trak or meta."""
    here = f"{path}/{box.type.decode('latin-1')}".lstrip("/")
    if box.type == b"meta":
        yield from _bmff_meta(data, box, f"{kind}:{here}")
        return
    for child in bmff.children(data, box.body, box.end):
        if child.type in (b"udta", b"meta", b"trak") and depth < 8:
            yield from _bmff_text(data, child, kind, here, depth + 1)
        elif child.type == b"XMP_":
            yield from xmp_entries(data[child.body : child.end], f"{kind}:{here}/XMP_")
        elif child.type == b"uuid" and data[child.body : child.body + 16] == XMP_UUID:
            yield from xmp_entries(data[child.body + 16 : child.end], f"{kind}:{here}/uuid")
        elif box.type == b"udta" and (child.type[:1] == b"\xa9" or child.type == b"AIGC"):
            raw = data[child.body : child.end]
            if child.type[:1] == b"\xa9" and len(raw) >= 4:  # QuickTime text: length, language, text
                raw = raw[4 : 4 + struct.unpack_from(">H", raw)[0]]
            yield Entry(f"{kind}:{here}", child.type.decode("latin-1"), _plain(raw))


def _bmff_meta(data: bytes, meta: bmff.Box, carrier: str) -> Iterator[Entry]:
    for _, found in meta_items(data, meta, carrier):
        yield from found


def meta_items(data: bytes, meta: bmff.Box, carrier: str) -> Iterator[tuple[bmff.Box, tuple[Entry, ...]]]:
    """Every item of the lists in a meta box, and the texts in it."""
    names: list[str] = []
    for box in bmff.children(data, bmff.meta_body(data, meta), meta.end):
        if box.type == b"keys":
            count, at = struct.unpack_from(">I", data, box.body + 4)[0], box.body + 8
            for _ in range(min(count, MAX_PIECES)):
                size = struct.unpack_from(">I", data, at)[0]
                if size < 8 or at + size > box.end:
                    break
                names.append(data[at + 8 : at + size].decode("utf-8", "replace"))
                at += size
        elif box.type == b"ilst":
            for item in bmff.children(data, box.body, box.end):
                yield item, tuple(_bmff_item(data, item, names, carrier))


def _bmff_item(data: bytes, item: bmff.Box, names: list[str], carrier: str) -> Iterator[Entry]:
    index = struct.unpack(">I", item.type)[0]
    key, where = item.type.decode("latin-1"), f"{carrier}/ilst"
    if 0 < index <= len(names):
        key, where = names[index - 1], f"{carrier}/keys"
    for part in bmff.children(data, item.body, item.end):
        if part.type == b"name" and item.type == b"----":
            key, where = data[part.body + 4 : part.end].decode("utf-8", "replace"), f"{carrier}/ilst/----"
        elif part.type == b"data":
            yield Entry(where, key, _plain(data[part.body + 8 : part.end]))


def _id3(file: BinaryIO, kind: str) -> Iterator[Entry]:
    tag = id3.read(file)
    for _, found in id3_frames(tag, kind) if tag else ():
        yield from found


def id3_frames(tag: id3.Tag, kind: str) -> Iterator[tuple[id3.Frame, tuple[Entry, ...]]]:
    """Every frame of `tag` that has texts, and its texts."""
    for frame, name, description, content in tag.texts(MAX_TEXT_BYTES):
        if name == "PRIV":
            if b"xmpmeta" in content:
                yield frame, tuple(xmp_entries(content, f"{kind}:PRIV/xmp"))
            continue
        key = description if name == "TXXX" else description or "comment" if name == "COMM" else name
        yield frame, (Entry(f"{kind}:{name}", key, content.decode()),)


def _vorbis(file: BinaryIO, kind: str) -> Iterator[Entry]:
    for comments in vorbis.flac_comments(file) if kind == "flac" else vorbis.ogg_comments(file):
        for key, value in comments.pairs():
            yield Entry(f"{kind}:comment", key, value)


_SEGMENT, _TAGS, _TAG, _SIMPLE, _NAME, _STRING, _INFO, _MUXER, _WRITER = (
    0x18538067, 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487, 0x1549A966, 0x4D80, 0x5741,
)  # fmt: skip


def _matroska(file: BinaryIO, kind: str) -> Iterator[Entry]:
    """SimpleTags anywhere, and the writing programs. Clusters are skipped by their size, not read."""
    size = file.seek(0, 2)
    stack = [(0, size, 0)]
    for _ in range(MAX_PIECES):
        if not stack:
            return
        at, end, depth = stack.pop()
        element = _ebml(file, at)
        if element is None:
            continue
        ident, body, length = element
        stop = end if length is None else min(body + length, end)
        if stop < end:
            stack.append((stop, end, depth))
        if ident in (_SEGMENT, _TAGS, _TAG, _INFO) and depth < 8:
            stack.append((body, stop, depth + 1))
        elif ident == _SIMPLE and stop - body <= MAX_TEXT_BYTES:
            name, text = "", ""
            inner = body
            while inner < stop and (part := _ebml(file, inner)) is not None and part[2] is not None:
                file.seek(part[1])
                if part[0] == _NAME:
                    name = _plain(file.read(part[2]))
                elif part[0] == _STRING:
                    text = _plain(file.read(part[2]))
                inner = part[1] + part[2]
            yield Entry(f"{kind}:SimpleTag", name, text)
        elif ident in (_MUXER, _WRITER) and stop - body <= 4096:
            file.seek(body)
            yield Entry(
                f"{kind}:Info", "WritingApp" if ident == _WRITER else "MuxingApp", _plain(file.read(stop - body))
            )


def _ebml(file: BinaryIO, at: int) -> tuple[int, int, int | None] | None:
    """(id, start of the body, length or None where unknown) of the element at `at`; None at the end or in noise."""
    file.seek(at)
    head = file.read(12)
    if len(head) < 2 or head[0] < 0x10:
        return None
    wide = 9 - head[0].bit_length()
    ident = int.from_bytes(head[:wide], "big")
    rest = head[wide:]
    if not rest or rest[0] == 0:
        return None
    long = 9 - rest[0].bit_length()
    if len(rest) < long:
        return None
    value = int.from_bytes(rest[:long], "big") & ((1 << 7 * long) - 1)
    return ident, at + wide + long, None if value == (1 << 7 * long) - 1 else value


def _front_matter(file: BinaryIO, kind: str) -> Iterator[Entry]:
    file.seek(0)
    text = file.read(MAX_TEXT_BYTES).decode("utf-8-sig", "replace")
    span = front_matter_span(text)
    if span is None:
        return
    for match in FRONT_MATTER_LABEL.finditer(text[span[0] : span[1]].replace("\r\n", "\n")):
        yield Entry(f"{kind}:front-matter", match[1], match[2])


FRONT_MATTER_LABEL = re.compile(r"^([\w.-]*AIGC[\w.-]*):[ \t]*((?:.*)(?:\r?\n[ \t]+.*)*)(?:\r?\n|\Z)", re.MULTILINE)
"""A top-level front matter field whose name holds AIGC, with its indented lines."""


def front_matter_span(text: str) -> tuple[int, int] | None:
    """Where the YAML between the first two lines of three dashes lies; None where the text does not begin with one."""
    match = re.match(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return match.span(1) if match else None


def _plain(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip("\0")
