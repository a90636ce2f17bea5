from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.blobs import LocalBlobs, TooLarge, WrongDigest


def files(root: Path) -> list[Path]:
    return [f for f in root.rglob("*") if f.is_file()]


@given(pieces=st.lists(st.binary(max_size=50), max_size=8))
def test_what_was_written_in_any_pieces_lies_whole_under_its_digest(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    with TemporaryDirectory() as folder:
        blobs = LocalBlobs(Path(folder))
        with blobs.receive() as arriving:
            for piece in pieces:
                arriving.write(piece)
            name = arriving.keep()
        assert name == hashlib.sha256(whole).hexdigest()
        assert blobs.path(name).read_bytes() == whole
        assert files(Path(folder)) == [blobs.path(name)]


def test_a_file_put_twice_is_kept_once_and_stays_with_its_giver(tmp_path: Path) -> None:
    given_file = tmp_path / "film.mp4"
    given_file.write_bytes(b"frames")
    blobs = LocalBlobs(tmp_path / "blobs")
    first, second = blobs.put(given_file), blobs.put(given_file)
    assert first == second
    assert files(tmp_path / "blobs") == [blobs.path(first)]
    assert given_file.read_bytes() == b"frames"
    assert stat.S_IMODE(blobs.path(first).stat().st_mode) == 0o600


def test_nothing_of_a_file_with_another_digest_is_kept(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    with blobs.receive() as arriving:
        arriving.write(b"frames")
        with pytest.raises(WrongDigest, match=r"have SHA-256 [0-9a-f]{64}, announced was 0{64}: send again"):
            arriving.keep("0" * 64)
    assert files(tmp_path) == []


def test_nothing_of_a_file_that_was_too_large_or_never_ended_is_kept(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    with pytest.raises(TooLarge, match="more than the 4 bytes"), blobs.receive(4) as arriving:
        arriving.write(b"12345")
    with blobs.receive(4) as arriving:
        arriving.write(b"1234")
    assert files(tmp_path) == []
    with blobs.receive(4) as arriving:
        arriving.write(b"1234")
        arriving.keep()
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "/..", "a" * 64])
def test_a_name_that_is_no_digest_of_a_kept_file_reaches_nothing(tmp_path: Path, name: str) -> None:
    blobs = LocalBlobs(tmp_path)
    assert name not in blobs
    with pytest.raises(KeyError):
        blobs.path(name)
