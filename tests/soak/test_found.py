"""What the long runs have found, each in its smallest form. These run with every other test."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from provenance import media


def test_a_picture_that_cannot_be_told_is_refused_without_telling_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "cover.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(media.Unusable) as refused:
        media.probe(path)
    assert str(refused.value) == "cover.png is not a picture that can be read: export it again"


def animated(path: Path) -> Path:
    shades = [Image.new("RGB", (32, 32), (40 * n, 90, 200 - 30 * n)) for n in range(5)]
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=200)
    return path


def test_an_animation_of_which_some_pictures_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    path = animated(tmp_path / "a.webp")
    assert media.probe(path).duration_us == 1_000_000
    data = bytearray(path.read_bytes())
    third = [at for at in range(len(data)) if data.startswith(b"ANMF", at)][2]
    size = int.from_bytes(data[third + 4 : third + 8], "little")
    data[third + 4 : third + 8] = (size + 8).to_bytes(4, "little")  # it reaches into the header of the next
    path.write_bytes(data)
    with pytest.raises(media.Unusable, match=r"^a\.webp "), media.decode(path) as decoding:
        list(decoding)
