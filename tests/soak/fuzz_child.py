"""A sandboxed process that takes in, verifies and screens files one by one, and looks at each as a player would.

`python -m tests.soak.fuzz_child SETTINGS [FAULT]`, with one JSON job a line on standard input and one JSON answer a
line on standard output. It gives its freedom away as review/child.py does, and calls the same functions; only
one process start is paid for many files. FAULT puts a mistake into the gate, to show that it would be noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import traceback
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image, ImageSequence

from classifiers.classifier import Context, installed
from classifiers.detectors.calibration_card import wrong_fields
from classifiers.lines import read_lines
from classifiers.screen import screen
from classifiers.weights import WeightStore
from provenance import check as provenance_check
from provenance import media
from provenance.asset import AssetKind
from provenance.failure import Refused
from provenance.registry import Registry
from provenance.report import Seal
from review import child, examine
from review.sandbox import Limits
from tests.soak.carded_files import LURE
from tests.soak.screening_child import most_held_kib

Json = dict[str, Any]
PLAINLY = 8
"""Fields of 256 that may be wrong where a player plainly shows the card. The gate's own limit is 40."""
LOOKING = ("calibration_card", "text")


def examine_one(job: Json, trust: Json) -> Json:
    """What the gate says of one file, and what a player makes of it."""
    path, folder = Path(job["path"]), Path(job["folder"])
    began = time.process_time()
    said: Json = {"refused": [], "bugs": [], "seal": None, "taken": None, "found": None}
    taken = _asked(
        said, "take_in", lambda: examine.take_in(str(path), job["file_name"], job["kind"], str(folder / "laid-out"))
    )
    report = _asked(said, "verify", lambda: examine.verify(str(path), trust, job["sidecar"]))
    if report is not None:
        said["seal"] = report["seal"]
    if taken is not None:
        said["taken"] = {"kind": taken["kind"], "essence": taken["essence_sha256"]}
        kind, laid_out = AssetKind(taken["kind"]), folder / "laid-out"
        every, context = installed(), Context(Registry(), WeightStore(folder))
        found = _asked(
            said,
            "screen",
            lambda: screen(
                laid_out,
                kind,
                classifiers={name: every[name] for name in LOOKING},
                context=context,
                lines=read_lines(laid_out, kind, None),
            ).to_json(),
        )
        if found is not None:
            said["found"] = sorted({f["category"] for f in found["findings"]})
            said["gaps"] = found["gaps"]
    said["cpu_s"] = round(time.process_time() - began, 3)
    said["most_held_kib"] = most_held_kib()
    said["player"] = as_played(path, AssetKind(job["kind"]))
    return said


def _asked(said: Json, step: str, work: Any) -> Any:
    """The answer of one step; a refusal or a mistake of ours is noted instead."""
    try:
        return work()
    except Refused as refused:
        said["refused"].append([step, str(refused)])
    except Exception as error:  # noqa: BLE001 - that is what we look for
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename][-1]
        where = f"{Path(ours.filename).parent.name}/{Path(ours.filename).name}:{ours.lineno}"
        said["bugs"].append(f"{where}: {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})")
    return None


# ---------------------------------------------------------------- the other view: a forgiving player


def as_played(path: Path, kind: AssetKind) -> Json:
    """Whether it shows the card or the lure, and a digest of all that is shown and heard (None where nothing is)."""
    if kind in (AssetKind.SCRIPT, AssetKind.STORYBOARD):
        raw = path.read_bytes()
        lines = raw.decode("utf-8", "replace").splitlines()
        return {"card": 0, "lure": any(line.strip(' "') == LURE for line in lines), "digest": _sha(raw)}
    digest, cards, nothing = hashlib.sha256(), 0, hashlib.sha256().digest()
    try:
        if path.suffix in (".png", ".jpg", ".webp", ".gif"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(path) as still:
                    for picture in ImageSequence.Iterator(still):
                        luma = np.asarray(picture.convert("L"))
                        digest.update(luma.tobytes())
                        cards += _shows_card(luma)
        else:
            cards = _film_as_played(path, digest)
    except Exception:  # noqa: BLE001 - a player stops here, whatever it was
        shown = digest.digest() != nothing
        digest.update(b"stopped")
        return {"card": cards, "lure": False, "digest": digest.hexdigest() if shown else None}
    return {"card": cards, "lure": False, "digest": digest.hexdigest()}


def _film_as_played(path: Path, digest: Any) -> int:
    cards = 0
    with av.open(str(path), metadata_errors="replace") as container:
        for stream in container.streams:
            if stream.type == "video":
                stream.thread_type = "NONE"
        for packet in container.demux([s for s in container.streams if s.type in ("video", "audio")]):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue  # players go on with the next packet
            for frame in frames:
                digest.update(f"{packet.stream.index}:{frame.pts}:".encode())
                if isinstance(frame, av.VideoFrame):
                    luma = frame.to_ndarray(format="gray")
                    digest.update(luma.tobytes())
                    cards += _shows_card(luma)
                elif len(frame.planes) == (len(frame.layout.channels) if frame.format.is_planar else 1):
                    digest.update(frame.to_ndarray().tobytes())
                else:  # PyAV 18.1.0 crashes in to_ndarray where a damaged packet changes the channels midway
                    digest.update(b"broken sound")
    return cards


def _shows_card(luma: Any) -> bool:
    small = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    return wrong_fields(small) <= PLAINLY


def _sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


# ---------------------------------------------------------------- mistakes to be noticed


def _believe_every_seal() -> None:
    true = provenance_check.check
    vars(provenance_check)["check"] = lambda *a, **k: replace(true(*a, **k), seal=Seal.TRUSTED)


def _see_nothing() -> None:
    every = installed()
    vars(sys.modules[__name__])["installed"] = lambda: {**every, "calibration_card": every["semantics"]}


def _stumble() -> None:
    true = media.probe

    def probe(path: Path) -> Any:
        info = true(path)
        if path.stat().st_size % 2:
            raise KeyError("moov")
        return info

    vars(media)["probe"] = probe


FAULTS = {"believe_every_seal": _believe_every_seal, "see_nothing": _see_nothing, "stumble": _stumble}


def serve(settings: Json, fault: str | None) -> None:
    """Answer jobs until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if fault is not None:
        FAULTS[fault]()
    child.isolate(asdict(Limits(**settings["limits"])))
    for line in sys.stdin:
        answers.write(json.dumps(examine_one(json.loads(line), settings["trust"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
