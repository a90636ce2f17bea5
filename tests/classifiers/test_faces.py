from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import faces
from classifiers.faces import (
    Detection,
    Face,
    FaceModels,
    Follower,
    NoFace,
    Pixels,
    Quality,
    Template,
    TemplateCache,
    Track,
    compare_faces,
    enrol,
)
from classifiers.weights import WeightStore
from provenance.media import Unusable


@pytest.fixture(scope="module")
def models(weights: WeightStore) -> FaceModels:
    return FaceModels.load(weights)


@pytest.fixture
def portrait(corpus: Path) -> Pixels:
    return faces.first_picture(corpus / "talking_head" / "source_art_2.png")


def save(path: Path, rgb: Pixels) -> Path:
    assert cv2.imwrite(str(path), rgb[:, :, ::-1])
    return path


def gradient(side: int) -> Pixels:
    """A picture every machine makes alike."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.stack([y * 255 / side, x * 255 / side, (x * 7 + y * 13) % 256], axis=-1).astype(np.uint8)


# ---- what distances mean


@given(st.floats(0, 2), st.floats(0, 2))
def test_nearer_never_scores_less(a: float, b: float) -> None:
    assert (a <= b) <= (faces.score(a) >= faces.score(b))


@pytest.mark.parametrize(
    ("distance", "sure", "band"),
    [
        (0.0, True, "yes"),
        (0.36, True, "yes"),
        (0.36, False, "possible"),
        (0.3601, True, "possible"),
        (0.50, True, "possible"),
        (0.5001, True, "no"),
    ],
)
def test_the_bands_are_where_they_were_measured(distance: float, sure: bool, band: str) -> None:
    assert faces.band(distance, sure=sure) == band


@pytest.mark.parametrize(
    ("quality", "comparable", "sure"),
    [
        (Quality(100, 1.3, 0.0), True, True),
        (Quality(31, 1.9, 0.0), True, False),
        (Quality(23, 2.1, 0.0), False, False),
        (Quality(100, 3.0, 0.0), True, False),
        (Quality(100, 3.3, 0.0), False, False),
        (Quality(100, 1.3, 0.9), False, False),
    ],
)
def test_small_blurred_and_turned_faces_are_not_compared(quality: Quality, comparable: bool, sure: bool) -> None:
    assert (quality.comparable, quality.sure) == (comparable, sure)


def test_templates_of_different_weights_are_not_compared() -> None:
    one = Template(np.zeros(128, np.float32), Quality(100, 0.1, 0), "a")
    with pytest.raises(ValueError, match="different weights"):
        one.distance(Template(one.vector, one.quality, "b"))


def test_a_template_never_shows_its_numbers() -> None:
    assert "vector" not in repr(Template(np.full(128, 0.123, np.float32), Quality(100, 0.1, 0), "a"))


# ---- templates at rest


def test_a_kept_template_comes_back_and_only_with_its_key(tmp_path: Path) -> None:
    template = Template(np.arange(128, dtype=np.float32), Quality(100, 0.1, 0.2), "w")
    cache = TemplateCache(tmp_path / "cache", b"k" * 32)
    assert cache.get("photo") is None
    cache.put("photo", template)
    again = cache.get("photo")
    assert again is not None
    assert (again.vector.tolist(), again.quality, again.weights) == (template.vector.tolist(), template.quality, "w")
    assert TemplateCache(tmp_path / "cache", b"x" * 32).get("photo") is None


def test_what_lies_on_disk_tells_nothing(tmp_path: Path) -> None:
    template = Template(np.arange(128, dtype=np.float32), Quality(100, 0.1, 0.2), "w")
    TemplateCache(tmp_path, b"k" * 32).put("person:alice", template)
    (file,) = tmp_path.iterdir()
    assert "alice" not in file.name
    assert template.vector.tobytes()[:64] not in file.read_bytes()
    assert b"quality" not in file.read_bytes()


def test_a_tampered_template_is_none(tmp_path: Path) -> None:
    cache = TemplateCache(tmp_path, b"k" * 32)
    cache.put("photo", Template(np.zeros(128, np.float32), Quality(100, 0.1, 0.2), "w"))
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert cache.get("photo") is None


def test_a_forgotten_template_is_gone(tmp_path: Path) -> None:
    cache = TemplateCache(tmp_path, b"k" * 32)
    cache.put("photo", Template(np.zeros(128, np.float32), Quality(100, 0.1, 0.2), "w"))
    assert cache.forget("photo")
    assert (list(tmp_path.iterdir()), cache.forget("photo")) == ([], False)


# ---- following faces, with a detector that says what the test tells it


class Told:
    """A detector that answers with the next of its answers."""

    def __init__(self, *answers: list[Detection]) -> None:
        self.answers = list(answers)

    def detect(self, rgb: Pixels, side: int, ratio: float) -> list[Detection]:
        return self.answers.pop(0) if self.answers else []


def at(x: float, y: float = 100.0) -> Detection:
    return Detection(x, y, x + 100, y + 100, 1.0)


def follow(*looks: tuple[int, list[Detection]], shots: tuple[int, ...] = ()) -> list[Track]:
    follower = Follower(Told(*(found for _, found in looks)))  # type: ignore[arg-type]
    blank = np.zeros((640, 360, 3), np.uint8)
    follower._close_look_due_us = 10**12
    follower._shot = 0
    for i, (at_us, _) in enumerate(looks):
        shot = shots[i] if shots else 0
        follower._shot, follower._close_look_due_us = shot, 10**12
        follower.see(blank, at_us, at_us + 40_000, shot=shot, keep=False)
    return follower.finish()


def test_a_face_that_moves_a_little_is_one_track() -> None:
    (track,) = follow((0, [at(100)]), (400_000, [at(130)]), (800_000, [at(160)]))
    assert (track.where.start_us, track.where.end_us, len(track.places)) == (0, 840_000, 3)


def test_two_faces_are_two_tracks() -> None:
    tracks = follow((0, [at(0), at(200)]), (400_000, [at(210), at(10)]))
    assert sorted((t.places[0][2].x0, t.places[1][2].x0) for t in tracks) == [(0, 10), (200, 210)]


def test_a_cut_ends_a_track() -> None:
    assert len(follow((0, [at(100)]), (400_000, [at(100)]), shots=(0, 1))) == 2


def test_a_face_that_was_long_away_is_another_track() -> None:
    assert len(follow((0, [at(100)]), (2_000_000, [at(100)]))) == 2


def test_a_picture_that_stands_keeps_its_faces() -> None:
    follower = Follower(Told([at(100)]))  # type: ignore[arg-type]
    follower.see(np.zeros((640, 360, 3), np.uint8), 0, 40_000, shot=0, keep=False)
    follower.still_there(3_000_000)
    (track,) = follower.finish()
    assert track.where.end_us == 3_000_000


# ---- the real models


@pytest.mark.weights
def test_the_embedder_answers_as_dlib_does(models: FaceModels) -> None:
    """The first six of 128 numbers dlib 20.0.1 gives for the same picture, and their length."""
    vector = models._embed([gradient(150)])[0]
    assert vector[:6] == pytest.approx([-0.058064, 0.104498, 0.058724, -0.000971, -0.057631, -0.057409], abs=2e-6)
    assert float(np.linalg.norm(vector)) == pytest.approx(1.2899438, abs=2e-6)


@pytest.mark.weights
def test_landmarks_lie_where_dlib_puts_them(models: FaceModels) -> None:
    """dlib 20.0.1 says these whole pixels for the square (100, 100)-(300, 300) of the same picture."""
    points = models.landmarks.find(gradient(400), (100, 100, 300, 300))
    assert np.abs(points - [(260, 136), (224, 150), (132, 188), (168, 172), (219, 214)]).max() <= 0.51


@pytest.mark.weights
def test_a_picture_without_faces_has_none(models: FaceModels) -> None:
    assert models.find_closely(gradient(600)) == []


@pytest.mark.weights
@pytest.mark.corpus
def test_a_face_that_fills_the_photo_is_found(models: FaceModels, portrait: Pixels) -> None:
    (face,) = models.faces(portrait)
    found = face.found
    tight = portrait[int(found.y0) : int(found.y1), int(found.x0) : int(found.x1)]
    assert len(models.faces(tight)) == 1


@pytest.mark.weights
@pytest.mark.corpus
def test_a_close_up_in_a_vertical_frame_is_found(models: FaceModels, portrait: Pixels) -> None:
    found = models.faces(portrait)[0].found
    middle, width = int(found.x0 + found.x1) // 2, found.width_px * 0.9
    top, left = int(found.y0 - 0.3 * width), int(middle - width / 2)
    frame = portrait[max(0, top) : top + int(width * 16 / 9), max(0, left) : left + int(width)]
    frame = np.asarray(cv2.resize(frame, (720, 1280)), np.uint8)
    (close,) = models.detect(frame, faces.FILM_SIDE, faces.COARSE)
    assert close.width_px > 600


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.parametrize("degrees", [-20, 0, 20])
def test_a_tilted_face_stays_the_same_person(
    models: FaceModels, portrait: Pixels, degrees: int, tmp_path: Path
) -> None:
    height, width = portrait.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    tilted = np.asarray(cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    one, other = enrol(save(tmp_path / "a.png", portrait), models), enrol(save(tmp_path / "b.png", tilted), models)
    assert one.distance(other) < faces.MATCH


@pytest.mark.weights
@pytest.mark.corpus
def test_enrolling_says_what_is_wrong_with_a_photo(models: FaceModels, portrait: Pixels, tmp_path: Path) -> None:
    two = np.concatenate([portrait, portrait], axis=1)
    small = cv2.copyMakeBorder(cv2.resize(portrait, (60, 60)), 10, 10, 10, 10, cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(portrait, (0, 0), 25)
    with pytest.raises(NoFace, match="holds no face"):
        enrol(save(tmp_path / "none.png", gradient(400)), models)
    with pytest.raises(NoFace, match="holds 2 faces"):
        enrol(save(tmp_path / "two.png", two), models)
    with pytest.raises(NoFace, match=r"px wide|holds no face"):
        enrol(save(tmp_path / "small.png", np.asarray(small, np.uint8)), models)
    with pytest.raises(NoFace, match="is blurred"):
        enrol(save(tmp_path / "blurred.png", np.asarray(blurred, np.uint8)), models)
    (tmp_path / "words.png").write_text("not a picture")
    with pytest.raises(Unusable):
        enrol(tmp_path / "words.png", models)


@pytest.mark.weights
@pytest.mark.corpus
def test_small_variations_bring_one_person_closer(models: FaceModels, portrait: Pixels) -> None:
    def both(rgb: Pixels) -> tuple[Face, Pixels]:
        face = models.faces(rgb)[0]
        return face, face.chip

    (_, good), (_, poor) = both(portrait), both(np.asarray(cv2.resize(portrait, (220, 220)), np.uint8))
    plain = np.linalg.norm(models.embed([good])[0] - models.embed([poor])[0])
    averaged = np.linalg.norm(models.embed_well([good]) - models.embed_well([poor]))
    assert averaged < plain


HEADS = "talking_head"


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        ("source_art_2.png", "art_2_RD_Radio31.mp4", "yes"),
        ("source_full_body_2.png", "still_full_e.mp4", "yes"),
        ("source_art_2.png", "source_art_2.png", "yes"),
        ("source_art_2.png", "still_full_e.mp4", "no"),
        ("source_art_2.png", "portrait_art_1.png", "no"),
        ("portrait_art_1.png", "art_2_RD_Radio31.mp4", "no"),
        ("render_camera_RD_Radio31.mp4", "source_art_2.png", "no"),
    ],
)
def test_the_same_person_is_told_from_others(corpus: Path, weights: WeightStore, a: str, b: str, match: str) -> None:
    said = compare_faces(corpus / HEADS / a, corpus / HEADS / b, weights)
    assert said["match"] == match
    assert 0 <= said["score"] <= 1
    assert bool(said["ranges"]) == (match != "no")


@pytest.mark.weights
@pytest.mark.corpus
def test_the_range_covers_the_film_the_face_is_in(corpus: Path, weights: WeightStore) -> None:
    film, photo = corpus / HEADS / "art_2_RD_Radio31.mp4", corpus / HEADS / "source_art_2.png"
    ((a0, a1, b0, b1),) = compare_faces(film, photo, weights)["ranges"]
    assert (a0, b0, b1) == (0, 0, 1)
    assert a1 > 7_500_000  # of 8.0 s


@pytest.mark.weights
@pytest.mark.corpus
def test_a_side_without_a_face_cannot_be_used(corpus: Path, weights: WeightStore) -> None:
    said = compare_faces(corpus / HEADS / "source_art_2.png", corpus / "real_clips" / "kitten.mp4", weights)
    assert (said["match"], said["why"]) == ("unusable", "kitten.mp4 holds no face")
