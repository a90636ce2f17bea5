"""Files kept by what they contain. A blob is there whole, or it is not there."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SHA256 = re.compile(r"[0-9a-f]{64}")
PIECE_BYTES = 1 << 20


class BlobError(ValueError):
    """What arrived cannot be kept: too large, or not what was announced. One sentence."""


class TooLarge(BlobError):
    """More bytes came than may be kept."""


class WrongDigest(BlobError):
    """The bytes are not the ones their digest announced."""


@dataclass(frozen=True)
class LocalBlobs:
    """A folder of blobs: <root>/<first two hex digits>/<sha256>. Implements `desk.Blobs`."""

    root: Path

    def path(self, sha256: str) -> Path:
        """Where the blob lies. Raises KeyError where there is none."""
        path = self._place(sha256)
        if not path.is_file():
            raise KeyError(sha256)
        return path

    def __contains__(self, sha256: object) -> bool:
        """Whether the blob is kept here."""
        return isinstance(sha256, str) and SHA256.fullmatch(sha256) is not None and self._place(sha256).is_file()

    def put(self, file: Path) -> str:
        """Keep a copy of `file`; its SHA-256."""
        with self.receive() as arriving, file.open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                arriving.write(piece)
            return arriving.keep()

    @contextmanager
    def receive(self, limit_bytes: int | None = None) -> Iterator[Arriving]:
        """A blob to write piece by piece. Left without `keep()`, nothing of it stays."""
        incoming = self.root / "incoming"
        _make_private(incoming)
        path = incoming / secrets.token_hex(16)
        with path.open("xb") as file:
            path.chmod(0o600)
            try:
                yield Arriving(self, path, file, limit_bytes)
            finally:
                path.unlink(missing_ok=True)

    def adopt(self, file: Path, sha256: str) -> str:
        """Move `file`, whose digest is known to be `sha256`, to its place; it must lie on the same disk."""
        place = self._place(sha256)
        if place.is_file():
            file.unlink()
            return sha256
        _make_private(place.parent)
        file.chmod(0o600)
        file.rename(place)
        _sync_folder(place.parent)
        return sha256

    def _place(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise KeyError(sha256)
        return self.root / sha256[:2] / sha256


@dataclass
class Arriving:
    """A blob being written: hashed on the way, counted against its limit."""

    blobs: LocalBlobs
    path: Path
    file: IO[bytes]
    limit_bytes: int | None
    size_bytes: int = 0

    def __post_init__(self) -> None:
        """Begin the digest."""
        self._sha = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Append `piece`. Raises TooLarge once there is more than the limit."""
        self.size_bytes += len(piece)
        if self.limit_bytes is not None and self.size_bytes > self.limit_bytes:
            raise TooLarge(f"the file has more than the {self.limit_bytes} bytes taken in here: split or compress it")
        self._sha.update(piece)
        self.file.write(piece)

    @property
    def sha256(self) -> str:
        """Digest of what was written so far, lower-case hex."""
        return self._sha.hexdigest()

    def keep(self, expected: str | None = None) -> str:
        """Make it a blob, on disk for good; its SHA-256. Raises WrongDigest where that is not `expected`."""
        if expected is not None and expected != self.sha256:
            raise WrongDigest(
                f"the bytes that arrived have SHA-256 {self.sha256}, announced was {expected}: send again"
            )
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.blobs.adopt(self.path, self.sha256)


def _make_private(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
