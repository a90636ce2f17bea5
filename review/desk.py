"""The desk a review is done at: blobs, sandbox limits, keys, registry, rulebooks. Opened once per worker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from classifiers.classifier import installed
from classifiers.finding import Gap, Screening
from policies.rulebook import Rulebook, select
from policies.verdict import Do, Verdict
from provenance import registry, rights
from provenance.asset import AssetKind, digest
from provenance.keys import Keys, Trust
from provenance.report import ProvenanceReport, Seal
from provenance.rights import Answer
from review import sandbox
from review.examine import trust_json
from review.sandbox import Limits
from review.submission import Submission, SubmissionError

Json = dict[str, Any]


class Blobs(Protocol):
    """Files kept by their SHA-256."""

    def path(self, sha256: str) -> Path:
        """Where the blob lies. Raises KeyError where there is none."""

    def put(self, file: Path) -> str:
        """Keep a copy of `file`; its SHA-256."""


@dataclass(frozen=True)
class LocalDesk:
    """A desk on this machine. Implements `pipeline.Desk`."""

    blobs: Blobs
    keys: Keys
    trust: Trust
    """Whose seals count as trusted: this gateway's own root and the operator's lists."""
    weights_root: Path
    work_root: Path
    """Where half-made files lie; nothing in it outlives a step."""
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    options: Json = field(default_factory=dict)
    """Handed to the classifiers: cache folder and its key."""
    named_rulebooks: dict[str, Path] = field(default_factory=dict)
    progress: Callable[[int, int], None] | None = None
    entered_state: Callable[[str, Submission], None] = lambda _state, _submission: None

    def take_in(self, submission: Submission) -> Json:
        """See `pipeline.Desk.take_in`. Raises SubmissionError where the file is not what it claims to be."""
        suffix = Path(submission.file_name).suffix.lower()
        with self._folder() as folder:
            laid_out = folder / f"normalised{suffix}"
            try:
                taken = sandbox.call(
                    "review.examine:take_in",
                    {
                        "path": str(submission.asset.path),
                        "file_name": submission.file_name,
                        "kind": submission.asset.kind.value,
                        "normalised_to": str(laid_out),
                    },
                    self.limits,
                )
            except sandbox.Refused as refused:
                raise SubmissionError(str(refused)) from refused
            except sandbox.Stopped as stopped:
                raise SubmissionError(f"{submission.file_name} cannot be read: {stopped}. Export it again") from stopped
            return {**taken, "normalised": self.blobs.put(laid_out), "suffix": suffix}

    def verify(self, blob: str, submission: Submission) -> ProvenanceReport:
        """See `pipeline.Desk.verify`. A check that does not end is itself a problem, and the seal invalid."""
        own = blob == submission.asset.sha256
        path = submission.asset.path if own else self.blobs.path(blob)
        beside = submission.asset.path.with_name(submission.asset.path.name + ".c2pa")
        sidecar = str(beside) if own and beside.is_file() else None
        arguments = {"path": str(path), "trust": trust_json(self.trust), "sidecar": sidecar}
        try:
            return ProvenanceReport.from_json(sandbox.call("review.examine:verify", arguments, self.limits))
        except sandbox.Stopped as stopped:
            return ProvenanceReport.unreadable(str(stopped))

    def screen(self, blob: str, kind: AssetKind, submission: Submission) -> Screening:
        """See `pipeline.Desk.screen`."""
        root = submission.registry_root
        arguments = {
            "path": str(self.blobs.path(blob)),
            "kind": kind.value,
            "papers": submission.papers,
            "registry": None if root is None else str(root),
            "weights": str(self.weights_root),
            "device": self.device,
            "options": self.options,
        }
        try:
            return Screening.from_json(
                sandbox.call("review.examine:screen_file", arguments, self.limits, self.progress)
            )
        except (sandbox.Stopped, sandbox.Refused) as stopped:
            remedy = "submit the file exported anew, or let a reviewer look at it"
            gaps = tuple(Gap(name, str(stopped), remedy) for name in installed())
            return Screening(duration_us=1, gaps=gaps)

    def answers(self, screening: Screening, submission: Submission) -> tuple[Answer, ...]:
        """See `pipeline.Desk.answers`."""
        return rights.answers(
            _registered(submission),
            subjects={(f.subject, f.category) for f in screening.findings if f.subject},
            works={(f.work, f.category) for f in screening.findings if f.work},
            papers=submission.papers,
            territories=submission.territories,
            as_of=submission.planned_publish_at,
        )

    def series(self, submission: Submission) -> Mapping[str, Any] | None:
        """See `pipeline.Desk.series`."""
        named = ((submission.papers or {}).get("series") or {}).get("id")
        return _registered(submission).series.get(named) if named else None

    def rulebooks(self, submission: Submission) -> tuple[Rulebook, ...]:
        """See `pipeline.Desk.rulebooks`."""
        return select(
            names=submission.rulebooks,
            territories=submission.territories,
            papers=submission.papers,
        )

    def render(self, taken: Json, verdict: Verdict, submission: Submission) -> Json:
        """See `pipeline.Desk.render`."""
        from review.render import render

        with self._folder() as folder:
            source = self._normalised(taken, folder)
            made = folder / f"rendered{taken['suffix']}"
            render(source, made, verdict.edits)
            return {"blob": self._sealed(made, verdict, submission, folder, edited=True)}

    def seal(self, taken: Json, verdict: Verdict, submission: Submission) -> Json:
        """See `pipeline.Desk.seal`."""
        with self._folder() as folder:
            source = self._normalised(taken, folder)
            return {"blob": self._sealed(source, verdict, submission, folder, edited=False)}

    def entered(self, state: str, submission: Submission) -> None:
        """See `pipeline.Desk.entered`."""
        self.entered_state(state, submission)

    def _normalised(self, taken: Json, folder: Path) -> Path:
        """The normalised blob under a name whose suffix says what it is."""
        path = folder / f"normalised{taken['suffix']}"
        shutil.copyfile(self.blobs.path(taken["normalised"]), path)
        return path

    def _sealed(self, file: Path, verdict: Verdict, submission: Submission, folder: Path, *, edited: bool) -> str:
        """Label `file`, seal it with the submitted file as parent, keep it; its SHA-256."""
        raise NotImplementedError(file, verdict, submission, folder, edited, Do, Seal, digest)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self.work_root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work_root) as folder:
            yield Path(folder)


def _registered(submission: Submission) -> registry.Registry:
    """The registry as it is now: someone enrolled a minute ago counts."""
    root = submission.registry_root
    return registry.Registry() if root is None else registry.load(root)
