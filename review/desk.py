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
from policies.facts import Gate
from policies.rule import Rulebook
from policies.rulebook import select
from policies.verdict import Do, Verdict
from provenance import registry, rights
from provenance.asset import AssetKind
from provenance.failure import Refused, Unavailable
from provenance.keys import Trust
from provenance.report import AiDisclosure, Problem, ProvenanceReport, Seal
from provenance.rights import Answer
from review import sandbox
from review.examine import trust_json
from review.sandbox import Limits
from review.submission import Submission, SubmissionError

Json = dict[str, Any]


_FAILED = (sandbox.Stopped, Refused, Unavailable)
"""Ways in which making the version to release can fail: each is a reason to hold, none a reason to crash."""


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
    home: Path
    """Where the keys lie; only the child that seals reads them."""
    trust: Trust
    """Whose seals count as trusted: this gateway's own root and the operator's lists."""
    weights_root: Path
    work_root: Path
    """Where half-made files lie; nothing in it outlives a step."""
    service_code: str = "DRAMAGATE"
    """Who passes the content on, as the AIGC label names it (ContentPropagator)."""
    font: Path | None = None
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    options: Json = field(default_factory=dict)
    """Handed to the classifiers: cache folder and its key."""
    named_rulebooks: dict[str, Path] = field(default_factory=dict)
    progress: Callable[[int, int], None] | None = None
    entered_state: Callable[[str, Submission], None] = lambda _state, _submission: None

    def take_in(self, submission: Submission) -> Json:
        """See `pipeline.Desk.take_in`. Raises SubmissionError where the file is not what it or its papers claim."""
        stated = ((submission.papers or {}).get("asset") or {}).get("sha256")
        if stated is not None and stated != submission.asset.sha256:
            raise SubmissionError(
                f"{submission.file_name} is not the file its papers are about: they state asset.sha256 {stated[:12]}…,"
                f" and its own is {submission.asset.sha256[:12]}…; submit the papers of this file"
            )
        with self._folder() as folder:
            laid_out = folder / f"normalised{Path(submission.file_name).suffix.lower()}"
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
            except Refused as refused:
                raise SubmissionError(str(refused)) from refused
            except sandbox.Stopped as stopped:
                raise SubmissionError(f"{submission.file_name} cannot be read: {stopped}. Export it again") from stopped
            return {**taken, "normalised": self.blobs.put(laid_out)}

    def verify(self, blob: str, submission: Submission) -> ProvenanceReport:
        """See `pipeline.Desk.verify`. A check that does not end is itself a problem, and the seal invalid."""
        own = blob == submission.asset.sha256
        path = submission.asset.path if own else self.blobs.path(blob)
        sidecar = _sidecar(submission) if own else None
        arguments = {
            "path": str(path),
            "trust": trust_json(self.trust),
            "sidecar": None if sidecar is None else str(sidecar),
        }
        try:
            return ProvenanceReport.from_json(sandbox.call("review.examine:verify", arguments, self.limits))
        except (sandbox.Stopped, Refused) as stopped:
            return _unreadable(str(stopped))

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
        except Refused as refused:  # what lies inside the samples is seen only when they are decoded
            said = str(refused).replace(self.blobs.path(blob).name, submission.file_name)
            raise SubmissionError(said) from refused
        except sandbox.Stopped as stopped:
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
            submission.territories,
            submission.rulebooks,
            papers=submission.papers,
            gate=Gate(submission.gate),
            as_of=submission.planned_publish_at,
        )

    def render(self, taken: Json, verdict: Verdict, submission: Submission) -> Json:
        """See `pipeline.Desk.render`."""
        edits = [e.to_json() for e in verdict.edits]
        with self._folder() as folder:
            made = self._normalised(taken, folder)
            if any(e.do is not Do.REWRITE_METADATA for e in verdict.edits):
                font = None if self.font is None else str(self.font)
                arguments = {"path": str(made), "made": str(folder / "rendered"), "edits": edits, "font": font}
                try:
                    made = Path(sandbox.call("review.examine:render_file", arguments, self.limits)["made"])
                except _FAILED as failed:
                    return {"failed": _said(failed, folder)}
            return self._sealed(made, taken, verdict, submission, folder)

    def seal(self, taken: Json, verdict: Verdict, submission: Submission) -> Json:
        """See `pipeline.Desk.seal`."""
        with self._folder() as folder:
            return self._sealed(self._normalised(taken, folder), taken, verdict, submission, folder)

    def entered(self, state: str, submission: Submission) -> None:
        """See `pipeline.Desk.entered`."""
        self.entered_state(state, submission)

    def _normalised(self, taken: Json, folder: Path) -> Path:
        """The normalised blob under a name whose suffix says what it is."""
        path = folder / f"normalised{taken['suffix']}"
        shutil.copyfile(self.blobs.path(taken["normalised"]), path)
        return path

    def _sealed(self, file: Path, taken: Json, verdict: Verdict, submission: Submission, folder: Path) -> Json:
        """Label `file`, seal it with the submitted file as parent, and keep it: {"blob", "suffix", "sidecar"}."""
        out = folder / f"released{file.suffix}"
        parent = folder / f"submitted{taken['suffix']}"
        shutil.copyfile(submission.asset.path, parent)
        sidecar = _sidecar(submission)
        try:
            done = sandbox.call(
                "review.examine:seal_file",
                {
                    "path": str(file),
                    "out": str(out),
                    "parent": str(parent),
                    "parent_sidecar": None if sidecar is None else str(sidecar),
                    "home": str(self.home),
                    "title": "".join(c if c.isprintable() else " " for c in submission.file_name),
                    "kind": taken["kind"],
                    "edits": [e.to_json() for e in verdict.edits],
                    "label": {"service": self.service_code, "id": f"R{submission.asset.sha256[:31]}"},
                    "statement": {
                        "outcome": verdict.outcome.word,
                        "rulebooks": [f"{b.name}@{b.version} {b.digest}" for b in verdict.rulebooks],
                        "submitted_sha256": submission.asset.sha256,
                        "essence_sha256": taken["essence_sha256"],
                    },
                },
                self.limits,
            )
        except _FAILED as failed:
            return {"failed": _said(failed, folder)}
        kept = None if done["sidecar"] is None else self.blobs.put(Path(done["sidecar"]))
        return {"blob": self.blobs.put(out), "suffix": out.suffix, "sidecar": kept}

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self.work_root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work_root) as folder:
            yield Path(folder)


def _registered(submission: Submission) -> registry.Registry:
    """The registry as it is now: someone enrolled a minute ago counts."""
    root = submission.registry_root
    return registry.Registry() if root is None else registry.load(root)


def _said(failed: Exception, folder: Path) -> str:
    """The sentence of `failed` without the folder it happened in, which is nobody's business."""
    return str(failed).replace(f"{folder}/", "")


def _sidecar(submission: Submission) -> Path | None:
    """The manifest beside the submitted file, where its format cannot hold one."""
    beside = submission.asset.path.with_name(submission.asset.path.name + ".c2pa")
    return beside if beside.is_file() else None


def _unreadable(why: str) -> ProvenanceReport:
    """The report on a file whose manifest store could not be read to the end: as bad as a broken seal."""
    problem = Problem("unreadable", f"内容凭证无法读完：{why}", f"The manifest store cannot be read to its end: {why}")
    return ProvenanceReport(
        seal=Seal.INVALID,
        problems=(problem,),
        ai_disclosure=AiDisclosure.NONE,
        aigc=None,
        chain=(),
        signer=None,
        trust_list=None,
        generators=(),
        samples_in_hash=None,
    )
