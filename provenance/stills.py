"""Picture files by their bytes: which format, and the digest of what is drawn apart from what is said about it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""What Pillow may open; everything else it knows is refused."""

_PNG_DRAWN = {
    b"IHDR",
    b"PLTE",
    b"tRNS",
    b"IDAT",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"gAMA",
    b"sRGB",
    b"iCCP",
    b"cHRM",
    b"cICP",
}
_WEBP_DRAWN = {b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}


def kind(path: Path) -> str | None:
    """Which picture format the first bytes say; None where it is no picture of `FORMATS`."""
    with path.open("rb") as file:
        head = file.read(32)
    starts = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF", b"BM": "BMP"}
    starts |= {b"II*\x00": "TIFF", b"MM\x00*": "TIFF"}
    for start, name in starts.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "AVIF"
    return None


def essence(path: Path) -> str:
    """SHA-256 over the coded picture, without metadata. Raises ValueError where the file falls apart."""
    data = path.read_bytes()
    name = kind(path) or ""
    drawn = {"PNG": _png, "JPEG": _jpeg, "GIF": _gif, "WEBP": _webp}.get(name, _whole)
    whole = hashlib.sha256(f"dramagate/essence@1\n{name}\n".encode())
    for part in drawn(data):
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()


def webp_durations_ms(path: Path) -> list[float]:
    """How long each picture of an animated WebP is shown, in milliseconds; empty where it is a still."""
    return [
        float(int.from_bytes(part[4 + 12 : 4 + 15], "little"))
        for part in _webp(path.read_bytes())
        if part[:4] == b"ANMF"
    ]


def _whole(data: bytes) -> Iterator[bytes]:
    yield data


def _png(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise ValueError(f"the {name.decode('latin-1')} chunk ends after the file does")
        if name in _PNG_DRAWN:
            yield name + data[at + 8 : at + 8 + length]
        if name == b"IEND":
            return
        at += 12 + length
    raise ValueError("there is no IEND chunk")


def _webp(data: bytes) -> Iterator[bytes]:
    at, end = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ValueError("the RIFF chunk ends after the file does")
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        if name in _WEBP_DRAWN:
            yield name + data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _jpeg(data: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError(f"there is no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            return
        length = struct.unpack_from(">H", data, at + 2)[0]
        segment = data[at : at + 2 + length]
        if marker == 0xDA:
            yield data[at:]  # the scan, with whatever follows up to the end of the file
            return
        said = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not said or marker == 0xEE or segment[4:16] == b"ICC_PROFILE\0":
            yield segment
        elif segment[4:10] == b"Exif\0\0":
            yield b"orientation" + bytes([_orientation(segment[10:])])
        at += 2 + length
    raise ValueError("the picture ends before its scan")


def _orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        first = struct.unpack_from(order + "I", tiff, 4)[0]
        for n in range(struct.unpack_from(order + "H", tiff, first)[0]):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * n)
            if tag == 0x0112:
                return int(value) & 0xFF
    except struct.error:
        return 1
    return 1


def _gif(data: bytes) -> Iterator[bytes]:
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    yield data[6:at]
    while at < len(data):
        start = at
        block = data[at]
        if block == 0x3B:
            return
        if block == 0x21:
            label = data[at + 1]
            at = _sub_blocks(data, at + 2)
            if label == 0xF9:  # graphic control: timing and transparency
                yield data[start:at]
        elif block == 0x2C:
            flags = data[at + 9]
            at = _sub_blocks(data, at + 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0))
            yield data[start:at]
        else:
            raise ValueError(f"there is no block at byte {at}")


def _sub_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1
