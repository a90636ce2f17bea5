"""How one episode gets from submission to release. Read this file first.

    submission -> take in -> provenance.check -> classifiers.screen -> ask the registries
               -> policies.decide -> refuse | hold | release
                                     segment: render -> check and screen again -> release

Every step's result is kept under (tenant, submission, step) with the digest of what it was made
from before the next begins, so a worker that dies and starts over repeats at most the step it died
in, and a decision can be replayed from its stored steps bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from classifiers.finding import Screening
from policies.decide import decide
from policies.facts import Facts, Gate
from policies.rule import Rulebook
from policies.verdict import Outcome, Reason, Verdict, Words, territories_json, verdict_json
from provenance.asset import AssetKind
from provenance.report import ProvenanceReport
from provenance.rights import Answer
from review.submission import Submission

Json = dict[str, Any]


class Ledger(Protocol):
    """Remembers finished steps: a dictionary for a file on this machine, PostgreSQL for the service."""

    def once(self, step: str, inputs: str, work: Callable[[], Json]) -> Json:
        """The result of `work`, run only if `step` has not finished before with these inputs."""


class Desk(Protocol):
    """Everything a review needs, chosen once when the worker starts (desk.py)."""

    def take_in(self, submission: Submission) -> Json:
        """The file laid out anew: kind, media, essence_sha256, normalised (blob)."""

    def verify(self, blob: str, submission: Submission) -> ProvenanceReport:
        """The provenance of the file named by `blob`."""

    def screen(self, blob: str, kind: AssetKind, submission: Submission) -> Screening:
        """What every classifier saw in it; a child that died is a Gap of every classifier.

        Raises SubmissionError where its samples turn out to be damaged.
        """

    def answers(self, screening: Screening, submission: Submission) -> tuple[Answer, ...]:
        """What the registries say today about everyone and everything that matched. Never cached."""

    def series(self, submission: Submission) -> Mapping[str, Any] | None:
        """The record of the series its papers name, where the registry has one."""

    def rulebooks(self, submission: Submission) -> tuple[Rulebook, ...]:
        """The rulebooks that judge it."""

    def render(self, taken: Json, verdict: Verdict, submission: Submission) -> Json:
        """The compliant version of the normalised file, sealed with the submitted file as parent.

        {"blob", "suffix", "sidecar"}, or {"failed": why} where it cannot be made.
        """

    def seal(self, taken: Json, verdict: Verdict, submission: Submission) -> Json:
        """The normalised file as it is, sealed with the submitted file as parent; answers as `render` does."""

    def entered(self, state: str, submission: Submission) -> None:
        """Tell whoever watches that the submission is now `state` (design.md section 4)."""


@dataclass(frozen=True)
class Decision:
    """The verdict on one submission with everything it rests on."""

    submission: Submission
    taken: Json
    provenance: ProvenanceReport
    screening: Screening
    answers: tuple[Answer, ...]
    verdict: Verdict
    """As decided; with one more reason to hold where what was to be released could not be made or did not pass."""
    released: Json | None
    """What may be published: blob, suffix, sidecar. None unless the outcome is approve or segment."""
    rescreened: Json | None
    """What the second screening of the rendered version said; None where nothing was rendered."""

    def to_json(self) -> Json:
        """The contract's `check@1` document (design.md section 3)."""
        screening = self.screening.to_json()
        timing = screening.pop("timing")
        verdict = verdict_json(self.verdict)
        return {
            "schema": "dramagate/check@1",
            "file": self.submission.file_name,
            "sha256": self.submission.asset.sha256,
            "kind": self.taken["kind"],
            "duration_us": self.screening.duration_us,
            "outcome": self.verdict.outcome.word,
            "territories": territories_json(self.verdict),
            "verdict": verdict,
            "provenance": self.provenance.to_json(),
            "screening": screening,
            "answers": [answer_json(a) for a in self.answers],
            "media": self.taken["media"],
            "essence_sha256": self.taken["essence_sha256"],
            "released_sha256": None if self.released is None else self.released["blob"],
            "rescreened": self.rescreened,
            "gate": self.submission.gate,
            "as_of": self.submission.planned_publish_at.isoformat(),
            "timing": timing,
        }


def review(submission: Submission, desk: Desk, ledger: Ledger) -> Decision:
    """See one submission through to refusal, to a reviewer's queue, or to release."""
    once = ledger.once
    given = _digest(submission.asset.sha256, submission.papers, submission.gate, submission.planned_publish_at)

    books = desk.rulebooks(submission)
    desk.entered("verifying", submission)
    taken = once("intake", given, lambda: desk.take_in(submission))
    kind = AssetKind(taken["kind"])
    provenance = ProvenanceReport.from_json(
        once("provenance", given, lambda: desk.verify(submission.asset.sha256, submission).to_json())
    )

    desk.entered("screening", submission)
    screening = Screening.from_json(
        once(
            "screening",
            _digest(given, taken),
            lambda: desk.screen(taken["normalised"], kind, submission).to_json(),
        )
    )
    verdict, answers = _judge(submission, kind, provenance, screening, books, desk)

    # Only what may be published in part is changed, and it is released only if the changed version passes by itself.
    released, rescreened = None, None
    if verdict.outcome is Outcome.SEGMENT:
        basis = _digest(given, taken, verdict_json(verdict))
        desk.entered("rendering", submission)
        released = once("render", basis, lambda: desk.render(taken, verdict, submission))
        if "failed" not in released:
            desk.entered("rescreening", submission)
            made = released["blob"]
            rescreened = once(
                "rescreen", _digest(basis, made), lambda: _look_again(made, kind, submission, books, desk)
            )
    elif verdict.outcome is Outcome.APPROVE:
        released = once("seal", _digest(given, taken), lambda: desk.seal(taken, verdict, submission))
    if (unfit := _why_not(released, rescreened)) is not None:
        verdict, released = replace(verdict, reasons=(*verdict.reasons, unfit)), None

    desk.entered("decided", submission)
    return Decision(submission, taken, provenance, screening, answers, verdict, released, rescreened)


def _judge(
    submission: Submission,
    kind: AssetKind,
    provenance: ProvenanceReport,
    screening: Screening,
    books: tuple[Rulebook, ...],
    desk: Desk,
) -> tuple[Verdict, tuple[Answer, ...]]:
    answers = desk.answers(screening, submission)
    facts = Facts(
        asset_kind=kind,
        duration_us=screening.duration_us,
        screening=screening,
        as_of=submission.planned_publish_at,
        provenance=provenance,
        papers=submission.papers,
        series=desk.series(submission),
        answers=answers,
        gate=Gate(submission.gate),
        territories=submission.territories,
    )
    return decide(books, facts), answers


def _look_again(blob: str, kind: AssetKind, submission: Submission, books: tuple[Rulebook, ...], desk: Desk) -> Json:
    """What the gate says of its own rendered version, judged by the same rulebooks as any file."""
    provenance = desk.verify(blob, submission)
    screening = desk.screen(blob, kind, submission)
    verdict, _ = _judge(submission, kind, provenance, screening, books, desk)
    return {
        "outcome": verdict.outcome.word,
        "verdict": verdict_json(verdict),
        "provenance": provenance.to_json(),
        "screening": screening.to_json(),
    }


def _why_not(released: Json | None, rescreened: Json | None) -> Reason | None:
    """Why what was made must not be released after all; None where nothing stands against it."""
    if released is not None and "failed" in released:
        why = str(released["failed"])
        return _hold(
            "gateway.release",
            Words("可发布版本未能生成", "The version to release could not be made"),
            Words(f"可发布版本未能生成，须人工处理：{why}", f"The version to release could not be made: {why}"),
        )
    if rescreened is not None and rescreened["outcome"] != Outcome.APPROVE.word:
        rules = ", ".join(dict.fromkeys(r["rule"] for r in rescreened["verdict"]["reasons"]))
        return _hold(
            "gateway.rescreen",
            Words("修改后的版本复查未通过", "The rendered version did not pass its second screening"),
            Words(f"修改后的版本复查仍有问题：{rules}", f"Screened again, the rendered version still meets: {rules}"),
        )
    return None


def _hold(rule: str, title: Words, explanation: Words) -> Reason:
    source = {"kind": "house", "cite": "what is released is screened first", "read": "primary", "confidence": "high"}
    return Reason(rule, "gateway", "*", Outcome.HOLD, title, explanation, {**source, "url": None})


def answer_json(answer: Answer) -> Json:
    """One registry answer as JSON."""
    return {
        "about": answer.about,
        "attribute": answer.attribute,
        "territory": answer.territory,
        "covered": answer.covered.value,
        "grant": answer.grant,
        "why": {"zh": answer.why_zh, "en": answer.why_en},
    }


def _digest(*parts: object) -> str:
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def remembering() -> Ledger:
    """A ledger for one file on this machine: nothing outlives the call."""
    return _Memory({})


@dataclass
class _Memory:
    kept: dict[tuple[str, str], Json]

    def once(self, step: str, inputs: str, work: Callable[[], Json]) -> Json:
        if (step, inputs) not in self.kept:
            self.kept[step, inputs] = work()
        return self.kept[step, inputs]
