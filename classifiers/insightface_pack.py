"""A recogniser the user brings, as an insightface pack: a second opinion on whose face it is.

The packs insightface publishes are for non-commercial research; bring one you are licensed to use. The
pack is read from the folder it lies in and nothing is ever downloaded.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers import onnx_session
from classifiers.weights import WeightsMissing

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

WEIGHTS = "faces-insightface"
LOOKS_AT = 320
"""Side in pixels of what the pack's detector sees; faces handed to it fill half of that."""

_packs: dict[tuple[int, str, str, str], Pack] = {}


class Pack:
    """The detector and the recogniser of one pack."""

    def __init__(self, app: Any) -> None:
        self._app = app

    @classmethod
    def load(cls, folder: Path, digest: str, device: str = "cpu") -> Pack:
        """The pack in `folder`, loaded once per process. Raises WeightsMissing where it lacks a half."""
        key = (os.getpid(), str(folder), digest, device)
        if key not in _packs:
            _packs[key] = cls(_load(folder, device))
        return _packs[key]

    def vector(self, chips: Sequence[Pixels]) -> Floats | None:
        """The mean over upright faces, of length 1; None where the pack's own detector sees a face in none of them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-image announces changes insightface has not followed
            seen = [self._app.get(np.ascontiguousarray(chip[:, :, ::-1])) for chip in chips]
        best = [max(found, key=lambda f: float(f.det_score)).normed_embedding for found in seen if found]
        if not best:
            return None
        mean = np.mean(best, axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _load(folder: Path, device: str) -> Any:
    remedy = f"dramagate models pull {WEIGHTS} --from FOLDER --licence WORDS, with a pack that has both"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from insightface.app import FaceAnalysis

            app = FaceAnalysis(
                name=str(folder),
                allowed_modules=["detection", "recognition"],
                providers=[onnx_session.PROVIDERS[device.partition(":")[0]]],
                sess_options=onnx_session.options(),
            )
            app.prepare(ctx_id=-1 if device == "cpu" else 0, det_size=(LOOKS_AT, LOOKS_AT))
    except Exception as wrong:  # insightface asserts, and onnxruntime raises its own kinds
        reason = str(wrong) or "it has no detector"
        raise WeightsMissing(f"the pack in {folder.name} cannot be loaded: {reason}", remedy) from wrong
    if "recognition" not in app.models:
        raise WeightsMissing(f"the pack in {folder.name} has no recogniser", remedy)
    return app
