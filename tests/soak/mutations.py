"""What a hostile or broken hand does to a file. The same seed always gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

NESTING = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf", b"ilst")


@dataclass(frozen=True)
class Piece:
    """A box, chunk, segment or line: where it lies, and where its size is written (0 bytes where nowhere)."""

    start: int
    end: int
    size_at: int
    size_bytes: int
    big_endian: bool = True


def mutated(data: bytes, suffix: str, seed: int) -> tuple[str, bytes]:
    """The name of what was done, and the bytes. Never the same bytes as before."""
    dice = np.random.default_rng([seed, len(data)])
    for _ in range(64):
        name = str(dice.choice(list(_WAYS)))
        changed = _WAYS[name](bytearray(data), pieces(data, suffix), dice)
        if bytes(changed) != data:
            return name, bytes(changed)
    raise AssertionError(f"64 mutations in a row changed nothing of {len(data)} bytes")


def pieces(data: bytes, suffix: str) -> list[Piece]:
    """The parts a file of this kind is made of; at least one."""
    walker = _WALKERS.get(suffix, _lines)
    return list(walker(data)) or [Piece(0, len(data), 0, 0)]


# ---------------------------------------------------------------- what files are made of


def _boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Piece]:
    end = len(data) if end is None else end
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > end:
            return
        yield Piece(start, start + size, start, 4)
        if data[start + 4 : start + 8] in NESTING:
            yield from _boxes(data, start + 8, start + size)
        start += size


def _png_chunks(data: bytes) -> Iterator[Piece]:
    at = 8
    while at + 12 <= len(data):
        size = 12 + int.from_bytes(data[at : at + 4], "big")
        yield Piece(at, min(at + size, len(data)), at, 4)
        at += size


def _riff_chunks(data: bytes) -> Iterator[Piece]:
    yield Piece(0, len(data), 4, 4, big_endian=False)
    at = 12
    while at + 8 <= len(data):
        size = 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        size += size % 2
        yield Piece(at, min(at + size, len(data)), at + 4, 4, big_endian=False)
        at += size


def _jpeg_segments(data: bytes) -> Iterator[Piece]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield Piece(at, min(at + size, len(data)), at + 2, 2)
        at += size
    yield Piece(at, len(data), at + 2, 2)


_EBML = (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"\x1c\x53\xbb\x6b")


def _ebml_elements(data: bytes) -> Iterator[Piece]:
    """The header, segment, clusters, tracks and cues, found by their four-byte ids."""
    starts = sorted(at for mark in _EBML if (at := data.find(mark)) >= 0)
    starts += [at for at in range(1, len(data)) if data.startswith(_EBML[2], at) and at not in starts]
    starts.sort()
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        yield Piece(start, end, start + 4, 8 if data[start + 4] == 1 else 1)


def _lines(data: bytes) -> Iterator[Piece]:
    at = 0
    for line in data.splitlines(keepends=True):
        yield Piece(at, at + len(line), at, 0)
        at += len(line)


_WALKERS: dict[str, Callable[[bytes], Iterator[Piece]]] = {
    "mp4": _boxes, "png": _png_chunks, "jpg": _jpeg_segments, "webp": _riff_chunks, "wav": _riff_chunks,
    "mkv": _ebml_elements, "srt": _lines, "json": _lines,
}  # fmt: skip


# ---------------------------------------------------------------- what is done to them

Dice = np.random.Generator


def _flip(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    """A few bytes, in the middle of the samples or, as often, near the start of some part."""
    for _ in range(int(dice.integers(1, 9))):
        at = int(dice.integers(len(data)))
        if dice.random() < 0.5:
            at = min(len(data) - 1, parts[int(dice.integers(len(parts)))].start + int(dice.integers(24)))
        data[at] ^= int(dice.integers(1, 256))
    return data


def _bit(data: bytearray, _: list[Piece], dice: Dice) -> bytearray:
    data[int(dice.integers(len(data)))] ^= 1 << int(dice.integers(8))
    return data


def _truncate(data: bytearray, _: list[Piece], dice: Dice) -> bytearray:
    return data[: int(dice.integers(len(data)))]


def _span(data: bytearray, dice: Dice) -> tuple[int, int]:
    start = int(dice.integers(len(data)))
    return start, min(len(data), start + int(dice.integers(1, max(2, len(data) // 4))))


def _remove(data: bytearray, _: list[Piece], dice: Dice) -> bytearray:
    start, end = _span(data, dice)
    return data[:start] + data[end:]


def _duplicate(data: bytearray, _: list[Piece], dice: Dice) -> bytearray:
    start, end = _span(data, dice)
    return data[:end] + data[start:]


def _zero(data: bytearray, _: list[Piece], dice: Dice) -> bytearray:
    start, end = _span(data, dice)
    data[start:end] = bytes(end - start)
    return data


def _noise(data: bytearray, _: list[Piece], dice: Dice) -> bytearray:
    start, end = _span(data, dice)
    data[start:end] = dice.bytes(end - start)
    return data


def _append(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    """Something after the end: garbage, or a part of the file once more."""
    one = parts[int(dice.integers(len(parts)))]
    return data + (data[one.start : one.end] if dice.random() < 0.5 else dice.bytes(int(dice.integers(1, 4096))))


def _size_lie(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    sized = [p for p in parts if p.size_bytes and p.size_at + p.size_bytes <= len(data)]
    if not sized:
        return data
    one = sized[int(dice.integers(len(sized)))]
    order = "big" if one.big_endian else "little"
    true = int.from_bytes(data[one.size_at : one.size_at + one.size_bytes], order)  # type: ignore[arg-type]
    top = (1 << 8 * one.size_bytes) - 1
    lies = [0, 1, 7, 8, true + 1, true - 1, true + 8, true * 2, true // 2, top, top >> 1, int(dice.integers(1 << 31))]
    lie = min(top, max(0, lies[int(dice.integers(len(lies)))]))
    data[one.size_at : one.size_at + one.size_bytes] = lie.to_bytes(one.size_bytes, order)  # type: ignore[arg-type]
    return data


def _swap(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    """Two parts that do not lie in each other change places."""
    a, b = sorted((parts[int(dice.integers(len(parts)))] for _ in range(2)), key=lambda p: p.start)
    if a.end > b.start:
        return data
    return data[: a.start] + data[b.start : b.end] + data[a.end : b.start] + data[a.start : a.end] + data[b.end :]


def _drop_part(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    one = parts[int(dice.integers(len(parts)))]
    return data[: one.start] + data[one.end :]


def _part_again(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    """A part once more, somewhere else: a second moov, a second manifest, a second header."""
    one, where = (parts[int(dice.integers(len(parts)))] for _ in range(2))
    return data[: where.end] + data[one.start : one.end] + data[where.end :]


def _rename(data: bytearray, parts: list[Piece], dice: Dice) -> bytearray:
    """The name of a part becomes another's."""
    one, other = (parts[int(dice.integers(len(parts)))] for _ in range(2))
    data[one.start + 4 : one.start + 8] = data[other.start + 4 : other.start + 8]
    return data


_WAYS: dict[str, Callable[[bytearray, list[Piece], Dice], bytearray]] = {
    "flip": _flip, "bit": _bit, "truncate": _truncate, "remove": _remove, "duplicate": _duplicate, "zero": _zero,
    "noise": _noise, "append": _append, "size_lie": _size_lie, "swap": _swap, "drop_part": _drop_part,
    "part_again": _part_again, "rename_part": _rename,
}  # fmt: skip
