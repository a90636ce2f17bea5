"""Registered works are found in films, however they were changed; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from classifiers import film_print
from classifiers.alignment import Stretch, align
from classifiers.classifier import Context
from classifiers.detectors import near_copy
from classifiers.film_print import Print, Printer
from classifiers.screen import screen
from classifiers.weights import WeightStore
from provenance.asset import AssetKind
from provenance.registry import Reference, Registry, Work
from tests.classifiers import moving
from tests.classifiers.moving import Picture

SIZE = {"height": 160, "width": 96}


def clip(seed: int, seconds: float = 8.0) -> list[Picture]:
    """Shots of about two seconds with a camera that moves and somebody who walks through."""
    pictures: list[Picture] = []
    shot = 0
    while len(pictures) < seconds * moving.FPS:
        for n, picture in enumerate(moving.panning(1000 * seed + shot, 50, 1.2)):
            cv2.circle(picture, (20 + n, 80 + (shot * 31) % 50), 14, (250 - 40 * shot % 200, 60, 90), -1)
            pictures.append(picture)
        shot += 1
    return pictures[: round(seconds * moving.FPS)]


def about(value: float, within: float = 300_000) -> Any:
    return pytest.approx(value, abs=within)


def printed(pictures: list[Picture], fps: int = moving.FPS) -> Print:
    printer = Printer()
    for frame, look in moving.looks(pictures, fps):
        printer.feed(frame, look.luma)
    return printer.done()


def copies(a: list[Picture], b: list[Picture], fps: int = moving.FPS) -> list[Stretch]:
    return align(printed(a, fps), printed(b))


def pasted(corner: tuple[float, float, float, float], shade: int = 235) -> Callable[[Picture], Picture]:
    """Lay an opaque logo over part of the picture."""
    x0, y0, x1, y1 = corner

    def paint(picture: Picture) -> Picture:
        out = picture.copy()
        h, w = out.shape[:2]
        out[int(y0 * h) : int(y1 * h), int(x0 * w) : int(x1 * w)] = shade
        out[int((y0 * 0.7 + y1 * 0.3) * h) : int(y1 * h), int(x0 * w) : int((x0 + x1) / 2 * w)] = 30
        return out

    return paint


def letterboxed(picture: Picture) -> Picture:
    out = np.zeros((240, 96, 3), np.uint8)
    out[40:200] = picture
    return out


def darker(picture: Picture) -> Picture:
    return np.asarray(picture * 0.55 + 20, np.uint8)


def coarse(picture: Picture) -> Picture:
    small = cv2.resize(picture, (40, 66), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 25])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "as it is": lambda p: p,
    "darker": darker,
    "grey": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2),
    "small and coarse": coarse,
    "small logo": pasted((0.7, 0.03, 0.95, 0.12)),
    "large logo": pasted((0.25, 0.35, 0.75, 0.6)),
    "caption": pasted((0.1, 0.8, 0.9, 0.88)),
    "letterboxed": letterboxed,
    "squeezed": lambda p: cv2.resize(p, (160, 96)),
    "mirrored": lambda p: p[:, ::-1],
    "mirrored and letterboxed": lambda p: letterboxed(p[:, ::-1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_whole(change: str) -> None:
    original = clip(1)
    (stretch,) = copies([CHANGES[change](p) for p in original], original)
    assert (stretch.a_start_us, stretch.b_start_us) == (0, about(0, 300_000))
    assert stretch.a_end_us == about(8_000_000, 300_000)
    assert stretch.b_end_us == about(8_000_000, 300_000)
    assert stretch.mirrored == change.startswith("mirrored")
    assert stretch.score >= 0.5


def test_an_excerpt_inside_another_film_is_found_where_it_is() -> None:
    excerpt = clip(1)[48:144]  # seconds 2 to 6
    (stretch,) = copies(clip(2, 5) + excerpt + clip(3, 4), clip(1))
    found = (stretch.a_start_us, stretch.a_end_us, stretch.b_start_us, stretch.b_end_us)
    assert found == tuple(about(s * 1_000_000, 300_000) for s in (5, 9, 2, 6))


def test_two_excerpts_out_of_order_are_two_stretches() -> None:
    original = clip(1, 12)
    stretches = copies(original[168:264] + clip(4, 3) + original[0:96], original)
    found = [(s.a_start_us, s.a_end_us, s.b_start_us) for s in stretches]
    assert found == [tuple(about(s * 1_000_000, 300_000) for s in row) for row in ((0, 4, 7), (7, 11, 0))]


@pytest.mark.parametrize("speed", [0.5, 0.8, 0.96, 1.07, 1.25, 2.0])
def test_a_copy_at_another_speed_is_found(speed: float) -> None:
    original = clip(1, 10)
    count = int(len(original) / speed)
    retimed = [original[min(len(original) - 1, int(n * speed))] for n in range(count)]
    stretches = copies(retimed, original)
    covered = sum(s.a_end_us - s.a_start_us for s in stretches)
    assert covered > 0.8 * count / moving.FPS * 1e6, stretches


def test_dropped_frames_and_another_frame_rate_change_nothing() -> None:
    original = clip(1)
    (stretch,) = copies(original[::3], original, fps=8)
    assert stretch.a_end_us == about(8_000_000, 400_000)


@pytest.mark.parametrize("other", [2, 3, 4, 5, 6])
def test_another_film_is_no_copy(other: int) -> None:
    assert copies(clip(other), clip(1)) == []


def test_films_with_the_same_logo_and_bars_are_no_copies() -> None:
    logo = pasted((0.25, 0.35, 0.75, 0.6))
    assert copies([letterboxed(logo(p)) for p in clip(2)], [letterboxed(logo(p)) for p in clip(1)]) == []


def test_nothing_is_a_copy_of_black_or_plain_frames() -> None:
    black = [np.zeros((160, 96, 3), np.uint8)] * 72
    assert printed(black).plain
    assert copies(black, black) == []
    assert copies(black + clip(2), black + clip(1)) == []


def test_a_shared_title_card_is_found_as_no_more_than_the_card() -> None:
    card = moving.scenery(99)
    (stretch,) = copies([card] * 48 + clip(2, 5), clip(3, 5) + [card] * 48)
    assert (stretch.a_start_us, stretch.a_end_us) == (0, about(2_000_000, 50_000))


def test_a_still_passage_is_kept_often_enough_to_be_measured() -> None:
    shown = printed([moving.scenery(1)] * 96)
    assert len(shown) == about(16, 2)
    assert shown.until_us[-1] == shown.duration_us == 4_000_000


def test_a_print_is_read_as_it_was_kept(tmp_path: Path) -> None:
    shown = printed(clip(1, 2))
    shown.save(tmp_path / "a.npz")
    again = Print.load(tmp_path / "a.npz")
    assert (again.duration_us, again.frames, len(again)) == (shown.duration_us, shown.frames, len(shown))
    assert all(np.array_equal(getattr(again, n), getattr(shown, n)) for n in ("at_us", "hashes", "inner", "mirrored"))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_part_of_a_print_is_the_part_in_that_time() -> None:
    part = printed(clip(1)).between(2_000_000, 4_000_000)
    assert 0 < len(part) < len(printed(clip(1)))
    assert part.at_us.min() < 2_300_000
    assert part.at_us.max() < 4_000_000


# --- the classifier ---------------------------------------------------------------------------------


def work(path: Path, kind: str = "video", **record: Any) -> Work:
    reference = Reference(path, kind, record.pop("start_us", None), record.pop("end_us", None))
    return Work("work:somebodys", "film", "Somebody's", (reference,), record)


def findings(path: Path, *works: Work, kind: AssetKind = AssetKind.EPISODE, **options: Any) -> Any:
    registry = Registry(works={w.id + str(n): w for n, w in enumerate(works)})
    context = Context(registry, WeightStore(path.parent), options=options)
    return screen(path, kind, classifiers={"near_copy": near_copy.classifier}, context=context)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return moving.film(tmp_path / "original.mp4", clip(1, 6))


def test_a_registered_film_is_found_in_a_submission(tmp_path: Path, original: Path) -> None:
    planted = clip(1, 6)[24:120]
    path = moving.film(tmp_path / "a.mp4", clip(2, 4) + [darker(p) for p in planted] + clip(3, 2), crf=30)
    (finding,) = findings(path, work(original)).findings
    assert (finding.category, finding.work, finding.classifier) == ("copy.video", "work:somebodys", "near_copy")
    assert finding.where.start_us == about(4_000_000, 300_000)
    assert finding.where.end_us == about(8_000_000, 300_000)
    assert finding.measured["ref_start_us"] == about(1_000_000, 300_000)
    assert finding.measured["ref_end_us"] == about(5_000_000, 300_000)
    assert finding.measured["share"] > 0.9
    assert finding.score > 0.8


def test_an_original_film_has_no_findings(tmp_path: Path, original: Path) -> None:
    result = findings(moving.film(tmp_path / "a.mp4", clip(2, 6)), work(original))
    assert (result.findings, result.gaps) == ((), ())


def test_a_registered_picture_is_found_where_it_is_shown(tmp_path: Path) -> None:
    poster = moving.scenery(99, 320, 192)
    picture = tmp_path / "poster.png"
    Image.fromarray(poster).save(picture)
    shown = np.ascontiguousarray(cv2.resize(poster, (96, 160))[:, ::-1])
    path = moving.film(tmp_path / "a.mp4", clip(2, 2) + [shown] * 24 + clip(3, 2))
    (finding,) = findings(path, work(picture, "picture")).findings
    assert finding.category == "copy.picture"
    assert finding.where.start_us == about(2_000_000, 100_000)
    assert finding.where.end_us == about(3_000_000, 100_000)


def test_a_frame_of_a_registered_film_is_found_as_a_still(tmp_path: Path, original: Path) -> None:
    still, other = tmp_path / "still.jpg", tmp_path / "other.jpg"
    Image.fromarray(clip(1, 6)[60]).save(still, quality=80)
    Image.fromarray(clip(2, 6)[60]).save(other, quality=80)
    (finding,) = findings(still, work(original), kind=AssetKind.IMAGE).findings
    assert (finding.category, finding.where.end_us) == ("copy.video", 1)
    assert finding.measured["ref_start_us"] == about(2_500_000, 300_000)
    assert findings(other, work(original), kind=AssetKind.IMAGE).findings == ()


def test_only_the_registered_stretch_of_a_reference_counts(tmp_path: Path, original: Path) -> None:
    path = moving.film(tmp_path / "a.mp4", clip(1, 6)[0:48])
    assert findings(path, work(original, start_us=3_000_000, end_us=6_000_000)).findings == ()
    assert len(findings(path, work(original, start_us=0, end_us=3_000_000)).findings) == 1


def test_the_operators_own_catalogue_makes_no_claims(tmp_path: Path, original: Path) -> None:
    assert findings(original, work(original, own_catalogue=True)).findings == ()
    assert len(findings(original, work(original, own_catalogue=False)).findings) == 1


@pytest.mark.parametrize("broken", ["gone", "plain", "text"])
def test_a_reference_nobody_can_look_for_is_a_gap_and_the_others_are_found(
    tmp_path: Path, original: Path, broken: str
) -> None:
    bad = tmp_path / "bad.png"
    if broken == "plain":
        Image.new("RGB", (90, 90), "grey").save(bad)
    elif broken == "text":
        bad.write_text("not a picture")
    result = findings(original, work(bad, "picture"), work(original))
    assert [f.category for f in result.findings] == ["copy.video"]
    (gap,) = result.gaps
    assert "1 registered reference" in gap.reason
    assert "bad.png" in gap.reason
    assert "dramagate registry add" in gap.remedy


def test_prints_of_references_are_kept_on_disk(tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(film_print, "_memory", {})
    first = findings(original, work(original), cache=cache)
    (kept,) = cache.iterdir()
    monkeypatch.setattr(film_print, "_memory", {})
    monkeypatch.setattr(film_print, "print_of", lambda _: pytest.fail("printed again"))
    assert findings(original, work(original), cache=cache).findings == first.findings
    # A damaged one is made again, never believed.
    kept.write_bytes(kept.read_bytes()[:100])
    monkeypatch.undo()
    monkeypatch.setattr(film_print, "_memory", {})
    assert findings(original, work(original), cache=cache).findings == first.findings


@pytest.mark.corpus
def test_every_real_copy_is_found_and_nothing_else(corpus: Path) -> None:
    """The TMK family with its trims and logos, against each other and against every other clip of the corpus."""
    folder = corpus / "video_copy"
    copied = {
        frozenset(row.split("\t")[:2])
        for row in (folder / "pairs.tsv").read_text().splitlines()[1:]
        if row.endswith("\t1")
    }
    family = {str(p.relative_to(folder)): film_print.print_of(p) for p in sorted((folder / "tmk").glob("*.mp4"))}
    patterns = ("ai_clips/animatediff/*.gif", "ai_clips/*.mp4", "real_clips/*", "shots/bikes.mp4")
    others = {p.name: film_print.print_of(p) for pattern in patterns for p in corpus.glob(pattern)}
    prints = family | others
    names = sorted(prints)
    found = {
        frozenset((a, b)): stretches
        for n, a in enumerate(names)
        for b in names[n + 1 :]
        if (stretches := align(prints[a], prints[b]))
    }
    assert set(found) == copied
    trimmed, whole = "tmk/chair-19-sd-bar.mp4", "tmk/chair-orig-22-sd-bar.mp4"
    (stretch,) = align(prints[trimmed], prints[whole])
    assert stretch.a_start_us == 0
    assert stretch.a_end_us == about(18_800_000, 300_000)
    assert stretch.b_start_us == about(3_700_000, 300_000)
