"""Where weights lie and whether they are the right ones. Nothing is downloaded at run time.

`CATALOGUE` says what there is: source, licence, pins, who needs it. `pull` prepares one entry under
<root>/<name>/, beside a model.json that records what was done and the digest of every file.
`WeightStore` hands prepared files out, and only such as are what model.json says.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from provenance.asset import digest
from provenance.failure import Unavailable

RECORD = "model.json"
SCHEMA = "dramagate/weights@1"


class WeightsMissing(Unavailable):
    """Weights a classifier needs are absent or not what was recorded. Becomes a Gap.

    `remedy` is the command that would fix it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class PullFailed(Unavailable):
    """Weights cannot be prepared. The message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What may be done with weights, as their makers say it."""

    spdx: str
    notice: str
    """The notices to keep, and what the licence leaves open."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One entry of the catalogue. `prepare(source, folder)` writes the files; what it returns goes into model.json."""

    name: str
    what: str
    source: str
    licence: Licence | None
    """None: the user brings these weights and says under what licence."""
    needed_by: tuple[str, ...]
    """Classifiers that leave a Gap (or see less) without them."""
    default: bool
    """Whether `models pull --default` prepares them."""
    recipe: str
    """Changes whenever the same source would be prepared differently."""
    pins: Mapping[str, str]
    """Digest ("sha256-<hex>" or "sha512-<base64>") of each source file, by name."""
    files: tuple[str, ...]
    """What lies there afterwards; empty where the user's folder decides."""
    note: str = ""

    @property
    def command(self) -> str:
        """The command that prepares them."""
        return f"dramagate models pull {self.name}" + ("" if self.licence else " --from FOLDER --licence WORDS")


class State(StrEnum):
    """How one entry of the catalogue lies on this machine."""

    READY = "ready"
    ABSENT = "absent"
    DAMAGED = "damaged"
    OUTDATED = "outdated"
    """Whole, but prepared by an older recipe; `pull` prepares it anew."""


@dataclass(frozen=True, slots=True)
class Status:
    """One entry of the catalogue on this machine, for `models list` and `models verify`."""

    weights: Weights
    state: State
    detail: str
    """What is wrong, in one sentence; empty where nothing is."""
    folder: Path
    size_bytes: int
    licence: str
    """SPDX id or the user's words; "unknown" where nobody said."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict of JSON values."""
        w = self.weights
        return {
            "name": w.name,
            "what": w.what,
            "source": w.source,
            "licence": self.licence,
            "notice": w.licence.notice if w.licence else "",
            "needed_by": list(w.needed_by),
            "default": w.default,
            "state": self.state.value,
            "detail": self.detail,
            "folder": str(self.folder),
            "size_bytes": self.size_bytes,
            "command": w.command,
        }


DLIB = "package face_recognition_models==0.3.0 (PyPI), files of github.com/davisking/dlib-models"
CATALOGUE: tuple[Weights, ...] = (
    Weights(
        name="faces-dlib",
        what="face detector, five landmarks and 128-number face embedder of dlib, converted to ONNX and numpy",
        source=DLIB,
        licence=Licence(
            "CC0-1.0",
            "Davis E. King placed the detector, the 5-point landmarks and the embedder in the public domain (CC0). "
            "The 68-point landmarks in the same package are for non-commercial use and are never read.",
        ),
        needed_by=("likeness",),
        default=True,
        recipe="dlib-1",
        pins={
            "mmod_human_face_detector.dat": "sha256-4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            "dlib_face_recognition_resnet_model_v1.dat": (
                "sha256-55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
            ),
            "shape_predictor_5_face_landmarks.dat": (
                "sha256-c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888"
            ),
        },
        files=("detect.onnx", "embed.onnx", "landmarks.npz"),
        note="Trained on mostly Western faces: strangers of East Asian descent come out too alike (docs/models.md).",
    ),
    Weights(
        name="explicit-nsfwjs",
        what="two picture classifiers (drawing, hentai, neutral, porn, sexy) of nsfwjs, converted to ONNX",
        source="npm package nsfwjs@4.3.0: models/mobilenet_v2_mid, models/mobilenet_v2",
        licence=Licence(
            "MIT",
            "MIT (c) 2019 Infinite Red, Inc.; weights MIT (c) 2020 The nsfw_model Developers. "
            "Trained on scraped pictures in which the developers hold no rights.",
        ),
        needed_by=("explicit_content",),
        default=True,
        recipe="nsfwjs-1",
        pins={
            "nsfwjs-4.3.0.tgz": (
                "sha512-WTKDte0vp1X97N1h34P79G/hG+sVT3+TnDz9di1WseIJR93v11E4viNX7Vg9WsO6HYoR772Nzq2iM8jo3XBZ+g=="
            )
        },
        files=("mid.onnx", "v2.onnx"),
    ),
    Weights(
        name="ocr-ppocr",
        what="PP-OCRv6 small: text detection, and recognition of Chinese and English",
        source="package rapidocr (PyPI), models/PP-OCRv6_*_small.onnx",
        licence=Licence("Apache-2.0", "PaddleOCR models (c) PaddlePaddle Authors, as packed by RapidOCR."),
        needed_by=("screen_text", "ai_label"),
        default=True,
        recipe="ppocr-1",
        pins={
            "PP-OCRv6_det_small.onnx": "sha256-090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
            "PP-OCRv6_rec_small.onnx": "sha256-6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        },
        files=("det.onnx", "rec.onnx"),
    ),
    Weights(
        name="explicit-transformers",
        what="a transformers image classifier (nsfw / normal) as a further opinion on explicit content",
        source="a folder with config.json, preprocessor_config.json and model.safetensors",
        licence=None,
        needed_by=(),
        default=False,
        recipe="folder-1",
        pins={},
        files=(),
        note="Example: Falconsai/nsfw_image_detection (Apache-2.0).",
    ),
    Weights(
        name="semantics-openclip",
        what="an open_clip folder, or a transformers CLIP / SigLIP folder, for zero-shot reading of scenes",
        source="a folder of open_clip (open_clip_config.json) or of transformers (config.json), with its weights",
        licence=None,
        needed_by=("semantics",),
        default=False,
        recipe="folder-1",
        pins={},
        files=(),
        note="Example: laion/CLIP-ViT-B-32-laion2B-s34B-b79K (MIT).",
    ),
    Weights(
        name="faces-insightface",
        what="an insightface pack (detector and recogniser) as a second opinion on faces",
        source="a folder of ONNX files as insightface packs have them",
        licence=None,
        needed_by=(),
        default=False,
        recipe="folder-1",
        pins={},
        files=(),
        note="The packs insightface publishes are for non-commercial research; bring one you are licensed to use.",
    ),
    Weights(
        name="speech-whisper",
        what="a Whisper folder (transformers) that turns speech into text",
        source="a folder with config.json, preprocessor_config.json, tokenizer files and model.safetensors",
        licence=None,
        needed_by=("speech",),
        default=False,
        recipe="folder-1",
        pins={},
        files=(),
        note="Example: openai/whisper-base (Apache-2.0).",
    ),
)


def named(name: str) -> Weights:
    """The catalogue's entry `name`. Raises PullFailed where there is none, with the names there are."""
    for weights in CATALOGUE:
        if weights.name == name:
            return weights
    raise PullFailed(f"no weights are called {name!r}; there are {', '.join(w.name for w in CATALOGUE)}")


@dataclass(frozen=True, slots=True)
class WeightStore:
    """The directory of prepared weights: <root>/<name>/ with its files and model.json."""

    root: Path

    def file(self, name: str, file: str = "model.onnx") -> tuple[Path, str]:
        """Path and SHA-256 of one prepared file, checked against model.json.

        The bytes are digested once per process, and again when size or time of change differ.
        Raises WeightsMissing where it is absent or its digest is not the one recorded.
        """
        record = self._record(name)
        if (wanted := record["files"].get(file)) is None:
            raise WeightsMissing(f"the weights {name!r} hold no file {file!r}", _remedy(name))
        return self._checked(name, file, wanted["sha256"]), wanted["sha256"]

    def folder(self, name: str) -> tuple[Path, str]:
        """The folder of weights a user brought, every file checked, and one SHA-256 over all of them.

        Raises WeightsMissing as `file` does.
        """
        files = self._record(name)["files"]
        for file, wanted in files.items():
            self._checked(name, file, wanted["sha256"])
        return self.root / name, combined(*(f"{file}:{wanted['sha256']}" for file, wanted in sorted(files.items())))

    def holds(self, name: str) -> bool:
        """Whether something is prepared under `name`, right or wrong: an optional model that is damaged is a Gap."""
        return (self.root / name).exists()

    def _record(self, name: str) -> dict[str, Any]:
        path = self.root / name / RECORD
        try:
            record = json.loads(path.read_text("utf-8"))
            files = record["files"]
            whole = all(isinstance(f["sha256"], str) for f in files.values())
        except FileNotFoundError:
            raise WeightsMissing(f"the weights {name!r} are not prepared", _remedy(name)) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise WeightsMissing(f"the record of the weights {name!r} cannot be read: {wrong}", _remedy(name)) from None
        if not whole:
            raise WeightsMissing(f"the record of the weights {name!r} lacks a digest", _remedy(name))
        return dict(record)

    def _checked(self, name: str, file: str, sha256: str) -> Path:
        path = self.root / name / file
        try:
            found = _digest_once(path)
        except OSError as wrong:
            raise WeightsMissing(
                f"{file} of the weights {name!r} cannot be read: {wrong.strerror}", _remedy(name)
            ) from None
        if found != sha256:
            raise WeightsMissing(
                f"{file} of the weights {name!r} has been changed: its digest is not the one recorded", _remedy(name)
            )
        return path


def combined(*digests: str) -> str:
    """One SHA-256 for a finding that rests on several files."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def verify(root: Path) -> tuple[Status, ...]:
    """How every entry of the catalogue lies under `root`; each file's bytes are read again."""
    _digests.clear()
    return tuple(_status(weights, WeightStore(root)) for weights in CATALOGUE)


def pull_default(root: Path, progress: Callable[[str], None] = lambda _: None) -> tuple[Status, ...]:
    """Prepare everything the default install screens with. Raises PullFailed at the first that cannot be."""
    return tuple(pull(weights.name, root, progress=progress) for weights in CATALOGUE if weights.default)


def pull(
    name: str,
    root: Path,
    from_: Path | None = None,
    *,
    licence: str | None = None,
    link: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Status:
    """Prepare the weights `name` under `root`, or do nothing where they lie there already, whole and current.

    `from_` is a folder or archive to take the source from; entries a user brings need it, and `licence`
    (the user's own words). `link` keeps a brought folder's files where they are and links to them.
    Several processes may pull at once: one prepares, the others wait and find it done. What is half
    prepared is never seen under its name. Raises PullFailed.
    """
    weights, store = named(name), WeightStore(root)
    if weights.licence is None and (from_ is None or not licence):
        raise PullFailed(
            f"{name} is {weights.what}: bring it with --from FOLDER and say its licence with --licence, "
            f'for instance --licence "Apache-2.0"'
        )
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f".{name}.lock"):
        if weights.licence is not None and (status := _status(weights, store)).state is State.READY:
            return status
        _clear_leftovers(root, name)
        progress(f"{name}: preparing")
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.new-", dir=root))
        try:
            details = _prepare(weights, from_, folder, link=link)
            _seal(weights, folder, details, licence)
            _swap(folder, root / name)
        except PullFailed:
            raise
        except (OSError, ValueError, KeyError) as wrong:
            raise PullFailed(f"{name} could not be prepared from {from_ or weights.source}: {wrong}") from wrong
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return _status(weights, store)


# ---- preparing, one function per recipe ---------------------------------------------------------


def _prepare(weights: Weights, from_: Path | None, folder: Path, *, link: bool) -> dict[str, Any]:
    match weights.recipe:
        case "dlib-1":
            return _prepare_dlib(weights, from_, folder)
        case "nsfwjs-1":
            return _prepare_nsfwjs(weights, from_, folder)
        case "ppocr-1":
            return _prepare_ppocr(weights, from_, folder)
        case "folder-1" if from_ is not None:
            return _prepare_folder(from_, folder, link=link)
    raise PullFailed(f"{weights.name} cannot be prepared: the recipe {weights.recipe!r} is unknown")


def _prepare_dlib(weights: Weights, from_: Path | None, folder: Path) -> dict[str, Any]:
    import numpy as np
    import onnx

    from classifiers.convert import dlib_nets

    source = from_ or _package_folder("face_recognition_models", "models", weights)
    detector, embedder, landmarks = (_pinned(weights, source / file) for file in weights.pins)
    note = "dlib-models by Davis E. King, public domain (CC0)"
    (folder / "detect.onnx").write_bytes(dlib_nets.convert_detector(detector, note))
    (folder / "embed.onnx").write_bytes(dlib_nets.convert_embedder(embedder, note))
    arrays: dict[str, Any] = {**dlib_nets.read_landmarks(landmarks)}
    with (folder / "landmarks.npz").open("wb") as file:
        np.savez(file, **arrays)
    return {"converted_with": {"onnx": onnx.__version__, "numpy": np.__version__}}


def _prepare_nsfwjs(weights: Weights, from_: Path | None, folder: Path) -> dict[str, Any]:
    import onnx

    from classifiers.convert import nsfwjs

    if from_ is None:
        with tempfile.TemporaryDirectory(prefix="nsfwjs-") as download:
            return _prepare_nsfwjs(weights, nsfwjs.pack(nsfwjs.PACKAGE, Path(download)), folder)
    tgz = from_ / next(iter(weights.pins)) if from_.is_dir() else from_
    data = _pinned(weights, tgz, next(iter(weights.pins)))
    converted = {short: nsfwjs.convert(data, model) for short, model in nsfwjs.MODELS.items()}
    for short, model in converted.items():
        (folder / f"{short}.onnx").write_bytes(model.onnx)
    return {
        "converted_with": {"onnx": onnx.__version__},
        "classes": list(nsfwjs.CLASSES),
        "input": "float32 [n, 224, 224, 3] RGB 0..1; squashed to the square, bilinear, corners aligned",
        "values_sha256": {short: model.values_sha256 for short, model in converted.items()},
    }


def _prepare_ppocr(weights: Weights, from_: Path | None, folder: Path) -> dict[str, Any]:
    source = from_ or _package_folder("rapidocr", "models", weights)
    for file, pin in zip(weights.files, weights.pins, strict=True):
        (folder / file).write_bytes(_pinned(weights, source / pin))
    try:
        return {"taken_from": str(source) if from_ else f"rapidocr {version('rapidocr')}"}
    except PackageNotFoundError:
        return {}


BROUGHT_SUFFIXES = frozenset(
    {".safetensors", ".onnx", ".json", ".txt", ".model", ".bin", ".pt", ".pth", ".jinja", ".md"}
)
"""Files that are taken from a user's folder. Code (.py) is never taken, so it can never be run."""


def _prepare_folder(source: Path, folder: Path, *, link: bool) -> dict[str, Any]:
    source = source.resolve()
    if not source.is_dir():
        raise PullFailed(f"{source} is not a folder; --from names the folder the weights lie in")
    taken = [p for p in sorted(source.rglob("*")) if p.is_file() and p.suffix in BROUGHT_SUFFIXES and p.name != RECORD]
    if not any(p.suffix in {".safetensors", ".onnx", ".bin", ".pt", ".pth"} for p in taken):
        raise PullFailed(f"{source} holds no weights (.safetensors, .onnx, .bin, .pt)")
    for path in taken:
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if link:
            target.symlink_to(path)
        else:
            shutil.copyfile(path, target)
    return {"taken_from": source.name, "linked": link}


def _package_folder(package: str, folder: str, weights: Weights) -> Path:
    """A folder inside an installed package, found without importing it (face_recognition_models cannot be)."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise PullFailed(
            f"{weights.name} comes with the package {package}, which is not installed: pip install {package}"
        )
    return Path(spec.origin).parent / folder


def _pinned(weights: Weights, path: Path, name: str | None = None) -> bytes:
    """The bytes of a source file, if they are the ones we checked."""
    pin = weights.pins[name or path.name]
    try:
        data = path.read_bytes()
    except OSError as wrong:
        raise PullFailed(
            f"{weights.name}: {path} cannot be read ({wrong.strerror}); source: {weights.source}"
        ) from None
    kind, _, wanted = pin.partition("-")
    raw = hashlib.new(kind, data).digest()
    if wanted not in (raw.hex(), base64.b64encode(raw).decode()):
        raise PullFailed(
            f"{weights.name}: {path} is not the file we checked (its {kind} is {raw.hex()}, not the pinned one); "
            f"get it anew from {weights.source}"
        )
    return data


def _seal(weights: Weights, folder: Path, details: Mapping[str, Any], licence: str | None) -> None:
    """Write model.json, which a WeightStore checks against; all bytes reach the disk before the folder is named."""
    files = {
        str(p.relative_to(folder)): {"sha256": digest(p), "bytes": p.stat().st_size}
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
    if missing := set(weights.files) - files.keys():
        raise PullFailed(f"{weights.name}: preparing made no {', '.join(sorted(missing))}")
    record = {
        "schema": SCHEMA,
        "name": weights.name,
        "source": weights.source,
        "pins": dict(weights.pins),
        "licence": asdict(weights.licence) if weights.licence else {"spdx": licence, "notice": "as stated by the user"},
        "recipe": weights.recipe,
        **details,
        "files": files,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    folder.chmod(0o755)
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(folder: Path, target: Path) -> None:
    """Give the prepared folder its name. What lay there before is moved aside first and removed after."""
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    with suppress(FileNotFoundError):
        target.rename(old)
    folder.rename(target)
    _sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _clear_leftovers(root: Path, name: str) -> None:
    """Remove what a killed pull left; the caller holds the lock, so nobody is at work on it."""
    for pattern in (f".{name}.new-*", f".{name}.old-*"):
        for left in root.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock at `path`; the kernel lets go of it when this process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- looking at what is prepared ----------------------------------------------------------------


def _status(weights: Weights, store: WeightStore) -> Status:
    folder = store.root / weights.name
    state, detail, licence = State.READY, "", weights.licence.spdx if weights.licence else "unknown"
    try:
        store.folder(weights.name)
        record = json.loads((folder / RECORD).read_text("utf-8"))
        licence = record["licence"]["spdx"] or licence
        if record.get("recipe") != weights.recipe or record.get("pins") != dict(weights.pins):
            state, detail = State.OUTDATED, f"prepared by the recipe {record.get('recipe')}, not {weights.recipe}"
        elif missing := set(weights.files) - record["files"].keys():
            state, detail = State.DAMAGED, f"{', '.join(sorted(missing))} is not there"
    except WeightsMissing as missing_weights:
        state = State.DAMAGED if folder.exists() else State.ABSENT
        detail = missing_weights.reason
    except (KeyError, TypeError) as wrong:
        state, detail = State.DAMAGED, f"the record of the weights {weights.name!r} has no {wrong}"
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return Status(weights, state, detail, folder, size, licence)


_digests: dict[tuple[str, int, int], str] = {}


def _digest_once(path: Path) -> str:
    """SHA-256 of a file, remembered for this process while its size and time of change stay."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        _digests[key] = digest(path)
    return _digests[key]


def _remedy(name: str) -> str:
    for weights in CATALOGUE:
        if weights.name == name:
            return weights.command
    return f"dramagate models pull {name}"
