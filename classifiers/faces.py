"""Faces in pictures: where they are, whether they are good enough, whose they might be.

The story is `enrol` (one photo, one face, one template) and `compare_faces` (two files). Both, and
`detectors/likeness.py`, stand on `FaceModels` (dlib's detector, landmarks and embedder, prepared as
ONNX and numpy) and on `Follower` (the faces of a film, as tracks). Numbers without another source are
from the measurements in docs/models.md. Templates are biometric data: never logged, never in a finding.
"""

from __future__ import annotations

import hmac
import json
import os
import tempfile
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from classifiers import onnx_session
from classifiers.weights import WeightsMissing, WeightStore, combined
from provenance import media
from provenance.asset import TimeRange, digest
from provenance.failure import Refused

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

WEIGHTS = "faces-dlib"

MATCH = 0.36
"""L2 distance up to which two faces are held to be one person's (averaged embeddings, `SURE_PX` and more)."""
POSSIBLE = 0.50
"""Up to which they may be: face swaps land at .30-.35 of their source, other people's faces at .488 and more."""
SURE_PX = 32
"""Width in pixels from which a face can be a match; true positives at zero false: .99 at 32 px, .92 at 24."""
LEAST_PX = 24
"""Below it nothing is compared at all: .38 at 16 px."""
SURE_BLUR, MOST_BLUR = 2.7, 3.2
"""Of `Quality.blur`: at 2.7 a face is .27-.34 from its sharp self, at 3.2 .36-.46 (six faces, Gaussian blur)."""
MOST_TURNED = 0.5
"""Of `Quality.turned`: half profile. Strangers in profile and the dark come as near as .39."""

FILM_SIDE = 480
"""Longest side in pixels of what the detector sees of a film's frame: 80 px there is the smallest face."""
CLOSE_SIDE = 800
"""The same for a photo in which 480 shows no face: groups, and people at a distance."""
FINE, COARSE = 5 / 6, 0.7071
"""Ratio of neighbouring sizes the detector looks at: dlib's own, and the one for films (13 ms instead of 22)."""
GREY_MARGIN = 0.4
"""Grey added around a photo whose face fills it: the detector wants some room, and misses 4-6 % without."""
STEP_US = 200_000
"""How often `compare_faces` looks at a film..."""
MOST_LOOKS = 600
"""...and how often at most: a film of more than two minutes is looked at less often."""
CLOSE_LOOK_US = 4_000_000
"""How often a shot without faces is looked at at `CLOSE_SIDE`, besides its first look: 36 ms against 13."""
SAMPLE_US = 400_000
"""How far apart a track's kept faces are."""
MOST_SAMPLES = 24
"""How many a track keeps; beyond it the poorest goes."""
LOST_US = 1_000_000
"""A face not seen for longer begins a new track."""
SAME_TRACK_OVERLAP = 0.25
"""Intersection over union with its last place from which a face continues a track."""
OTHER_PERSON = 0.45
"""Distance to a track's mean from which a face is taken for another person's: pans drift by .18 at most."""


class NoFace(Refused):
    """A photo cannot be enrolled. The sentence says why, and what photo would do."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face in a picture: its square in pixels (it may leave the picture), and the detector's score."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float

    @property
    def width_px(self) -> float:
        """Side of the square."""
        return self.x1 - self.x0

    def overlap(self, other: Detection) -> float:
        """Intersection over union, 0..1."""
        shared = _shared(self, other)
        return shared / (_area(self) + _area(other) - shared)


@dataclass(frozen=True, slots=True)
class Quality:
    """What decides whether a face may be compared. The detector's score does not: it is high for blurred profiles."""

    width_px: float
    """Width of the face in the picture it was found in."""
    blur: float
    """Over how many pixels of the chip (a face of 100) an edge is spread: 1.1-1.3 for a sharp photo, 2.4 where it is
    blurred by two pixels; a face of 24 px has 2.0 by its size alone. Root of gradient over Laplacian energy."""
    turned: float
    """How far the nose stands beside the middle of the eyes, in distances of the eyes: 0 frontal, 1 profile."""

    @property
    def comparable(self) -> bool:
        """Whether anything may be said about whose face it is."""
        return self.width_px >= LEAST_PX and self.blur <= MOST_BLUR and self.turned <= MOST_TURNED

    @property
    def sure(self) -> bool:
        """Whether it may be called a match."""
        return self.comparable and self.width_px >= SURE_PX and self.blur <= SURE_BLUR

    @property
    def rank(self) -> float:
        """Higher is better to compare; faces over 100 px gain nothing more, the embedder sees 100."""
        return min(self.width_px, 100.0) / max(self.blur, 1.0) * max(0.05, 1.0 - self.turned)


@dataclass(frozen=True, slots=True)
class Face:
    """One face, cut out and turned upright."""

    found: Detection
    chip: Pixels
    """uint8[186, 186, 3]: the embedder's 150 pixels with 18 more on every side, eyes level."""
    quality: Quality


@dataclass(frozen=True, slots=True)
class Template:
    """A face as 128 numbers. Biometric data: keep it as such."""

    vector: Floats = field(repr=False)
    quality: Quality
    weights: str
    """Digest of the weights that made it: templates of different weights cannot be compared."""

    def distance(self, other: Template) -> float:
        """L2 distance to another template, 0 and up. Raises ValueError where other weights made it."""
        if self.weights != other.weights:
            raise ValueError("these templates were made by different weights; enrol both again")
        return float(np.linalg.norm(self.vector - other.vector))


def score(distance: float) -> float:
    """How alike, in [0, 1]: 1 - distance, at least 0. A match is .64 and up, possible .50 and up. Not calibrated."""
    return max(0.0, min(1.0, 1.0 - distance))


def band(distance: float, *, sure: bool) -> str:
    """yes | possible | no, the words of `dramagate compare`; without `sure` a match is only possible."""
    if distance <= MATCH and sure:
        return "yes"
    return "possible" if distance <= POSSIBLE else "no"


# ---- the story: enrol a photo, compare two files -------------------------------------------------


def enrol(photo: Path, models: FaceModels) -> Template:
    """The template of the one face in `photo`.

    Raises NoFace where there is none, more than one, or one that is too small, too blurred or turned
    too far to be compared; provenance.media.Unusable where the file cannot be read as a picture.
    """
    face = _only_face(photo.name, models.faces(first_picture(photo)))
    return Template(models.embed_well([face.chip]), face.quality, models.digest)


_templates: dict[tuple[str, int, int, str], Template] = {}


def template_of(photo: Path, models: FaceModels, cache: TemplateCache | None = None) -> Template:
    """As `enrol`, remembered while the photo stays the same: in this process, and in `cache` where there is one."""
    stat = photo.stat()
    key = (str(photo), stat.st_size, stat.st_mtime_ns, models.digest)
    if key not in _templates:
        name = f"{digest(photo)}:{models.digest}" if cache else ""
        known = cache.get(name) if cache else None
        _templates[key] = known or enrol(photo, models)
        if cache and known is None:
            cache.put(name, _templates[key])
    return _templates[key]


def compare_faces(a: Path, b: Path, weights: WeightStore, *, device: str = "cpu") -> dict[str, Any]:
    """Whether one person's face is in both files, stills or films: a line of `dramagate compare`.

    {"a", "b", "score", "match": "yes" | "possible" | "no", "ranges": [[a0, a1, b0, b1], ...]} in
    microseconds, plus "distance". Of several faces the two most alike count. "match" is "unusable", with
    "why", where a side holds no face that can be compared. Raises WeightsMissing; Unusable for files
    that cannot be read.
    """
    models = FaceModels.load(weights, device)
    answer: dict[str, Any] = {"a": str(a), "b": str(b), "score": 0.0, "match": "unusable", "ranges": []}
    sides = []
    for path in (a, b):
        people = people_in(path, models)
        known = [p for p in people if p.template is not None]
        if not known:
            why = "a face, but none large, sharp and frontal enough to compare" if people else "no face"
            return {**answer, "why": f"{path.name} holds {why}"}
        sides.append(known)
    distance, one, other = min(((_apart(x, y), x, y) for x in sides[0] for y in sides[1]), key=lambda pair: pair[0])
    match = band(distance, sure=one.sure and other.sure)
    ranges = (
        [] if match == "no" else [[x.start_us, x.end_us, y.start_us, y.end_us] for x in one.where for y in other.where]
    )
    return {
        **answer,
        "score": round(score(distance), 6),
        "match": match,
        "ranges": ranges,
        "distance": round(distance, 6),
    }


@dataclass(frozen=True, slots=True)
class Seen:
    """One face of a still or film, wherever in it."""

    where: tuple[TimeRange, ...]
    template: Template | None
    """None where no frame shows it well enough."""
    sure: bool
    """Whether it may be called a match: large enough, and seen in two frames of a film or in a still."""


def people_in(path: Path, models: FaceModels) -> list[Seen]:
    """Every face of a still or film, each once per unbroken appearance. Raises Unusable."""
    with media.decode(path) as frames:
        if frames.info.still:
            whole = (TimeRange(0, max(1, frames.info.duration_us)),)
            found = models.faces(next(iter(frames)).rgb())
            return [_seen([face], whole, models, still=True) for face in found]
        follower = Follower(models)
        step_us = max(STEP_US, frames.info.duration_us // MOST_LOOKS)
        due_us = 0
        for frame in frames:
            if frame.at_us >= due_us:
                follower.see(frame.rgb(), frame.at_us, frame.until_us, shot=0, keep=True)
                due_us = frame.at_us + step_us
    return [
        _seen([s.face for s in part.samples], (part.where,), models, still=False)
        for track in follower.finish()
        for part in track.parts(models)
    ]


def first_picture(path: Path) -> Pixels:
    """The picture at `path`, upright RGB; the first frame where it is a film. Raises Unusable."""
    with media.decode(path) as frames:
        return np.asarray(next(iter(frames)).rgb(), np.uint8)


def _only_face(name: str, found: Sequence[Face]) -> Face:
    if not found:
        raise NoFace(f"{name} holds no face: enrol a sharp photo of one person looking at the camera")
    face, *others = sorted(found, key=lambda f: -f.quality.width_px)
    if any(f.quality.width_px > face.quality.width_px / 2 for f in others):
        raise NoFace(f"{name} holds {len(found)} faces: cut the photo so that it shows one person only")
    quality = face.quality
    if quality.width_px < SURE_PX:
        raise NoFace(
            f"the face in {name} is {quality.width_px:.0f} px wide: enrol a photo in which it has {SURE_PX} or more"
        )
    if quality.blur > SURE_BLUR:
        raise NoFace(f"the face in {name} is blurred: enrol a sharp photo")
    if quality.turned > MOST_TURNED:
        raise NoFace(f"the face in {name} is turned away: enrol a photo of the person looking at the camera")
    return face


def _seen(faces: Sequence[Face], where: tuple[TimeRange, ...], models: FaceModels, *, still: bool) -> Seen:
    best = sorted((f for f in faces if f.quality.comparable), key=lambda f: -f.quality.rank)[:3]
    if not best:
        return Seen(where, None, sure=False)
    template = Template(models.embed_well([f.chip for f in best]), best[0].quality, models.digest)
    return Seen(where, template, sure=best[0].quality.sure and (still or len(faces) > 1))


def _apart(one: Seen, other: Seen) -> float:
    if one.template is None or other.template is None:
        return float("inf")
    return one.template.distance(other.template)


# ---- templates at rest ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TemplateCache:
    """Templates on disk, sealed with AES-256-GCM. Names are keyed digests: the folder tells nobody who is enrolled."""

    root: Path
    key: bytes = field(repr=False)
    """32 bytes, one per tenant; without it neither names nor contents can be read."""

    def get(self, name: str) -> Template | None:
        """The template kept under `name`; None where there is none, or one this key did not seal."""
        path = self._path(name)
        try:
            sealed = path.read_bytes()
            plain = AESGCM(self.key).decrypt(sealed[:12], sealed[12:], path.name.encode())
        except (FileNotFoundError, InvalidTag):
            return None
        head, _, body = plain.partition(b"\n")
        doc = json.loads(head)
        return Template(np.frombuffer(body, "<f4").astype(np.float32), Quality(**doc["quality"]), doc["weights"])

    def put(self, name: str, template: Template) -> None:
        """Keep a template under `name`."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(name)
        head = json.dumps({"quality": asdict(template.quality), "weights": template.weights}).encode()
        nonce = os.urandom(12)
        plain = head + b"\n" + template.vector.astype("<f4").tobytes()
        with tempfile.NamedTemporaryFile(dir=self.root, delete=False) as file:
            file.write(nonce + AESGCM(self.key).encrypt(nonce, plain, path.name.encode()))
        Path(file.name).replace(path)

    def forget(self, name: str) -> bool:
        """Delete what is kept under `name`; whether there was anything."""
        path = self._path(name)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def _path(self, name: str) -> Path:
        return self.root / hmac.new(self.key, name.encode(), "sha256").hexdigest()


# ---- following faces through a film --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """One face of a track, kept to be compared."""

    at_us: int
    until_us: int
    face: Face


@dataclass(slots=True)
class Track:
    """One face from where it comes into a shot to where it leaves it."""

    shot: int
    width: int
    """Of the film's frames, in pixels."""
    height: int
    places: list[tuple[int, int, Detection]] = field(default_factory=list)
    """(at_us, until_us, where) of every look that found it, in order of time."""
    samples: list[Sample] = field(default_factory=list)
    sampled_us: int = -SAMPLE_US

    @property
    def where(self) -> TimeRange:
        """From the first look that found it to the end of the last."""
        return TimeRange(self.places[0][0], self.places[-1][1])

    def parts(self, models: FaceModels) -> list[Track]:
        """The track, cut where the face turns into another person's; in order of time."""
        usable = [s for s in self.samples if s.face.quality.comparable]
        if len(usable) < 2:
            return [self]
        vectors = models.embed([s.face.chip for s in usable])
        cuts, begun = [], 0
        for i in range(1, len(usable)):
            if np.linalg.norm(vectors[i] - vectors[begun:i].mean(axis=0)) > OTHER_PERSON:
                cuts.append(usable[i].at_us)
                begun = i
        return [self._between(start, end) for start, end in zip([0, *cuts], [*cuts, None], strict=True)]

    def _between(self, start_us: int, end_us: int | None) -> Track:
        places = [p for p in self.places if p[0] >= start_us and (end_us is None or p[0] < end_us)]
        samples = [s for s in self.samples if s.at_us >= start_us and (end_us is None or s.at_us < end_us)]
        return Track(self.shot, self.width, self.height, places, samples)


class Follower:
    """The faces of a film, look by look, as tracks."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        self._open: list[Track] = []
        self._done: list[Track] = []
        self._shot = -1
        self._close_look_due_us = 0
        self._looked_us = 0

    def see(self, rgb: Pixels, at_us: int, until_us: int, *, shot: int, keep: bool, closely: bool = False) -> None:
        """Look at one frame. With `keep`, faces are kept to be compared; `closely` is for stills."""
        height, width = rgb.shape[:2]
        self._looked_us = at_us
        self._close(lambda t: t.shot != shot or at_us - t.places[-1][1] > LOST_US)
        free = list(self._open)
        for found in self._models.find_closely(rgb) if closely else self._found(rgb, at_us, shot):
            track = max(free, key=lambda t: t.places[-1][2].overlap(found), default=None)
            if track is None or track.places[-1][2].overlap(found) < SAME_TRACK_OVERLAP:
                track = Track(shot, width, height)
                self._open.append(track)
            else:
                free.remove(track)
            track.places.append((at_us, until_us, found))
            if keep and at_us - track.sampled_us >= SAMPLE_US:
                self._sample(track, Sample(at_us, until_us, self._models.cut_out(rgb, found)))

    def _found(self, rgb: Pixels, at_us: int, shot: int) -> list[Detection]:
        """Faces at the usual size; where there are none, now and then at the larger one, and on while it finds some."""
        if shot != self._shot:
            self._shot, self._close_look_due_us = shot, at_us
        found = self._models.detect(rgb, FILM_SIDE, COARSE)
        if not found and at_us >= self._close_look_due_us:
            found = self._models.detect(rgb, CLOSE_SIDE, COARSE)
            self._close_look_due_us = at_us + (0 if found else CLOSE_LOOK_US)
        return found

    def still_there(self, until_us: int) -> None:
        """This frame shows what the last one looked at did: its faces are still where they were."""
        for track in self._open:
            begun_us, _, place = track.places[-1]
            if begun_us == self._looked_us:
                track.places[-1] = (begun_us, until_us, place)

    def finish(self) -> list[Track]:
        """Every track, in order of time."""
        self._close(lambda _: True)
        return sorted(self._done, key=lambda t: t.where)

    def _sample(self, track: Track, sample: Sample) -> None:
        track.sampled_us = sample.at_us
        insort(track.samples, sample, key=lambda s: s.at_us)
        if len(track.samples) > MOST_SAMPLES:
            track.samples.remove(min(track.samples, key=lambda s: s.face.quality.rank))

    def _close(self, over: Callable[[Track], bool]) -> None:
        self._done += [t for t in self._open if over(t)]
        self._open = [t for t in self._open if not over(t)]


# ---- the models ----------------------------------------------------------------------------------

CHIP = 150
ROOM = 18
"""Pixels around the chip that `Face.chip` keeps, so that it can be turned and scaled a little."""
PADDING = 0.25
"""Of the chip around the face, in sides of the face; the embedder was trained with it."""
CROP_FACE = 200
"""Side in pixels a face is scaled to before its landmarks are sought."""
CROP_ROOM = 0.9
"""Of the crop around a face's square, in sides of it: the tilted chip must fit inside."""
WINDOW = 80
"""Side in pixels of the detector's one window. Source: mmod_human_face_detector.dat."""
SMALLEST = 40
"""Short side in pixels of the smallest size looked at: a face twice as wide as the picture would fill the window."""
CLOSE_UP, ROOM_AT_EDGE = 140, 24
"""Pictures at most this wide get so much grey around them. In them the window takes in most of the picture, and a face
that fills a vertical frame is found in 48 of 48 frames; without, in 14. It costs a quarter more."""
MEAN_FACE = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
"""Where the five landmarks lie in the face's unit square. Source: dlib/image_transforms/interpolation.h."""
_JITTER = ((0.0, 1.0, 0, 0), (3.0, 1.0, 0, 0), (-3.0, 1.0, 0, 0), (0.0, 1.04, 2, -2), (0.0, 0.96, -2, 2))
"""Degrees, scale, shift in pixels: the small warps whose embeddings, with their mirror images, are averaged."""


@dataclass(frozen=True, slots=True)
class FaceModels:
    """dlib's face detector, landmarks and embedder, ready to run."""

    detector: Any
    embedder: Any
    landmarks: Landmarks
    offset: int
    """Pixel of the first cell's centre in the detector's answer; cells are `cell` pixels apart."""
    cell: int
    digest: str
    """SHA-256 over the three files."""

    @classmethod
    def load(cls, weights: WeightStore, device: str = "cpu") -> FaceModels:
        """The models of these weights; sessions are shared within the process. Raises WeightsMissing."""
        (detect, d1), (embed, d2), (points, d3) = (
            weights.file(WEIGHTS, file) for file in ("detect.onnx", "embed.onnx", "landmarks.npz")
        )
        detector = onnx_session.session(detect, device)
        properties = detector.get_modelmeta().custom_metadata_map
        return cls(
            detector,
            onnx_session.session(embed, device),
            _landmarks(points, d3),
            int(properties["offset"]),
            int(properties["cell"]),
            combined(d1, d2, d3),
        )

    def faces(self, rgb: Pixels) -> list[Face]:
        """Every face of a photo, cut out, largest first."""
        return [self.cut_out(rgb, found) for found in self.find_closely(rgb)]

    def find_closely(self, rgb: Pixels) -> list[Detection]:
        """Faces of a photo, largest first.

        Where a first look shows none, the photo is looked at with grey around it (a face may fill it) and
        then at a larger size (faces may be small).
        """
        found = self.detect(rgb, FILM_SIDE, FINE)
        found = found or self._with_margin(rgb) or self.detect(rgb, CLOSE_SIDE, FINE)
        return sorted(found, key=lambda f: -f.width_px)

    def detect(self, rgb: Pixels, side: int, ratio: float) -> list[Detection]:
        """Faces of a picture scaled to `side` pixels, in pixels of `rgb`, surest first."""
        height, width = rgb.shape[:2]
        scale = min(1.0, side / max(height, width))
        base, shrunk, found = _scaled(rgb, scale), 1.0, []
        picture = base
        while min(picture.shape[:2]) >= SMALLEST:
            room = ROOM_AT_EDGE if min(picture.shape[:2]) <= CLOSE_UP else 0
            planes = np.ascontiguousarray(_with_grey(picture, room).transpose(2, 0, 1), np.float32)[None]
            answer = self.detector.run(None, {"x": planes})[0][0, 0]
            across, down = picture.shape[1] / width, picture.shape[0] / height
            for row, column in zip(*np.nonzero(answer > 0), strict=True):
                x, y = column * self.cell + self.offset - room, row * self.cell + self.offset - room
                half = WINDOW / 2
                found.append(
                    Detection(
                        (x - half) / across,
                        (y - half) / down,
                        (x + half) / across,
                        (y + half) / down,
                        float(answer[row, column]),
                    )
                )
            shrunk *= ratio
            picture = _scaled(base, shrunk)
        return _apart_from_each_other(found)

    def cut_out(self, rgb: Pixels, found: Detection) -> Face:
        """The face at `found`: its landmarks sought, turned upright, its quality measured."""
        crop, scale, left, top = _crop(rgb, found)
        square = tuple(
            (v - at) * scale for v, at in zip((found.x0, found.y0, found.x1, found.y1), (left, top) * 2, strict=True)
        )
        points = self.landmarks.find(crop, (square[0], square[1], square[2], square[3]))
        side = CHIP + 2 * ROOM
        onto = (PADDING + MEAN_FACE) / (2 * PADDING + 1) * CHIP + ROOM
        warp = _similarity(onto, points)
        chip = np.asarray(
            cv2.warpAffine(
                crop, warp, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
        return Face(found, chip, _quality(found, chip, points))

    def embed(self, chips: Sequence[Pixels]) -> Floats:
        """float32[n, 128]: one plain embedding per chip, 2.8 ms each on one thread."""
        middle = [c[ROOM : ROOM + CHIP, ROOM : ROOM + CHIP] for c in chips]
        return self._embed(middle)

    def embed_well(self, chips: Sequence[Pixels]) -> Floats:
        """float32[128]: the mean over the chips of ten small variations each, 25 ms per chip.

        Worth it for enrolment and for deciding about a track: the worst pair of one person comes
        from .645 to .595. Raises ValueError for no chips.
        """
        if not chips:
            raise ValueError("a template needs at least one face")
        varied = [v for chip in chips for warped in map(_warper(chip), _JITTER) for v in (warped, warped[:, ::-1])]
        return np.asarray(self._embed(varied).mean(axis=0), np.float32)

    def _embed(self, pictures: Sequence[Pixels]) -> Floats:
        # one at a time: batches of five are no faster on one thread
        rows = [
            self.embedder.run(None, {"x": np.ascontiguousarray(p.transpose(2, 0, 1), np.float32)[None]})[0]
            for p in pictures
        ]
        return np.asarray(np.concatenate(rows), np.float32)

    def _with_margin(self, rgb: Pixels) -> list[Detection]:
        height, width = rgb.shape[:2]
        room = round(GREY_MARGIN * max(height, width))
        wide = _with_grey(rgb, room)
        return [
            Detection(f.x0 - room, f.y0 - room, f.x1 - room, f.y1 - room, f.score)
            for f in self.detect(wide, FILM_SIDE, FINE)
        ]


@dataclass(frozen=True, slots=True)
class Landmarks:
    """dlib's five-point shape predictor: a cascade of ensembles of regression trees over pixel differences.

    Source: Kazemi and Sullivan, One Millisecond Face Alignment, CVPR 2014; dlib/image_processing/shape_predictor.h.
    """

    initial: Floats
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    threshold: Floats
    leaves: Floats
    anchor: NDArray[np.int32]
    delta: Floats

    def find(self, rgb: Pixels, square: tuple[float, float, float, float]) -> NDArray[np.float64]:
        """float64[5, 2]: outer and inner corner of one eye, of the other, and the nose, in pixels of `rgb`."""
        height, width = rgb.shape[:2]
        left, top, right, bottom = (round(v) for v in square)
        corner, size = np.array([left, top]), np.array([right - left, bottom - top])
        trees, splits = self.first.shape[1:]
        roots = np.arange(trees) * splits
        shape = self.initial.copy()
        for step in range(len(self.first)):
            tilt = _turn(self.initial, shape)
            at = self.delta[step] @ tilt.T + shape.reshape(-1, 2)[self.anchor[step]]
            x, y = np.floor(corner + at * size + 0.5).astype(np.int64).T
            inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
            seen = rgb[y.clip(0, height - 1), x.clip(0, width - 1)].sum(axis=1, dtype=np.int32) // 3
            grey = np.where(inside, seen, 0)
            left_turn = grey.take(self.first[step]) - grey.take(self.second[step]) > self.threshold[step]
            right_turn = (~left_turn).ravel()
            node = np.zeros(trees, np.int64)
            for _ in range(splits.bit_length()):
                node = 2 * node + 1 + right_turn.take(roots + node)
            shape = shape + self.leaves[step, np.arange(trees), node - splits].sum(axis=0)
        return np.asarray(corner + shape.reshape(-1, 2).astype(np.float64) * size, np.float64)


_loaded: dict[str, Landmarks] = {}


def _landmarks(path: Path, digest: str) -> Landmarks:
    """The shape predictor, read once per process."""
    if digest not in _loaded:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                _loaded[digest] = Landmarks(**arrays)
        except (ValueError, TypeError, OSError) as wrong:
            raise WeightsMissing(
                f"{path.name} of {WEIGHTS} cannot be read: {wrong}", f"dramagate models pull {WEIGHTS}"
            ) from wrong
    return _loaded[digest]


def _crop(rgb: Pixels, found: Detection) -> tuple[Pixels, float, int, int]:
    """The surroundings of a face scaled to `CROP_FACE`: picture, scale, left and top in pixels of `rgb`."""
    height, width = rgb.shape[:2]
    room = found.width_px * CROP_ROOM
    left, top = max(0, int(found.x0 - room)), max(0, int(found.y0 - room))
    right, bottom = min(width, int(found.x1 + room) + 1), min(height, int(found.y1 + room) + 1)
    piece = rgb[top:bottom, left:right]
    scale = CROP_FACE / found.width_px
    return _scaled(piece, scale), scale, left, top


def _scaled(rgb: Pixels, scale: float) -> Pixels:
    if scale == 1.0:
        return rgb
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def _with_grey(rgb: Pixels, room: int) -> Pixels:
    if not room:
        return rgb
    return np.asarray(cv2.copyMakeBorder(rgb, room, room, room, room, cv2.BORDER_CONSTANT, value=[128] * 3), np.uint8)


def _turn(reference: Floats, shape: Floats) -> Floats:
    """The rotation and scale that bring `reference` closest to `shape`, float32[2, 2]."""
    a, b = reference.reshape(-1, 2), shape.reshape(-1, 2)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = float((a * a).sum())
    cosine, sine = float((a * b).sum()) / norm, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / norm
    return np.array([[cosine, -sine], [sine, cosine]], np.float32)


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2 x 3 matrix of rotation, scale and shift that brings `source` closest to `target` (least squares)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    norm = (a * a).sum()
    cosine, sine = (a * b).sum() / norm, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / norm
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, target.mean(axis=0) - turn @ source.mean(axis=0)])


def _warper(chip: Pixels) -> Any:
    middle = CHIP / 2 + ROOM - 0.5

    def warped(variation: tuple[float, float, int, int]) -> Pixels:
        degrees, scale, right, down = variation
        matrix = cv2.getRotationMatrix2D((middle, middle), degrees, scale)
        matrix[:, 2] += right - ROOM, down - ROOM
        return np.asarray(cv2.warpAffine(chip, matrix, (CHIP, CHIP), flags=cv2.INTER_LINEAR), np.uint8)

    return warped


def _quality(found: Detection, chip: Pixels, points: NDArray[np.float64]) -> Quality:
    grey = np.asarray(cv2.cvtColor(chip[ROOM : ROOM + CHIP, ROOM : ROOM + CHIP], cv2.COLOR_RGB2GRAY), np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)  # grain must not count as sharpness
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    bends = cv2.Laplacian(smooth, cv2.CV_32F)
    energy = float((across * across + down * down).sum())
    blur = (energy / (2 * float((bends * bends).sum()) + 1e-9)) ** 0.5
    one, other, nose = points[:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    eyes = one - other
    apart = max(1e-6, float(np.linalg.norm(eyes)))
    turned = abs(float((nose - (one + other) / 2) @ eyes)) / apart**2
    return Quality(found.width_px, blur, turned)


def _apart_from_each_other(found: list[Detection]) -> list[Detection]:
    """The surest of each heap of detections of one face."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda f: (-f.score, f.x0, f.y0)):
        if not any(one.overlap(k) > 0.4 or _shared(one, k) / min(_area(one), _area(k)) > 0.8 for k in kept):
            kept.append(one)
    return kept


def _shared(one: Detection, other: Detection) -> float:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0.0, across) * max(0.0, down)


def _area(one: Detection) -> float:
    return (one.x1 - one.x0) * (one.y1 - one.y0)
