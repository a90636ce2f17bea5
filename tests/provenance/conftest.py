"""Small real files of every kind, made once, and keys to sign them with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from provenance.asset import AssetKind
from provenance.keys import Keys, Trust, development
from provenance.sign import Action, Ingredient, Signed, sign

MADE = Action("c2pa.created", source_type="trainedAlgorithmicMedia", tool="Model", tool_version="1")


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small file per format, called a.<suffix>."""
    folder = tmp_path_factory.mktemp("samples")
    rng = np.random.default_rng(7)
    picture = Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
    for suffix in ("png", "jpg", "webp", "gif", "avif", "pdf"):
        picture.save(folder / f"a.{suffix}")
    _film(folder / "a.mp4", rng)
    _film(folder / "a.mov", rng)
    _film(folder / "a.webm", rng, codec="libvpx", sound="libopus")
    for suffix, codec, container in (
        ("m4a", "aac", "ipod"),
        ("wav", "pcm_s16le", "wav"),
        ("mp3", "libmp3lame", "mp3"),
        ("flac", "flac", "flac"),
        ("ogg", "libopus", "ogg"),
    ):
        with av.open(str(folder / f"a.{suffix}"), "w", format=container) as out:
            _sound(out, out.add_stream(codec, rate=48000), rng)
    (folder / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><rect width="4" height="4"/></svg>\n', "utf-8"
    )
    (folder / "a.json").write_text('{"title": "一"}\n', "utf-8")
    (folder / "a.txt").write_text("第一场\n", "utf-8")
    (folder / "a.md").write_text("# 第一集\n\n正文\n", "utf-8")
    (folder / "a.fountain").write_text("Title: One\n\nINT. ROOM - DAY\n", "utf-8")
    (folder / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\n你好\n", "utf-8")
    return folder


def _film(path: Path, rng: np.random.Generator, codec: str = "libx264", sound: str = "aac") -> None:
    with av.open(str(path), "w") as out:
        picture = out.add_stream(codec, rate=12)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        track = out.add_stream(sound, rate=48000)
        for _ in range(12):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), "rgb24")
            out.mux(picture.encode(frame))
        out.mux(picture.encode())
        _sound(out, track, rng)


def _sound(out: av.container.OutputContainer, track: av.AudioStream, rng: np.random.Generator) -> None:
    for index in range(12):
        noise = (rng.standard_normal((1, 960)) * 3000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, "s16", "mono")
        frame.rate, frame.pts = 48000, index * 960
        out.mux(track.encode(frame))
    out.mux(track.encode())


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return development(tmp_path_factory.mktemp("keys-home"))


@pytest.fixture(scope="session")
def trust(keys: Keys) -> Trust:
    return keys.trust()


@pytest.fixture
def sealed(keys: Keys, trust: Trust) -> Callable[..., Signed]:
    """Seal a file as the generator, or as `role`, as AI-made unless told otherwise."""

    def seal(
        src: Path, out: Path, *actions: Action, ingredients: tuple[Ingredient, ...] = (), role: str = "generator"
    ) -> Signed:
        return sign(
            src,
            out,
            kind=AssetKind.SHOT,
            identity=keys.identity(role),
            trust=trust,
            title=out.name,
            actions=actions or (MADE,),
            ingredients=ingredients,
        )

    return seal
