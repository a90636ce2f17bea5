"""Models a user brings that run on torch: image classifiers, CLIP-like pairs, Whisper. The only module to import torch.

Imports are made inside, on first use: torch takes a second, transformers three, and most screenings need
neither. Nothing is fetched: hubs are switched off before either library is imported, folders are read with
`local_files_only`, code in a folder is never run, and a folder without weights is refused rather than
run with random ones.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.weights import WeightsMissing

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")


# ---- what others call ----------------------------------------------------------------------------


@cache
def image_classifier(folder: Path, device: str = "cpu", *, needs: frozenset[str] = frozenset()) -> ImageClassifier:
    """The transformers image classifier in `folder`, loaded once per process.

    Raises WeightsMissing where it cannot be loaded, or has none of the classes `needs` asks for.
    """
    _must_hold_weights(folder)
    torch, transformers = _torch(), _transformers()
    with _told(folder):
        model = transformers.AutoModelForImageClassification.from_pretrained(folder, **_LOCAL)
        processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    model, kind = _placed(torch, model, device)
    labels = tuple(str(model.config.id2label[i]) for i in range(model.config.num_labels))
    if needs and not needs & {label.lower() for label in labels}:
        raise WeightsMissing(
            f"the classifier {folder.name} knows the classes {', '.join(labels)}; none of them is one of "
            f"{', '.join(sorted(needs))}",
            f"dramagate models pull {folder.name} --from FOLDER --licence WORDS, with a classifier that has one",
        )
    return ImageClassifier(model, processor, labels, device, kind)


@cache
def image_text(folder: Path, device: str = "cpu") -> ImageText:
    """The open_clip or transformers (CLIP, SigLIP) pair in `folder`, loaded once per process. Raises WeightsMissing."""
    _must_hold_weights(folder)
    torch = _torch()
    if (folder / "open_clip_config.json").exists():
        open_clip = _open_clip()
        with _told(folder):
            model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
            tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        model, kind = _placed(torch, model, device)
        return _OpenClip(model, preprocess, tokenizer, device, kind)
    transformers = _transformers()
    with _told(folder):
        model = transformers.AutoModel.from_pretrained(folder, **_LOCAL)
        processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
        raise WeightsMissing(
            f"{folder.name} holds a {type(model).__name__}, which does not compare pictures with texts",
            f"dramagate models pull {folder.name} --from FOLDER --licence WORDS, with a CLIP or SigLIP folder",
        )
    model, kind = _placed(torch, model, device)
    return _Transformers(model, processor, device, kind)


@dataclass(frozen=True, slots=True, eq=False)
class ImageClassifier:
    """A picture classifier with named classes."""

    model: Any
    processor: Any
    labels: tuple[str, ...]
    device: str
    kind: Any
    """torch.dtype its weights have."""

    def classify(self, rgb: Pixels) -> dict[str, float]:
        """Probability of every class, by its name."""
        torch = _torch()
        with torch.inference_mode():
            inputs = self.processor(images=[rgb], return_tensors="pt")["pixel_values"]
            logits = self.model(pixel_values=inputs.to(self.device, self.kind)).logits.float()
            values = logits.softmax(-1)[0].cpu().tolist()
        return dict(zip(self.labels, map(float, values), strict=True))

    def unsafe(self, rgb: Pixels, labels: frozenset[str]) -> float:
        """Probability that the picture belongs to any of the classes `labels`, whatever case they are written in."""
        return sum(p for label, p in self.classify(rgb).items() if label.lower() in labels)


class ImageText:
    """Pictures and texts as vectors that can be compared: a dot product is a similarity."""

    scale: float
    """What the model multiplies similarities with before the softmax (or the sigmoid)."""

    def pictures(self, rgbs: Sequence[Pixels]) -> Floats:
        """float32[n, d], each of length 1."""
        raise NotImplementedError

    def texts(self, texts: Sequence[str]) -> Floats:
        """float32[n, d], each of length 1."""
        raise NotImplementedError


# ---- two kinds of image-text models --------------------------------------------------------------


class _OpenClip(ImageText):
    def __init__(self, model: Any, preprocess: Any, tokenizer: Any, device: str, kind: Any) -> None:
        self._model, self._preprocess, self._tokenizer = model, preprocess, tokenizer
        self._device, self._kind = device, kind
        self.scale = float(model.logit_scale.exp())

    def pictures(self, rgbs: Sequence[Pixels]) -> Floats:
        from PIL import Image

        torch = _torch()
        with torch.inference_mode():
            batch = torch.stack([self._preprocess(Image.fromarray(rgb)) for rgb in rgbs])
            return _unit(self._model.encode_image(batch.to(self._device, self._kind)))

    def texts(self, texts: Sequence[str]) -> Floats:
        torch = _torch()
        with torch.inference_mode():
            return _unit(self._model.encode_text(self._tokenizer(list(texts)).to(self._device)))


class _Transformers(ImageText):
    def __init__(self, model: Any, processor: Any, device: str, kind: Any) -> None:
        self._model, self._processor = model, processor
        self._device, self._kind = device, kind
        self.scale = float(model.logit_scale.exp()) if hasattr(model, "logit_scale") else 1.0

    def pictures(self, rgbs: Sequence[Pixels]) -> Floats:
        torch = _torch()
        with torch.inference_mode():
            pixels = self._processor(images=list(rgbs), return_tensors="pt")["pixel_values"]
            return _unit(self._model.get_image_features(pixel_values=pixels.to(self._device, self._kind)))

    def texts(self, texts: Sequence[str]) -> Floats:
        torch = _torch()
        # SigLIP was trained on texts padded to its full length; CLIP masks the padding, so it does no harm there
        most = int(self._model.config.text_config.max_position_embeddings)
        with torch.inference_mode():
            words = self._processor(
                text=list(texts), return_tensors="pt", padding="max_length", truncation=True, max_length=most
            )
            return _unit(self._model.get_text_features(**{k: v.to(self._device) for k, v in words.items()}))


def _unit(features: Any) -> Floats:
    """As float32 rows of length 1. transformers 5 wraps features where 4 gave the tensor."""
    tensor = getattr(features, "pooler_output", features).float()
    return np.asarray((tensor / tensor.norm(dim=-1, keepdim=True)).cpu().numpy(), np.float32)


# ---- getting torch and its libraries -------------------------------------------------------------

_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def _placed(torch: Any, model: Any, device: str) -> tuple[Any, Any]:
    """The model, in evaluation, on `device`, in bfloat16 where that is fast, and the kind of its numbers.

    Measured: 3.3-3.8 times faster on a CPU with AVX512_BF16; on others bfloat16 is emulated and slower.
    """
    if device != "cpu" and not torch.cuda.is_available():
        raise WeightsMissing(f"the device {device!r} is not there for torch", "choose the device cpu")
    fast = device != "cpu" or (_has_bf16())
    kind = torch.bfloat16 if fast else torch.float32
    return model.eval().to(device, kind), kind


@cache
def _has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@cache
def _torch() -> Any:
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    import torch

    torch.set_num_threads(1)
    _mend_torchvision(torch)
    return torch


@cache
def _transformers() -> Any:
    _torch()
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


@cache
def _open_clip() -> Any:
    _torch()
    import open_clip

    return open_clip


_kept_alive: list[Any] = []


def _mend_torchvision(torch: Any) -> None:
    """Make torchvision importable where its compiled half was built for another torch.

    PyPI's torchvision is built for CUDA; beside a CPU torch its library does not load, and everything that
    imports it fails, transformers and open_clip among them. Declaring the operators it asks for is
    enough: nobody here calls them. Source: pytorch/vision#9077, #9085.
    """
    try:
        import_module("torchvision")
    except ImportError:
        return
    except RuntimeError as wrong:
        if "torchvision::nms" not in str(wrong):
            raise
    else:
        return
    for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept_alive.extend((library, import_module("torchvision")))  # the declarations go with the object


def _must_hold_weights(folder: Path) -> None:
    if not any(p.suffix in WEIGHT_SUFFIXES for p in folder.iterdir()):
        raise WeightsMissing(
            f"{folder.name} holds no weights ({', '.join(WEIGHT_SUFFIXES)}); a model without them would be random",
            f"dramagate models pull {folder.name} --from FOLDER --licence WORDS",
        )


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say which folder, where a library fails to load it; its warnings are no concern of the screening."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as wrong:
        said = (str(wrong) or "no reason given").splitlines()[0]
        raise WeightsMissing(
            f"{folder.name} cannot be loaded: {type(wrong).__name__}: {said}",
            f"dramagate models pull {folder.name} --from FOLDER --licence WORDS",
        ) from wrong
