from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from classifiers import faces
from classifiers.classifier import Context, Film
from classifiers.detectors import likeness
from classifiers.faces import FaceModels, TemplateCache
from classifiers.finding import Finding, Screening
from classifiers.screen import screen
from classifiers.weights import WeightsMissing, WeightStore
from provenance.asset import AssetKind, TimeRange
from provenance.registry import Person, Reference, Registry

HEADS = "talking_head"


def person(name: str, *photos: Path) -> Person:
    return Person(f"person:{name}", "private", tuple(Reference(p, "face") for p in photos), {})


def registered(*persons: Person) -> Registry:
    return Registry(persons={p.id: p for p in persons})


def look(path: Path, registry: Registry, weights: WeightStore, **options: object) -> Screening:
    context = Context(registry, weights, options=options)
    return screen(path, AssetKind.SHOT, classifiers={"likeness": likeness.classifier}, context=context)


def matches(screening: Screening) -> list[Finding]:
    return [f for f in screening.findings if f.category == "likeness.face"]


def test_without_weights_it_leaves_a_gap(tmp_path: Path) -> None:
    film = Film(Path("f.mp4"), AssetKind.SHOT, 1, 1, 1, 0)
    with pytest.raises(WeightsMissing) as missing:
        likeness.classifier.open(film, Context(Registry(), WeightStore(tmp_path)))
    assert missing.value.remedy == "dramagate models pull faces-dlib"


@pytest.mark.weights
@pytest.mark.corpus
def test_the_film_made_from_a_photo_is_flagged(corpus: Path, weights: WeightStore) -> None:
    registry = registered(person("art2", corpus / HEADS / "source_art_2.png"))
    screening = look(corpus / HEADS / "art_2_RD_Radio31.mp4", registry, weights)
    (match,) = matches(screening)
    assert match.subject == "person:art2"
    assert match.measured["distance"] < faces.MATCH
    assert match.measured["match"] == 1.0
    assert match.score >= faces.score(faces.MATCH)
    assert match.frames > 2
    assert match.where == TimeRange(0, screening.duration_us)
    assert match.region is not None
    assert match.region.w < 0.95
    assert screening.gaps == ()


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.parametrize(
    "other",
    [
        "talking_head/still_full_e.mp4",
        "talking_head/render_camera_RD_Radio31.mp4",
        "talking_head/portrait_art_1.png",
        "talking_head/portrait_art_7.png",
        "real_clips/kitten.mp4",
        "ai_clips/cogvideo_1.mp4",
        "ai_clips/animatediff/model_03_01.gif",
        "ai_clips/animatediff/model_01_03.gif",
        "ai_clips/animatediff/model_04_04.gif",
        "ai_clips/comfyui/image_to_video_wan_example.webp",
    ],
)
def test_others_and_drawn_faces_are_let_through(corpus: Path, weights: WeightStore, other: str) -> None:
    registry = registered(
        person("art2", corpus / HEADS / "source_art_2.png"), person("full", corpus / HEADS / "source_full_body_2.png")
    )
    subjects = {f.subject for f in matches(look(corpus / other, registry, weights))}
    assert subjects == ({"person:full"} if other.endswith("still_full_e.mp4") else set())


@pytest.mark.weights
@pytest.mark.corpus
def test_the_nearest_person_is_named_with_its_margin(corpus: Path, weights: WeightStore) -> None:
    registry = registered(
        person("full", corpus / HEADS / "source_full_body_2.png"),
        person("art1", corpus / HEADS / "portrait_art_1.png"),
        person("art2", corpus / HEADS / "portrait_art_7.png", corpus / HEADS / "source_art_2.png"),
    )
    (match,) = matches(look(corpus / HEADS / "art_2_RD_Radio31.mp4", registry, weights))
    assert match.subject == "person:art2"
    assert match.measured["margin_to_next"] > 0.2


@pytest.mark.weights
@pytest.mark.corpus
def test_faces_are_seen_without_anyone_registered(corpus: Path, weights: WeightStore) -> None:
    screening = look(corpus / HEADS / "art_2_RD_Radio31.mp4", Registry(), weights)
    (face,) = screening.findings
    assert (face.category, face.subject) == ("person.face", None)
    assert face.where.end_us > 7_500_000


@pytest.mark.weights
@pytest.mark.corpus
def test_a_face_below_quality_is_seen_but_not_matched(corpus: Path, weights: WeightStore, tmp_path: Path) -> None:
    photo = corpus / HEADS / "source_art_2.png"
    registry = registered(person("art2", photo))
    blurred = cv2.GaussianBlur(faces.first_picture(photo), (0, 0), 16)
    assert cv2.imwrite(str(tmp_path / "blurred.png"), blurred[:, :, ::-1])
    screening = look(tmp_path / "blurred.png", registry, weights)
    assert {f.category for f in screening.findings} == {"person.face"}
    assert matches(look(photo, registry, weights))


@pytest.mark.weights
@pytest.mark.corpus
def test_one_frame_of_a_film_is_possible_at_most(corpus: Path, weights: WeightStore) -> None:
    photo = corpus / HEADS / "source_art_2.png"
    models = FaceModels.load(weights)
    film = Film(Path("f.mp4"), AssetKind.SHOT, 8_000_000, 900, 900, 0, shots=(TimeRange(0, 8_000_000),))
    enrolled = likeness.enrol_registered(registered(person("art2", photo)).persons, models, {})
    rgb = faces.first_picture(photo)

    def found(times: list[int], film: Film) -> list[Finding]:
        watcher = likeness._Look(film, models, enrolled)
        for at_us in times:
            watcher._follower.see(rgb, at_us, at_us + 40_000, shot=0, keep=True)
        return [f for f in watcher.finish(film) if f.category == "likeness.face"]

    (once,), (twice,) = found([3_000_000], film), found([3_000_000, 3_400_000], film)
    (still,) = found([0], replace(film, duration_us=1, shots=(TimeRange(0, 1),)))
    assert [f.measured["match"] for f in (once, twice, still)] == [0.0, 1.0, 1.0]
    assert once.score < faces.score(faces.MATCH) <= twice.score
    assert once.where == TimeRange(2_600_000, 3_440_000)


@pytest.mark.weights
@pytest.mark.corpus
def test_a_person_nobody_can_look_for_leaves_a_gap_beside_the_findings(
    corpus: Path, weights: WeightStore, tmp_path: Path
) -> None:
    photo = corpus / HEADS / "source_art_2.png"
    registry = registered(person("art2", photo), person("cat", corpus / "real_clips" / "kitten.mp4"))
    screening = look(corpus / HEADS / "art_2_RD_Radio31.mp4", registry, weights)
    assert [f.subject for f in matches(screening)] == ["person:art2"]
    (gap,) = screening.gaps
    assert gap.reason.startswith("person:cat is not looked for by kitten.mp4: kitten.mp4 holds no face")
    absent = look(photo, registered(person("lost", tmp_path / "nowhere.png")), weights)
    assert [g.reason.split(":")[0] for g in absent.gaps] == ["person"]


@pytest.mark.weights
@pytest.mark.corpus
def test_templates_are_kept_only_where_a_cache_is_given(corpus: Path, weights: WeightStore, tmp_path: Path) -> None:
    photo = corpus / HEADS / "portrait_art_1.png"
    faces._templates.clear()
    cache = TemplateCache(tmp_path / "cache", b"k" * 32)
    first = matches(look(photo, registered(person("art1", photo)), weights, template_cache=cache))
    assert len(list(cache.root.iterdir())) == 1
    faces._templates.clear()
    assert matches(look(photo, registered(person("art1", photo)), weights, template_cache=cache)) == first


def square(x: float, y: float, side: float) -> faces.Detection:
    return faces.Detection(x, y, x + side, y + side, 1.0)


@pytest.mark.parametrize("found", [square(-50, -50, 100), square(700, 1250, 100), square(-10, -10, 1400)])
def test_regions_stay_inside_the_picture(found: faces.Detection) -> None:
    track = faces.Track(0, 720, 1280, places=[(0, 1, found)])
    region = likeness._region(track)
    assert region.x >= 0
    assert region.x + region.w <= 1.000001


def test_a_range_reaches_the_cuts_that_are_near() -> None:
    film = Film(Path("f"), AssetKind.SHOT, 20_000_000, 720, 1280, 0, shots=(TimeRange(0, 10_000_000),))
    near = faces.Track(0, 720, 1280, places=[(900_000, 9_100_000, square(0, 0, 9))])
    far = faces.Track(0, 720, 1280, places=[(3_000_000, 5_000_000, square(0, 0, 9))])
    assert likeness._widened(near, film) == TimeRange(0, 10_000_000)
    assert likeness._widened(far, film) == TimeRange(2_600_000, 5_400_000)


def test_two_people_in_one_track_are_taken_apart() -> None:
    """A face that turns into another one without a cut is two parts."""

    class Knows:
        def embed(self, chips: list[faces.Pixels]) -> faces.Floats:
            return np.array([[c[0, 0, 0] / 255.0, 0.0] for c in chips], np.float32)

    def sample(at_us: int, who: int) -> faces.Sample:
        chip = np.full((4, 4, 3), who, np.uint8)
        return faces.Sample(at_us, at_us + 1, faces.Face(square(0, 0, 100), chip, faces.Quality(100, 1.2, 0.0)))

    samples = [sample(0, 0), sample(1_000_000, 10), sample(2_000_000, 250), sample(3_000_000, 255)]
    places = [(s.at_us, s.until_us, square(0, 0, 100)) for s in samples]
    parts = faces.Track(0, 720, 1280, places, samples).parts(Knows())  # type: ignore[arg-type]
    assert [(p.where.start_us, len(p.samples)) for p in parts] == [(0, 2), (2_000_000, 2)]
    assert len(faces.Track(0, 720, 1280, places[:2], samples[:2]).parts(Knows())) == 1  # type: ignore[arg-type]
