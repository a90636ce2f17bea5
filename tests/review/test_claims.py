"""What a submitter says of a file can add to what is found in it, never take away from what is looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from provenance.media import Unusable
from review.examine import take_in
from review.submission import SubmissionError, judged_at

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One work of each nature: film.mp4, still.png, sound.wav, words.txt, and bytes.txt that is a film."""
    folder = tmp_path_factory.mktemp("works")
    with av.open(str(folder / "film.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for n in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), n * 20, np.uint8), format="rgb24")))
        out.mux(stream.encode())
    Image.new("RGB", (64, 64), "teal").save(folder / "still.png")
    with av.open(str(folder / "sound.wav"), "w") as out:
        sound = out.add_stream("pcm_s16le", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        out.mux(sound.encode(frame))
    (folder / "words.txt").write_text("一句台词。\n", "utf-8")
    (folder / "bytes.txt").write_bytes((folder / "film.mp4").read_bytes())
    return folder


def _kind(works: Path, name: str, declared: str, into: Path) -> str:
    answer = take_in(str(works / name), name, declared, str(into / f"normalised{Path(name).suffix}"))
    return str(answer["kind"])


@pytest.mark.parametrize(
    ("name", "declared", "kind"),
    [
        ("film.mp4", "episode", "episode"),
        ("film.mp4", "trailer", "trailer"),
        ("still.png", "episode", "image"),
        ("still.png", "cover", "cover"),
        ("still.png", "storyboard", "image"),
        ("sound.wav", "episode", "audio"),
        ("words.txt", "script", "script"),
    ],
)
def test_a_work_is_what_its_papers_say_where_that_is_what_it_is(
    name: str, declared: str, kind: str, works: Path, tmp_path: Path
) -> None:
    assert _kind(works, name, declared, tmp_path) == kind


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        *(("film.mp4", kind) for kind in ("audio", "image", "cover", "character_sheet", "script", "storyboard")),
        *(("still.png", kind) for kind in ("audio", "trailer", "script")),
        *(("sound.wav", kind) for kind in ("image", "shot", "script")),
        *(("words.txt", kind) for kind in ("episode", "audio", "cover")),
        ("bytes.txt", "script"),
    ],
)
def test_papers_cannot_make_a_work_into_something_nobody_looks_at(
    name: str, declared: str, works: Path, tmp_path: Path
) -> None:
    with pytest.raises(Unusable, match=name):
        _kind(works, name, declared, tmp_path)


def test_rules_are_judged_as_of_the_day_of_publication_but_never_of_a_day_gone_by() -> None:
    later, earlier = NOW + timedelta(days=40), NOW - timedelta(days=400)
    assert [judged_at(stated, NOW) for stated in (None, later, earlier)] == [NOW, later, NOW]


@pytest.mark.parametrize("stated", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2027-01-01T00:00:00"])
def test_a_day_nobody_can_mean_is_refused(stated: str) -> None:
    with pytest.raises(SubmissionError, match="planned_publish_at"):
        judged_at(datetime.fromisoformat(stated), NOW)
