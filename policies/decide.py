"""Turning facts into a verdict. Pure: the same rulebooks and facts always give the same verdict, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from classifiers.finding import Finding
from policies import path
from policies.cel import Condition, Unknown
from policies.facts import EVERYWHERE, LOOKS_AT, RENDERED, Facts, Sheet, stated
from policies.rule import Match, Mode, Rule, Rulebook
from policies.taxonomy import taxonomy
from policies.verdict import Do, Edit, Obligation, Outcome, Reason, Verdict, Words
from provenance.asset import TimeRange, merge

KEPT_AT_LEAST = 0.5
"""Share of the work that must be left after all cuts. Our own choice, not measured: when half of an episode is
gone, what is left is another episode, and a person should say whether it still is one."""

MOST_MATCHED = 3_000
"""Findings one condition is shown. cel-expr-python gives up at 10,000 iterations; nothing legitimate comes near."""


def decide(rulebooks: Sequence[Rulebook], facts: Facts, *, find_path: bool = True) -> Verdict:
    """What becomes of the work: every rule of every rulebook in force is judged, and all reasons are kept.

    1. Rulebooks count if they are in force at `facts.as_of` and judge this gate; if none does, a person decides.
    2. Whatever a rulebook requires and nobody looked at is a hold (`gap:<classifier>`).
    3. Every rule runs. A rule that fires adds its outcome, edits and obligations; a rule that needs an unknown fact
       is a hold (`unknown:<fact>`). Shadow rules and sources that may only advise are reported and cost nothing.
    4. Edits are united, padded and clipped; if too little is kept, a person decides.
    5. For anything short of approval, the steps that would lead there are tried out and named.

    The order of rulebooks and of rules never matters. Neither does `find_path`, except for step 5.
    """
    verdict = _judge(rulebooks, facts)
    if find_path and verdict.outcome is not Outcome.APPROVE:
        steps = path.steps(facts, verdict, lambda changed: _judge(rulebooks, changed))
        verdict = replace(verdict, path_to_approval=steps)
    return verdict


def _judge(rulebooks: Sequence[Rulebook], facts: Facts) -> Verdict:
    once = {(b.name, b.version, b.digest): b for b in rulebooks}
    books = [b for _, b in sorted(once.items()) if b.applies(facts.as_of, facts.gate)]
    sheet = Sheet(facts)
    kept = _Tally(facts)
    if not books:
        kept.hold("unknown:rulebook", "dramagate", EVERYWHERE, _NO_RULEBOOK)
    strange = sorted({f.category for f in sheet.findings} - taxonomy().categories.keys())
    if strange:
        words = Words(
            f"分类器报告了未知类别：{'、'.join(strange)}", f"a finding has an unknown category: {', '.join(strange)}"
        )
        ids = tuple(f.id for f in sheet.findings if f.category in strange)
        kept.hold("unknown:category", "dramagate", EVERYWHERE, words, ids)
    for book in books:
        for name in _unseen(book.requires, facts):
            kept.gap(name, book)
        for rule in sorted(book.rules, key=lambda r: r.id):
            kept.add(book, rule, judge(book, rule, sheet))
    return kept.verdict(books)


class State(StrEnum):
    """What became of one rule."""

    FIRED = "fired"
    SILENT = "silent"
    UNKNOWN = "unknown"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule applied to one work."""

    state: State
    findings: tuple[Finding, ...] = ()
    """What it matched, whether or not it fired."""
    ranges: tuple[TimeRange, ...] = ()
    """The matched findings as stretches of time, joined over the rule's merge gap."""
    unknown: tuple[str, ...] = ()
    why: str = ""


def judge(book: Rulebook, rule: Rule, sheet: Sheet) -> Judged:
    """Apply one rule.

    1. Select the findings it matches and join them into runs.
    2. A rule about adverse categories is silent where nothing matched. A rule about observations goes on: what it
       misses is what it is about, and an observation that was not measured as the condition needs does not help.
    3. Ask its condition. Without one, whatever matched is enough.
    """
    if rule.mode is Mode.OFF or not rule.in_force.holds(sheet.facts.as_of):
        return Judged(State.OFF)
    shown: Sequence[Finding] = ()
    found: tuple[Finding, ...] = ()
    ranges: tuple[TimeRange, ...] = ()
    if rule.match is not None:
        shown, found, ranges = _select(rule.match, sheet)
        if not found and not rule.match.observation:
            return Judged(State.SILENT)
    if rule.when is None:
        return Judged(State.FIRED, found, ranges)
    values = dict(sheet.values)
    values["clock"] = sheet.clock(book.territory)
    too_many = len(shown) > MOST_MATCHED
    if "matched" in rule.when.variables:
        if rule.match is not None and rule.match.observation:
            shown = [f for f in shown if _measured(f, rule.when)]
        if too_many:
            shown = sorted(shown, key=lambda f: (-f.score_millionths, f.where, f.id))[:MOST_MATCHED]
        values["matched"] = [sheet.message(f, book.territory) for f in shown]
    answer = rule.when.holds(values)
    if isinstance(answer, Unknown):
        facts = tuple(f.replace("matched[]", "finding") for f in answer.facts)
        return Judged(State.UNKNOWN, found, ranges, facts, answer.why)
    adverse = rule.match is not None and not rule.match.observation
    if too_many and not (answer and adverse):
        return Judged(State.UNKNOWN, found, ranges, ("finding.count",), f"more than {MOST_MATCHED} findings matched")
    return Judged(State.FIRED if answer else State.SILENT, found, ranges)


def _measured(finding: Finding, when: Condition) -> bool:
    """Whether `finding` carries every measured value `when` reads of what matched."""
    known = {f"matched[].measured.{name}" for name in finding.measured}
    if finding.region is not None:
        known |= {f"matched[].region.{name}" for name in "xywh"}
    wanted = (r for r in when.reads if r.startswith(("matched[].measured.", "matched[].region.")))
    return all(r in known for r in wanted)


def _select(match: Match, sheet: Sheet) -> tuple[list[Finding], tuple[Finding, ...], tuple[TimeRange, ...]]:
    """What the condition is shown, the findings that matched, and the stretches of time they cover."""
    here = [
        f
        for category in match.categories
        for f in sheet.by_category.get(category, ())
        if f.score_millionths >= match.min_score_millionths and (not match.surfaces or f.surface in match.surfaces)
    ]
    here.sort(key=lambda f: (f.where, f.category, f.id))
    if match.observation:
        shown, used = _observed(match, here)
    else:
        shown = [f for run in _runs(here, match.merge_gap_us) if _lasts(match, run) for f in run]
        used = shown
    ranges = tuple(merge((f.where for f in used), match.merge_gap_us))
    return shown, tuple(used), ranges


def _runs(findings: Sequence[Finding], gap_us: int) -> Iterable[list[Finding]]:
    """`findings` (in order of time) in groups that overlap, touch or lie within `gap_us`."""
    run: list[Finding] = []
    end_us = 0
    for finding in findings:
        if run and finding.where.start_us > end_us + gap_us:
            yield run
            run = []
        end_us = finding.where.end_us if not run else max(end_us, finding.where.end_us)
        run.append(finding)
    if run:
        yield run


def _lasts(match: Match, run: Sequence[Finding]) -> bool:
    """Whether a run is long enough and was seen often enough. What was not seen in frames owes no frames."""
    length_us = max(f.where.end_us for f in run) - run[0].where.start_us
    seen = any(not f.frames for f in run) or sum(f.frames for f in run) >= match.min_frames
    return length_us >= match.min_duration_us and seen


def _observed(match: Match, here: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Observations as their best runs, so that neither flicker hides a good label nor a good moment lifts a bad one.

    For every set of measured values seen, the findings alike (category, surface, subject) and at least as good in
    every value are joined; the run wears those values and the lowest score. More observations only lengthen runs.
    """
    shown: dict[str, Finding] = {}
    used: dict[str, Finding] = {}
    anchors = {(f.category, f.surface, f.subject, f.work, f.text, tuple(sorted(f.measured.items()))): f for f in here}
    for anchor in anchors.values():
        alike = [f for f in here if _at_least(f, anchor)]
        for run in _runs(alike, match.merge_gap_us):
            if not _lasts(match, run):
                continue
            whole = TimeRange(run[0].where.start_us, max(f.where.end_us for f in run))
            joined = replace(
                anchor,
                where=whole,
                frames=sum(f.frames for f in run),
                score_millionths=min(f.score_millionths for f in run),
                region=anchor.region if len(run) == 1 else None,
            )
            shown[joined.id] = joined
            used.update({f.id: f for f in run})
    order = sorted(shown.values(), key=lambda f: (f.where, f.category, f.id))
    return order, sorted(used.values(), key=lambda f: (f.where, f.category, f.id))


def _at_least(finding: Finding, anchor: Finding) -> bool:
    alike = (finding.category, finding.surface, finding.subject, finding.work) == (
        anchor.category,
        anchor.surface,
        anchor.subject,
        anchor.work,
    )
    return alike and all(finding.measured.get(name, value - 1) >= value for name, value in anchor.measured.items())


def _unseen(requires: Iterable[str], facts: Facts) -> list[str]:
    """Which of `requires` nobody looked with, though it looks at this kind of work."""
    gaps = {g.classifier for g in facts.screening.gaps}
    ran = {r.classifier for r in facts.screening.ran} - {"provenance"}
    if facts.provenance is not None:
        ran.add("provenance")
    return sorted(
        name
        for name in requires
        if facts.asset_kind in LOOKS_AT.get(name, frozenset((facts.asset_kind,))) and (name in gaps or name not in ran)
    )


_NO_RULEBOOK = Words("在该时间与环节没有生效的规则集", "no rulebook is in force at this time and gate")


@dataclass
class _Tally:
    """Collects what the rules say, in any order."""

    facts: Facts
    reasons: list[Reason] = field(default_factory=list)
    advisories: list[Reason] = field(default_factory=list)
    obligations: dict[tuple[str, str, str], Obligation] = field(default_factory=dict)
    audiences: list[Mapping[str, Any]] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)
    required: set[str] = field(default_factory=set)

    def hold(self, rule: str, book: str, territory: str, words: Words, ids: tuple[str, ...] = ()) -> None:
        """A reason of our own: something nobody knows."""
        source = {"kind": "house", "cite": "not knowing is never approval", "read": "primary", "confidence": "high"}
        ours = Reason(
            rule, book, territory, Outcome.HOLD, _TITLES[rule.split(":")[0]], words, {**source, "url": None}, ids
        )
        self.reasons.append(ours)

    def gap(self, classifier: str, book: Rulebook) -> None:
        gap = next((g for g in self.facts.screening.gaps if g.classifier == classifier), None)
        zh = f"规则集 {book.name} 要求 {classifier}，但没有运行"
        en = f"{book.name} requires {classifier}, which did not look"
        if gap is not None:
            zh, en = f"{zh}：{gap.reason}（{gap.remedy}）", f"{en}: {gap.reason} ({gap.remedy})"
        self.hold(f"gap:{classifier}", book.name, book.territory, Words(zh, en))

    def add(self, book: Rulebook, rule: Rule, judged: Judged) -> None:
        """One rule's say."""
        series = ((self.facts.papers or {}).get("series") or {}).get("id")
        enforced = rule.enforced(series)
        entry: dict[str, Any] = {"rulebook": book.name, "rule": rule.id, "state": judged.state.value}
        if judged.findings:
            entry["findings"] = [f.id for f in judged.findings]
        if judged.unknown:
            entry["unknown"] = list(judged.unknown)
        if judged.why:
            entry["why"] = judged.why
        if judged.state is not State.OFF and not enforced:
            entry["shadow"] = True
        self.trace.append(entry)
        if judged.state is State.UNKNOWN:
            self.unknown(book, rule, judged, enforced=enforced)
        elif judged.state is State.FIRED:
            self.fired(book, rule, judged, enforced=enforced)

    def fired(self, book: Rulebook, rule: Rule, judged: Judged, *, enforced: bool) -> None:
        then = rule.then
        whole = TimeRange(0, max(1, self.facts.duration_us))
        reason = Reason(
            rule=rule.id,
            rulebook=book.name,
            territory=book.territory,
            outcome=then.outcome if enforced else Outcome.APPROVE,
            title=rule.title,
            explanation=then.reason,
            source=rule.source.to_json(),
            finding_ids=tuple(f.id for f in judged.findings),
            ranges=() if judged.ranges == (whole,) else judged.ranges,
            two_person=then.two_person,
        )
        if reason.outcome is Outcome.APPROVE:
            self.advisories.append(reason)
        else:
            self.reasons.append(reason)
        if not enforced:
            return
        self.oblige(book, rule)
        if then.audience is not None:
            self.audiences.append(then.audience)
        for edit in _edits(rule, judged, self.facts.duration_us):
            self.edits.append(self.worded(edit, book, rule))

    def worded(self, edit: Edit, book: Rulebook, rule: Rule) -> Edit:
        """`edit` with {title} and {number} filled in from the papers; a card nobody can write is a hold."""
        if edit.text is None or "{" not in edit.text.zh + edit.text.en:
            return edit
        text = edit.text
        for name, (fact, value) in _placeholders(self.facts).items():
            if f"{{{name}}}" not in text.zh + text.en:
                continue
            if not value:
                zh = f"规则 {rule.id} 要显示的内容未知：{fact}"
                self.hold(
                    f"unknown:{fact}",
                    book.name,
                    book.territory,
                    Words(zh, f"{rule.id} is to show {fact}, which nobody knows"),
                )
            text = Words(text.zh.replace(f"{{{name}}}", value), text.en.replace(f"{{{name}}}", value))
        return replace(edit, text=text)

    def oblige(self, book: Rulebook, rule: Rule) -> None:
        for what in rule.then.obligations:
            self.obligations[(rule.id, what.en, book.territory)] = Obligation(what, rule.id, book.territory)

    def unknown(self, book: Rulebook, rule: Rule, judged: Judged, *, enforced: bool) -> None:
        """A rule nobody can answer holds; one that could only have obliged or advised obliges."""
        facts = judged.unknown or (rule.id,)
        ids = tuple(f.id for f in judged.findings)
        words = Words(
            f"规则 {rule.id}（{rule.title.zh}）需要未知的事实：{'、'.join(facts)}",
            f"{rule.id} ({rule.title.en}) needs facts nobody knows: {', '.join(facts)}",
        )
        if not enforced:
            return
        if rule.then.outcome is Outcome.APPROVE:
            self.oblige(book, rule)
            return
        for fact in facts:
            self.hold(f"unknown:{fact}", book.name, book.territory, words, ids)

    def verdict(self, books: Sequence[Rulebook]) -> Verdict:
        edits = _united(self.edits, self.facts.duration_us)
        self.check_kept(edits)
        required = {name for b in books for name in b.requires}
        gaps = sorted({g.classifier for g in self.facts.screening.gaps} - required)
        return Verdict(
            rulebooks=tuple(b.ref for b in books),
            reasons=tuple(sorted(self.reasons, key=_order)),
            edits=edits,
            audience=_strictest(self.audiences),
            obligations=tuple(self.obligations[key] for key in sorted(self.obligations)),
            not_checked=tuple(gaps),
            advisories=tuple(sorted(self.advisories, key=_order)),
            trace=tuple(self.trace),
            asked=tuple(sorted(set(self.facts.territories))),
        )

    def check_kept(self, edits: Sequence[Edit]) -> None:
        """Hold where the edits cannot be made, or leave too little."""
        if edits and self.facts.asset_kind not in RENDERED:
            kind = self.facts.asset_kind.value
            words = Words(f"{kind} 无法由网关修改", f"the gateway cannot edit a {kind}")
            self.hold("edits:not_possible", "dramagate", EVERYWHERE, words)
        duration_us = max(1, self.facts.duration_us)
        cut_us = sum(e.where.length_us for e in edits if e.do is Do.CUT)
        if cut_us and duration_us - cut_us < KEPT_AT_LEAST * duration_us:
            share = f"{100 * (duration_us - cut_us) / duration_us:.0f} %"
            words = Words(f"剪去后只剩 {share}", f"only {share} would be left after the cuts")
            self.hold("edits:too_little_kept", "dramagate", EVERYWHERE, words)


_TITLES = {
    "unknown": Words("缺少事实", "A fact is unknown"),
    "gap": Words("有项目未能检查", "Something could not be looked at"),
    "edits": Words("无法以剪辑放行", "Edits are not enough"),
}


def _placeholders(facts: Facts) -> dict[str, tuple[str, str]]:
    """What a card may show: by name, the fact it is and its value ("" where nobody knows)."""
    papers = stated(facts)
    filings = papers.get("filings") or ()
    number = next((str(f["number"]) for f in filings if f.get("number")), "")
    title = (papers.get("series") or {}).get("title") or ""
    return {"title": ("papers.series.title", str(title)), "number": ("papers.filings", number)}


def _order(reason: Reason) -> tuple[int, str, str, str, tuple[str, ...], str]:
    return -reason.outcome, reason.rulebook, reason.rule, reason.territory, reason.finding_ids, reason.explanation.en


def _edits(rule: Rule, judged: Judged, duration_us: int) -> Iterable[Edit]:
    """What a fired rule wants done, padded and clipped to the work."""
    located = rule.match is not None and not rule.match.observation
    for plan in rule.then.edits:
        places: list[tuple[TimeRange, tuple[float, float, float, float] | None]]
        if plan.start_us is not None or plan.end_us is not None:
            start, end = plan.start_us or 0, duration_us if plan.end_us is None else plan.end_us
            places = [(TimeRange(start, end), plan.region)] if start < end else []
        elif not located:
            places = [(TimeRange(0, max(1, duration_us)), plan.region)]
        elif plan.of_finding:
            places = [
                (f.where, None if f.region is None else (f.region.x, f.region.y, f.region.w, f.region.h))
                for f in judged.findings
            ]
        else:
            places = [(r, plan.region) for r in judged.ranges]
        for where, region in places:
            start, end = max(0, where.start_us - plan.pad_us), min(max(1, duration_us), where.end_us + plan.pad_us)
            if start < end:
                yield Edit(plan.do, TimeRange(start, end), rule.id, region, plan.text)


def _united(edits: Sequence[Edit], duration_us: int) -> tuple[Edit, ...]:
    """The same edits, joined where they do the same; nothing is blurred or muted that is cut anyway, and a label keeps
    its time on screen though part of its time is cut."""
    alike: dict[tuple[Any, ...], list[Edit]] = {}
    for edit in edits:
        key = (edit.do.value, edit.region or (), (edit.text.zh, edit.text.en) if edit.text else ())
        alike.setdefault(key, []).append(edit)
    joined = []
    for group in alike.values():
        for where in merge(e.where for e in group):
            rules = sorted({e.rule for e in group if e.where.overlaps(where)})
            joined.append(replace(group[0], where=where, rule=", ".join(rules)))
    cuts = sorted(e.where for e in joined if e.do is Do.CUT)
    kept = []
    for edit in joined:
        if edit.do in (Do.BLUR, Do.MUTE) and any(
            c.start_us <= edit.where.start_us and edit.where.end_us <= c.end_us for c in cuts
        ):
            continue
        if edit.do in (Do.OVERLAY_LABEL, Do.INSERT_CARD):
            edit = replace(edit, where=_lengthened(edit.where, cuts, duration_us))
        kept.append(edit)
    return tuple(sorted(kept, key=lambda e: (e.where, e.do.value, e.region or (), e.rule)))


def _lengthened(where: TimeRange, cuts: Sequence[TimeRange], duration_us: int) -> TimeRange:
    """`where`, its end moved on by as much as is cut out of it."""
    end_us = where.end_us
    for cut in cuts:
        if cut.start_us < end_us and cut.end_us > where.start_us:
            end_us += cut.end_us - max(cut.start_us, where.start_us)
    return TimeRange(where.start_us, min(max(end_us, where.end_us), max(1, duration_us, where.end_us)))


def _strictest(audiences: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One audience that satisfies all: every tier named, the highest age, all flags."""
    if not audiences:
        return None
    result: dict[str, Any] = {}
    tiers = sorted({a["tier"] for a in audiences if a.get("tier")})
    if tiers:
        result["tier"] = tiers[0] if len(tiers) == 1 else tiers
    ages = [a["min_age"] for a in audiences if a.get("min_age") is not None]
    if ages:
        result["min_age"] = max(ages)
    flags = sorted({flag for a in audiences for flag in a.get("flags") or ()})
    if flags:
        result["flags"] = flags
    return result
