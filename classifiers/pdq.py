"""PDQ hashes of pictures: 256 bits that survive re-encoding, scaling and small edits.

Own implementation from the 64x64 luma picture every frame has anyway; the published reference starts
from the full picture and filters it down to the same 64x64.
Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook, 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 256
RADIUS = 31
"""Bits within which Meta calls two hashes the same picture."""
USABLE_QUALITY = 50
"""Least quality at which Meta matches a hash; below it the picture is too plain to tell from others."""

Hashes = NDArray[np.uint64]
"""uint64[n, 4]: one hash a row, the first word holding its highest bits."""

_ROWS = np.arange(1, 17)[:, None]
_COLUMNS = np.arange(64)[None, :]
_DCT = (np.sqrt(2 / 64) * np.cos(np.pi / 2 / 64 * _ROWS * (2 * _COLUMNS + 1))).astype(np.float32)


def spectrum(luma64: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n, 16, 16]: the lowest frequencies, without the mean, of float32[n, 64, 64] pictures."""
    return np.asarray(_DCT @ luma64 @ _DCT.T, np.float32)


def hashes(luma64: NDArray[np.float32]) -> Hashes:
    """The hashes of float32[n, 64, 64] luma pictures, all at once."""
    return from_spectrum(spectrum(luma64))


def from_spectrum(low: NDArray[np.float32]) -> Hashes:
    """One bit for each frequency: whether it is stronger than the median one."""
    flat = low.reshape(len(low), BITS)
    median = np.partition(flat, BITS // 2 - 1, axis=1)[:, BITS // 2 - 1 : BITS // 2]
    return _packed(flat > median)


def quality(luma64: NDArray[np.float32]) -> NDArray[np.int64]:
    """int64[n] in 0..100: how much there is in each picture to tell it by. Whole grey-level steps count."""
    down = np.abs(np.diff(luma64, axis=1)) * (100 / 255)
    across = np.abs(np.diff(luma64, axis=2)) * (100 / 255)
    steps = down.astype(np.int64).sum(axis=(1, 2)) + across.astype(np.int64).sum(axis=(1, 2))
    return np.asarray(np.minimum(steps // 90, 100), np.int64)


def dihedral(low: NDArray[np.float32]) -> dict[str, Hashes]:
    """The hashes of the same pictures mirrored and turned, without looking at them again."""
    odd = np.where(np.arange(1, 17) % 2, np.float32(-1), np.float32(1))
    turned = low.transpose(0, 2, 1)
    mirror, flip = odd[None, None, :], odd[None, :, None]
    return {
        "upright": from_spectrum(low),
        "mirrored": from_spectrum(low * mirror),
        "upside_down": from_spectrum(low * flip * mirror),
        "flipped": from_spectrum(low * flip),
        "turned_left": from_spectrum(turned * flip),
        "turned_right": from_spectrum(turned * mirror),
        "transposed": from_spectrum(turned),
        "transverse": from_spectrum(turned * flip * mirror),
    }


def distances(a: Hashes, b: Hashes) -> NDArray[np.uint16]:
    """uint16[len(a), len(b)]: how many bits differ, every one of `a` against every one of `b`."""
    total = np.zeros((len(a), len(b)), np.uint16)
    for word in range(4):
        total += np.bitwise_count(a[:, None, word] ^ b[None, :, word])
    return total


def to_hex(row: NDArray[np.uint64]) -> str:
    """64 hex digits as Meta publishes them."""
    return "".join(f"{int(word):016x}" for word in row)


def from_hex(text: str) -> NDArray[np.uint64]:
    """The hash Meta writes as 64 hex digits. Raises ValueError for anything else."""
    if len(text) != 64:
        raise ValueError(f"a PDQ hash has 64 hex digits, this has {len(text)}: {text[:80]!r}")
    return np.array([int(text[i : i + 16], 16) for i in range(0, 64, 16)], np.uint64)


def _packed(bits: NDArray[np.bool_]) -> Hashes:
    """Bit 0 of the published order is the last digit's lowest."""
    octets = np.packbits(bits[:, ::-1], axis=1)
    return octets.view(">u8").astype(np.uint64)
