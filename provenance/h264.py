"""H.264 as it lies in MP4: parameter sets, NAL units, and two encodings living in one track.

A film cut without re-encoding holds pictures of two encoders. Each refers to its own parameter sets
by number, so both fit into one configuration record (ISO/IEC 14496-15, 5.3.3.1) as long as the
numbers differ. That is why no parameter set has to be written between the samples, which players that
read only the record (avc1) would not find.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

IDR, SPS, PPS = 5, 7, 8
"""nal_unit_type of ISO/IEC 14496-10, table 7-1."""
_WITH_CHROMA_FORMAT = {100, 110, 122, 144, 244}
"""profile_idc values whose configuration record ends with chroma format and bit depths."""


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sequence and picture parameter sets of one track, without start codes or lengths."""

    profile: int
    compatibility: int
    level: int
    length_size: int
    """Bytes before each NAL unit of a sample that give its length: 1, 2 or 4."""
    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]

    @classmethod
    def of_record(cls, record: bytes) -> ParameterSets:
        """The sets of an AVCDecoderConfigurationRecord. Raises ValueError where `record` is not one."""
        try:
            if record[0] != 1:
                raise ValueError("not an AVC decoder configuration record: its version is not 1")
            sequence, at = _units(record, 6, record[5] & 31)
            picture, _ = _units(record, at + 1, record[at])
        except (IndexError, struct.error) as error:
            raise ValueError("the AVC decoder configuration record is cut off") from error
        if not sequence or not picture:
            raise ValueError("the AVC decoder configuration record holds no parameter sets")
        return cls(record[1], record[2], record[3], (record[4] & 3) + 1, sequence, picture)

    @classmethod
    def of_annex_b(cls, stream: bytes) -> ParameterSets:
        """The sets at the head of an encoder's byte stream. Raises ValueError where there are none."""
        units = list(annex_b_units(stream))
        sequence = tuple(unit for unit in units if unit and unit[0] & 31 == SPS)
        picture = tuple(unit for unit in units if unit and unit[0] & 31 == PPS)
        if not sequence or not picture:
            raise ValueError("the encoder gave no parameter sets")
        return cls(sequence[0][1], sequence[0][2], sequence[0][3], 4, sequence, picture)

    def numbers(self) -> set[int]:
        """Every seq_parameter_set_id and pic_parameter_set_id in use."""
        return {_first_number(unit, 4) for unit in self.sequence} | {_first_number(unit, 1) for unit in self.picture}

    def free_number(self) -> int:
        """A number no set uses, that both a sequence and a picture set may carry. Raises ValueError."""
        taken = self.numbers()
        for number in range(31, -1, -1):
            if number not in taken:
                return number
        raise ValueError("all 32 parameter set numbers are taken")

    def record_with(self, other: ParameterSets) -> bytes:
        """One configuration record that holds these sets and `other`'s, lengths written as here.

        Says the higher profile and level of the two, and only the constraints both keep.
        """
        profile = max(self.profile, other.profile)
        sequence = self.sequence + other.sequence
        picture = self.picture + other.picture
        head = bytes(
            (
                1,
                profile,
                self.compatibility & other.compatibility,
                max(self.level, other.level),
                0xFC | (self.length_size - 1),
                0xE0 | len(sequence),
            )
        )
        # 4:2:0 at 8 bits: the only pictures provenance.edit copies (0xFC | 1, 0xF8 | 0, 0xF8 | 0, no extensions).
        tail = b"\xfd\xf8\xf8\x00" if profile in _WITH_CHROMA_FORMAT else b""
        return head + _with_lengths(sequence) + bytes((len(picture),)) + _with_lengths(picture) + tail


def annex_b_units(stream: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream, without start codes and trailing zeros (ISO/IEC 14496-10, annex B)."""
    start = stream.find(b"\x00\x00\x01")
    while start >= 0:
        after = stream.find(b"\x00\x00\x01", start + 3)
        yield (
            stream[start + 3 : after if after >= 0 else len(stream)].rstrip(b"\x00")
            if after >= 0
            else stream[start + 3 :]
        )
        start = after


def length_prefixed(stream: bytes, length_size: int) -> bytes:
    """An Annex B access unit as an MP4 sample. Raises ValueError where a unit is too long for `length_size`."""
    sample = bytearray()
    for unit in annex_b_units(stream):
        if unit[0] & 31 in (SPS, PPS):
            continue
        if len(unit) >> (8 * length_size):
            raise ValueError(f"a NAL unit of {len(unit)} bytes does not fit a length of {length_size} bytes")
        sample += len(unit).to_bytes(length_size, "big") + unit
    return bytes(sample)


def starts_afresh(sample: bytes, length_size: int) -> bool:
    """Whether an MP4 sample is an instantaneous decoder refresh: nothing after it refers to anything before it."""
    at = 0
    while at + length_size < len(sample):
        length = int.from_bytes(sample[at : at + length_size], "big")
        kind = sample[at + length_size] & 31
        if 1 <= kind <= IDR:
            return kind == IDR
        at += length_size + length
    return False


def _units(record: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from(">H", record, at)
        unit = record[at + 2 : at + 2 + length]
        if len(unit) != length or not unit:
            raise IndexError(at)
        found.append(unit)
        at += 2 + length
    return tuple(found), at


def _with_lengths(units: tuple[bytes, ...]) -> bytes:
    return b"".join(struct.pack(">H", len(unit)) + unit for unit in units)


def _first_number(unit: bytes, offset: int) -> int:
    """The first Exp-Golomb number of a parameter set, `offset` bytes into it (ISO/IEC 14496-10, 9.1)."""
    bits = int.from_bytes(unit[offset : offset + 8].ljust(8, b"\x00"), "big")
    zeros = 64 - bits.bit_length()
    if zeros > 15:
        raise ValueError("a parameter set has no readable number")
    return (bits >> (63 - 2 * zeros)) - 1
