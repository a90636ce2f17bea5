"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new path beside `target`, moved onto it when the block ends well and removed when it raises.

    The bytes are on disk before the move, so that a power cut leaves the old file or the new one. The path keeps
    the suffix of `target`, because libraries look at it. Raises OSError where the folder cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=".writing-", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    fresh = Path(name)
    try:
        yield fresh
        fresh.chmod(0o666 & ~_umask())
        sync(fresh)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync(target.parent)


def copy_part(src: BinaryIO, dst: BinaryIO, length: int) -> None:
    """Copy the next `length` bytes of `src`. Raises EOFError where it has fewer."""
    while length:
        piece = src.read(min(length, 1 << 20))
        if not piece:
            raise EOFError("the file became shorter while it was read")
        dst.write(piece)
        length -= len(piece)


def sync(path: Path) -> None:
    """Have the system put `path`, a file or a folder, on disk now."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def same_file(a: Path, b: Path) -> bool:
    """Whether both names lead to one file; False where either does not exist."""
    try:
        return a.samefile(b)
    except FileNotFoundError:
        return False


def _umask() -> int:
    """The process's umask. Linux tells it without changing it, which would race with other threads."""
    try:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o077
