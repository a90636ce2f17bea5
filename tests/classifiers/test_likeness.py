from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from classifiers import faces
from classifiers.classifier import Context, Film
from classifiers.detectors import likeness
from classifiers.faces import FaceModels, TemplateCache
from classifiers.finding import Finding, Screening
from classifiers.screen import screen
from classifiers.weights import WeightsMissing, WeightStore, pull
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


# ---- a second recogniser, brought as an insightface pack


def insightface_folder(folder: Path, *, recogniser: bool = True) -> Path:
    """A real pack, tiny and untrained: a detector in the shape of SCRFD, an embedder in that of ArcFace."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    def write(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> None:
        graph = helper.make_graph(nodes, name, inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        checker.check_model(model)
        save(model, folder / f"{name}.onnx")

    folder.mkdir()
    if recogniser:
        weights = np.random.default_rng(0).standard_normal((147, 64)).astype(np.float32)
        nodes = [
            helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[16, 16], strides=[16, 16], name="pool"),
            helper.make_node("Flatten", ["p"], ["f"], name="flat"),
            helper.make_node("Gemm", ["f", "W"], ["y"], name="fc"),
        ]
        shapes = [("x", ["n", 3, 112, 112]), ("y", ["n", 64])]
        takes, gives = ([helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in shapes)
        write("w_rec", nodes, takes, gives, [numpy_helper.from_array(weights, "W")])
    nodes, constants, outputs = [], [], {"s": [], "b": [], "k": []}  # type: ignore[var-annotated]
    for stride in (8, 16, 32):
        for kind, channels in (("s", 1), ("b", 4), ("k", 10)):
            n = f"{kind}{stride}"
            kernel, bias = np.zeros((2 * channels, 3, stride, stride), np.float32), np.zeros(2 * channels, np.float32)
            if kind == "s":
                bias[:] = -8
                if stride == 32:
                    kernel[0], bias[0] = 1 / (3 * stride * stride), 4.0
            elif kind == "b":
                bias[:] = 2.5
            else:
                points = np.array([[-1, -0.8], [1, -0.8], [0, 0], [-0.8, 1], [0.8, 1]], np.float32).ravel()
                bias[:] = np.tile(points, 2)
            shape = np.array([-1, channels], np.int64)
            constants += [numpy_helper.from_array(a, f"{n}_{c}") for a, c in ((kernel, "w"), (bias, "b"), (shape, "r"))]
            last = f"{n}r" if kind == "s" else n
            conv = {"kernel_shape": [stride] * 2, "strides": [stride] * 2, "name": f"{n}conv"}
            nodes.append(helper.make_node("Conv", ["x", f"{n}_w", f"{n}_b"], [f"{n}c"], **conv))
            nodes.append(helper.make_node("Transpose", [f"{n}c"], [f"{n}t"], perm=[0, 2, 3, 1], name=f"{n}tr"))
            nodes.append(helper.make_node("Reshape", [f"{n}t", f"{n}_r"], [last], name=f"{n}rs"))
            if kind == "s":
                nodes.append(helper.make_node("Sigmoid", [last], [n], name=f"{n}sg"))
            outputs[kind].append(helper.make_tensor_value_info(n, TensorProto.FLOAT, [f"m{stride}", channels]))
    takes = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "hh", "ww"])]
    write("det", nodes, takes, outputs["s"] + outputs["b"] + outputs["k"], constants)
    return folder


@pytest.fixture
def store_with_pack(weights: WeightStore, tmp_path: Path) -> WeightStore:
    root = tmp_path / "weights"
    root.mkdir()
    (root / "faces-dlib").symlink_to(weights.root / "faces-dlib")
    pull("faces-insightface", root, insightface_folder(tmp_path / "pack"), licence="ours")
    return WeightStore(root)


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore")  # insightface's imports warn; not ours to mend
def test_a_brought_pack_gives_a_second_opinion(corpus: Path, store_with_pack: WeightStore) -> None:
    registry = registered(person("art2", corpus / HEADS / "source_art_2.png"))
    (match,) = matches(look(corpus / HEADS / "source_art_2.png", registry, store_with_pack))
    assert match.measured["second_similarity"] == pytest.approx(1, abs=1e-3)


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore")
def test_a_brought_pack_names_persons_by_itself_only_where_told_from_when(
    corpus: Path, store_with_pack: WeightStore
) -> None:
    registry = registered(person("art2", corpus / HEADS / "source_art_2.png"))
    other = corpus / HEADS / "portrait_art_1.png"
    assert matches(look(other, registry, store_with_pack)) == []
    (named,) = matches(look(other, registry, store_with_pack, faces_insightface_at=-1.0))
    assert (named.measured["match"], named.score) == (0.0, 0.5)


@pytest.mark.weights
@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore")
def test_a_pack_without_a_recogniser_is_a_gap(corpus: Path, weights: WeightStore, tmp_path: Path) -> None:
    root = tmp_path / "weights"
    root.mkdir()
    (root / "faces-dlib").symlink_to(weights.root / "faces-dlib")
    pull("faces-insightface", root, insightface_folder(tmp_path / "pack", recogniser=False), licence="ours")
    photo = corpus / HEADS / "source_art_2.png"
    screening = look(photo, registered(person("art2", photo)), WeightStore(root))
    assert [g.reason for g in screening.gaps] == ["the pack in faces-insightface has no recogniser"]
