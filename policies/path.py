"""What somebody could do so that a work would be approved: each step tried out before it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from classifiers.finding import Finding, Ran, Surface
from policies.facts import TIMED, Facts, Sheet
from policies.taxonomy import Polarity, taxonomy
from policies.verdict import Do, Outcome, Reason, Step, Verdict, Words
from provenance.asset import TimeRange
from provenance.report import AiDisclosure, AigcLabel, Seal
from provenance.rights import Answer, Covered, attribute_of


def steps(facts: Facts, verdict: Verdict, again: Callable[[Facts], Verdict]) -> tuple[Step, ...]:
    """One step for every reason that some change would remove, the least first; verified by judging `again`.

    A step that judging again does not bear out is not named, except where only the submitter knows the fact.
    A step that answers several reasons is named once. Steps are tried one on top of the other, so that together
    they lead as far as anything here can.
    """
    found: list[Step] = []
    now, standing = facts, verdict
    for reason in verdict.reasons:
        if _key(reason) not in {_key(r) for r in standing.reasons}:
            continue
        for change in _changes(reason, standing, now):
            if change.facts is None:
                found.append(Step(change.what, (reason.rule,), verified=False))
                break
            then = again(change.facts)
            gone = {_key(r) for r in standing.reasons} - {_key(r) for r in then.reasons}
            new = {_key(r) for r in then.reasons} - {_key(r) for r in standing.reasons}
            if _key(reason) in gone and not new:
                found.append(Step(change.what, tuple(sorted({rule for _, rule in gone})), verified=True))
                now, standing = change.facts, then
                break
    return _once(found)


def _key(reason: Reason) -> tuple[str, str]:
    return reason.rulebook, reason.rule


def _once(found: Iterable[Step]) -> tuple[Step, ...]:
    """The same steps, those that say the same joined."""
    joined: dict[str, Step] = {}
    for step in found:
        known = joined.get(step.what.en)
        if known is not None:
            step = replace(step, removes=tuple(sorted({*known.removes, *step.removes})))
        joined[step.what.en] = step
    return tuple(joined.values())


@dataclass(frozen=True, slots=True)
class _Change:
    """Something to try, and the facts as they would be; None where only the submitter can know them."""

    what: Words
    facts: Facts | None


def _changes(reason: Reason, verdict: Verdict, facts: Facts) -> Iterator[_Change]:
    """What could answer `reason`, the least first."""
    kind, _, name = reason.rule.partition(":")
    findings = {f.id: f for f in Sheet(facts).findings}
    matched = [findings[i] for i in reason.finding_ids if i in findings]
    if kind == "gap":
        yield from _look(name, facts)
    elif kind == "unknown" and name.startswith(("papers.", "series.")):
        yield _Change(
            Words(f"在资料中填写 {name.partition('.')[2]}", f"state {name.partition('.')[2]} in the papers"), None
        )
    if reason.outcome is Outcome.SEGMENT and verdict.edits:
        yield _Change(Words("由网关执行所列剪辑", "let the gateway make the edits listed"), _edited(facts, verdict))
    yield from _granted(matched, facts)
    yield from _resealed(matched, facts)
    yield from _without(matched, facts)


def _look(classifier: str, facts: Facts) -> Iterator[_Change]:
    screening = facts.screening
    gap = next((g for g in screening.gaps if g.classifier == classifier), None)
    zh, en = f"让 {classifier} 检查", f"let {classifier} look"
    if gap is not None:
        zh, en = f"{zh}：{gap.remedy}", f"{en}: {gap.remedy}"
    if classifier == "provenance":
        return
    looked = replace(
        screening,
        gaps=tuple(g for g in screening.gaps if g.classifier != classifier),
        ran=(*screening.ran, Ran(classifier, "-", 0, 0, 0)),
    )
    yield _Change(Words(zh, en), replace(facts, screening=looked))


def _granted(matched: list[Finding], facts: Facts) -> Iterator[_Change]:
    wanted = sorted(
        {(f.subject or f.work or "", attribute_of(f.category) or "") for f in matched if f.subject or f.work}
    )
    if not wanted:
        return
    places = sorted({a.territory for a in facts.answers} | set(facts.territories)) or ["*"]
    others = tuple(a for a in facts.answers if (a.about, a.attribute) not in wanted)
    granted = tuple(
        Answer(about, use, place, Covered.YES, None, "假设已取得授权", "as if granted")
        for about, use in wanted
        for place in places
    )
    said = ", ".join(f"{about} ({use})" for about, use in wanted)
    words = Words(f"取得并登记授权：{said}", f"obtain and register the consent or licence of {said}")
    yield _Change(words, replace(facts, answers=(*others, *granted)))


def _resealed(matched: list[Finding], facts: Facts) -> Iterator[_Change]:
    if facts.provenance is None or not any(f.category.startswith("seal.") for f in matched):
        return
    whole = replace(facts.provenance, seal=Seal.TRUSTED, problems=(), samples_in_hash=None)
    if whole.aigc is not None:
        whole = replace(whole, aigc=replace(whole.aigc, agrees_with_seal=True))
    words = Words("提交签名完好的原始文件", "submit the file as its maker signed it, unchanged")
    yield _Change(words, replace(facts, provenance=whole))


def _without(matched: list[Finding], facts: Facts) -> Iterator[_Change]:
    """Take the matched stretches out, where they are not everything."""
    tree = taxonomy()
    ids = {
        f.id for f in matched if f.surface is not Surface.PROVENANCE and tree.polarity(f.category) is Polarity.ADVERSE
    }
    left = tuple(f for f in facts.screening.findings if f.id not in ids)
    if not ids or len(left) == len(facts.screening.findings):
        return
    shown = ", ".join(f"{f.where.start_us / 1e6:.2f}-{f.where.end_us / 1e6:.2f} s" for f in matched[:5])
    more = ", …" if len(matched) > 5 else ""
    changed = replace(facts, screening=replace(facts.screening, findings=left))
    if facts.asset_kind in TIMED:
        words = Words(f"删去或替换 {shown}{more}", f"remove or replace {shown}{more}")
    else:
        words = Words("删去或替换所列内容", "remove or replace what was found")
    yield _Change(words, changed)


def _edited(facts: Facts, verdict: Verdict) -> Facts:
    """The facts as they would be of the rendered work, its time still that of the submitted one."""
    findings = facts.screening.findings
    provenance = facts.provenance
    tree = taxonomy()
    for edit in verdict.edits:
        if edit.do in (Do.CUT, Do.BLUR, Do.MUTE):
            inside = {
                f.id
                for f in findings
                if tree.polarity(f.category) is not Polarity.OBSERVATION
                and edit.where.start_us <= f.where.start_us
                and f.where.end_us <= edit.where.end_us
                and (
                    edit.do is Do.CUT
                    or (f.surface is Surface.SPEECH or f.surface is Surface.AUDIO) is (edit.do is Do.MUTE)
                )
            }
            findings = tuple(f for f in findings if f.id not in inside)
        elif edit.do is Do.OVERLAY_LABEL:
            findings = (*findings, _seen("label.ai_text", edit.where))
        elif edit.do is Do.INSERT_CARD:
            findings = (*findings, _seen("label.number_card", edit.where), _seen("label.title_card", edit.where))
        elif edit.do is Do.REWRITE_METADATA and provenance is not None:
            label = AigcLabel({"Label": "1"}, "as if written", conforming=True, copies=1, agrees_with_seal=True)
            disclosed = provenance.ai_disclosure
            disclosed = AiDisclosure.LABELLED if disclosed is AiDisclosure.NONE else disclosed
            provenance = replace(provenance, aigc=label, ai_disclosure=disclosed)
    return replace(facts, screening=replace(facts.screening, findings=findings), provenance=provenance)


def _seen(category: str, where: TimeRange) -> Finding:
    """A label as our own renderer writes it (6 % of the shortest side, white on black)."""
    measured = {"height_ratio": 0.06, "contrast_ratio": 21.0}
    return Finding(
        "edit", "1", category, 1_000_000, Surface.SCREEN_TEXT, where, frames=2, calibrated=True, measured=measured
    )
