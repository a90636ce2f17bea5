"""Reading rulebooks. A file that is wrong anywhere is refused whole, with every place that is wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from classifiers.finding import Finding, Gap, Ran, Region, Screening, Surface, millionths
from policies import yaml_source
from policies.cel import CelError, Condition, Many, Record, Scalar, Shape, Sign
from policies.decide import State, _Tally, judge
from policies.facts import EVERYWHERE, LOOKS_AT, VARIABLES, Facts, Gate, Sheet, language
from policies.rule import (
    ALWAYS,
    Case,
    Confidence,
    EditPlan,
    Kind,
    Match,
    Mode,
    Read,
    Rule,
    Rulebook,
    Source,
    Span,
    Then,
    Threshold,
)
from policies.taxonomy import Polarity, Taxonomy, nearest, taxonomy
from policies.verdict import Do, Outcome, Words
from policies.yaml_source import Mistake, Node, SourceError
from provenance.asset import AssetKind, TimeRange
from provenance.failure import ConfigError
from provenance.report import AiDisclosure, AigcLabel, Problem, ProvenanceReport, Seal
from provenance.rights import Answer, Covered

__all__ = [
    "Rulebook",
    "RulebookError",
    "Trial",
    "facts_of_case",
    "find",
    "load",
    "read",
    "select",
    "shipped",
    "trials",
]

SHIPPED = Path(__file__).with_name("rulebooks")


class RulebookError(ConfigError):
    """A rulebook cannot be used. `errors` holds one line each: `file:line:col: what was found; what would be right`."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


def load(path: Path, *, try_cases: bool = True) -> Rulebook:
    """The rulebook in the file `path`. Raises RulebookError with everything that is wrong with it.

    Without `try_cases` its cases are read and not judged, for `trials` to do so one by one.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= yaml_source.MAX_BYTES else b" " * (yaml_source.MAX_BYTES + 1)
    except OSError as error:
        raise RulebookError(
            [f"{path}: cannot be read ({error.strerror}); name a rulebook file or one of {_known()}"]
        ) from None
    if size > yaml_source.MAX_BYTES:
        raise RulebookError(
            [f"{path.name}:1:1: the file has {size} bytes; a rulebook has at most {yaml_source.MAX_BYTES}"]
        )
    return replace(read(data, path.name, try_cases=try_cases), path=str(path))


def read(data: bytes, name: str, *, try_cases: bool = True) -> Rulebook:
    """The rulebook in `data`, which errors call `name`. Raises RulebookError with everything that is wrong with it.

    1. The YAML itself. 2. Every key, word, number and condition. 3. What rules owe each other and their sources.
    4. Every rule's own cases.
    """
    try:
        root = yaml_source.parse(data)
    except SourceError as error:
        raise RulebookError([_line(name, m) for m in error.mistakes]) from None
    reader = _Reader(taxonomy())
    book = reader.rulebook(root)
    if book is not None and not reader.mistakes and try_cases:
        reader.mistakes += [Mistake(t.line, t.col, t.message) for t in trials(book) if not t.passed]
    if reader.mistakes or book is None:
        raise RulebookError([_line(name, m) for m in sorted(reader.mistakes, key=lambda m: (m.line, m.col))])
    return book


def shipped() -> dict[str, Path]:
    """Every rulebook that comes with us, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find(name_or_path: str) -> Rulebook:
    """The shipped rulebook of that name, or the one in the file of that path. Raises RulebookError for neither."""
    if name_or_path in shipped():
        return _shipped(name_or_path)
    path = Path(name_or_path)
    if path.exists() or path.suffix in (".yaml", ".yml") or path.name != name_or_path:
        return load(path)
    near = nearest(name_or_path, shipped())
    hint = f"did you mean {near!r}?" if near else f"shipped are {_known()}; or name a file ending in .yaml"
    raise RulebookError([f"no rulebook is called {name_or_path!r}; {hint}"])


@dataclass(frozen=True, slots=True)
class Trial:
    """One case tried, or what a rule's cases lack."""

    rule: str
    case: str
    """Empty where the cases of a rule lack something."""
    passed: bool
    message: str
    """What was expected and did not happen."""
    line: int
    col: int


def trials(book: Rulebook) -> tuple[Trial, ...]:
    """Every case of every rule, judged; and a failed trial for each rule without a firing or a silent case.

    A case judges the rule it stands under and the rules it names, as if enforced, and nothing else.
    """
    rules = {r.id: r for r in book.rules}
    tried = []
    for rule in book.rules:
        lacks = []
        if not any(rule.id in c.fired for c in rule.cases):
            lacks.append("fires")
        if not any(rule.id in c.silent for c in rule.cases):
            lacks.append("is silent")
        if lacks:
            message = f"{rule.id} has no case in which it {' and none in which it '.join(lacks)}"
            tried.append(Trial(rule.id, "", False, message, rule.line, rule.col))
        for case in rule.cases:
            trouble = list(_trouble(book, rules, rule, case))
            message = f"case {case.name!r} of {rule.id}: {'; '.join(trouble)}" if trouble else ""
            tried.append(Trial(rule.id, case.name, not trouble, message, case.line, case.col))
    return tuple(tried)


def select(
    territories: Iterable[str] = (),
    names: Iterable[str] = (),
    *,
    papers: Mapping[str, Any] | None = None,
    gate: Gate | None = None,
    as_of: datetime | None = None,
) -> tuple[Rulebook, ...]:
    """The rulebooks that judge: those named, and those of the territories asked about.

    1. Named rulebooks judge alone, with those of territories asked about by name.
    2. Else house-default judges, with every rulebook of the territories asked about or, where none are, of those the
       papers name. A territory of the papers that no rulebook speaks for is the house's alone.
    3. With nothing at all, house-default and cn-labeling: they require only what the default install can look at.

    `gate` and `as_of` leave out rulebooks that do not judge there or then, as `decide` does by itself.
    Raises RulebookError for a name, or a territory asked about, that we have no rulebook for.
    """
    asked, named = list(dict.fromkeys(territories)), list(dict.fromkeys(names))
    every = [_shipped(n) for n in shipped()]
    known = sorted({b.territory for b in every} - {EVERYWHERE})
    for territory in asked:
        if territory not in known:
            near = nearest(territory, known)
            hint = f"did you mean {near!r}? " if near else ""
            message = f"no rulebook speaks for the territory {territory!r}; {hint}known: {', '.join(known)}"
            raise RulebookError([message])
    chosen = [find(n) for n in named]
    if not named:
        stated = [t for t in (papers or {}).get("territories") or () if t in known]
        places = asked or stated
        chosen = [b for b in every if b.name in (_DEFAULT if not places else _DEFAULT[:1])]
        asked = places
    chosen += [b for b in every if b.territory in asked]
    books = tuple({b.digest: b for b in chosen}.values())
    return tuple(b for b in books if (gate is None or gate in b.gates) and (as_of is None or b.in_force.holds(as_of)))


_DEFAULT = ("house-default", "cn-labeling")


@cache
def _shipped(name: str) -> Rulebook:
    return load(shipped()[name])


def _known() -> str:
    return ", ".join(shipped()) or "none"


def _line(name: str, mistake: Mistake) -> str:
    return f"{name}:{mistake.line}:{mistake.col}: {mistake.message}"


T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_TOP = ("rulebook", "version", "title", "territory", "effective", "gates", "taxonomy", "extends", "requires")
_TOP_KEYS = (*_TOP, "thresholds", "rules")
_RULE_KEYS = ("id", "title", "source", "mode", "rollout", "effective", "match", "when", "then", "cases")
_MATCH_KEYS = ("categories", "min_score", "min_duration_us", "min_frames", "merge_gap_us", "surfaces")
_THEN_KEYS = ("outcome", "edits", "obligations", "audience", "two_person", "reason")
_EDIT_KEYS = ("do", "start_us", "end_us", "pad_us", "region", "text")
_SOURCE_KEYS = ("kind", "cite", "read", "confidence", "url", "draft")
_GIVEN_KEYS = (
    "findings",
    "gaps",
    "papers",
    "series",
    "provenance",
    "answers",
    "duration_us",
    "asset_kind",
    "as_of",
    "gate",
    "territories",
)
_FINDING_KEYS = (
    "category",
    "score",
    "start_us",
    "end_us",
    "frames",
    "surface",
    "measured",
    "region",
    "subject",
    "work",
    "text",
)
_EXPECT_KEYS = ("outcome", "fired", "silent", "unknown", "edits", "obligations")
_PYTHON: Mapping[str, Any] = {"string": str, "int": int, "double": int | float, "bool": bool, "timestamp": str}
_KINDS = {"string": "text", "int": "a whole number", "double": "a number", "bool": "true or false", "timestamp": "text"}
PLACEHOLDERS = ("title", "number")
"""What the text of an edit may fill in from the papers: the series' title, the first filing's number."""
_LONGEST_US = 24 * 3600 * 1_000_000


class _Reader:
    """Reads nodes into values and collects what is wrong on the way."""

    def __init__(self, tree: Taxonomy) -> None:
        self.tree = tree
        self.mistakes: list[Mistake] = []
        self.thresholds: dict[str, Threshold] = {}

    # What every part is made of

    def wrong(self, node: Node, message: str) -> None:
        self.mistakes.append(Mistake(node.line, node.col, message))

    def mapping(self, node: Node, keys: Sequence[str], needed: Sequence[str], what: str) -> dict[str, Node] | None:
        """The fields of a mapping; unknown and missing keys are mistakes."""
        if not isinstance(node.value, dict):
            self.wrong(node, f"{what} is {node.kind}; it is a mapping with {', '.join(needed or keys)}")
            return None
        for key in node.value:
            if key not in keys:
                near = nearest(key, keys)
                hint = f"did you mean {near!r}?" if near else f"known keys are {', '.join(keys)}"
                if keys == ("zh", "en") and node.value[key].value is None and not near:
                    hint = "put a text with a comma in quotes"
                self.mistakes.append(Mistake(*node.key_at[key], f"unknown key {key!r} in {what}; {hint}"))
        missing = [k for k in needed if k not in node.value]
        if missing:
            self.wrong(node, f"{what} lacks {', '.join(missing)}")
        fields: dict[str, Node] = node.value
        return fields

    def text(self, node: Node | None, what: str, *, longest: int = 2000) -> str:
        if node is None:
            return ""
        if not isinstance(node.value, str) or not node.value.strip():
            self.wrong(node, f"{what} is {'empty' if node.value == '' else node.kind}; it is a text")
            return ""
        if len(node.value) > longest:
            self.wrong(node, f"{what} has {len(node.value)} characters; at most {longest}")
        return node.value

    def words(self, node: Node | None, what: str) -> Words:
        if node is None:
            return Words("", "")
        fields = self.mapping(node, ("zh", "en"), ("zh", "en"), what)
        if fields is None:
            return Words("", "")
        return Words(self.text(fields.get("zh"), f"{what}.zh"), self.text(fields.get("en"), f"{what}.en"))

    def word(self, node: Node | None, kind: type[E], what: str, default: E) -> E:
        """One of the words of an enum."""
        if node is None:
            return default
        if isinstance(node.value, str) and node.value in list(kind):
            return kind(node.value)
        self.wrong(node, f"{what} is {_shown(node)}; {_instead(node.value, [k.value for k in kind])}")
        return default

    def items(self, node: Node | None, what: str, one: Callable[[Node], T]) -> list[T]:
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            self.wrong(node, f"{what} is {node.kind}; it is a list")
            return []
        return [one(item) for item in node.value]

    def whole(self, node: Node | None, what: str, *, low: int = 0, high: int = _LONGEST_US, default: int = 0) -> int:
        """A whole number, written out or as $name of a threshold."""
        value = self.number(node, what, low=low, high=high, default=default)
        if node is not None and value != int(value):
            self.wrong(node, f"{what} is {value}; it is a whole number")
        return int(value)

    def number(self, node: Node | None, what: str, *, low: float, high: float, default: float = 0) -> float:
        if node is None or node.value is None:
            return default
        value = node.value
        if isinstance(value, str) and value.startswith("$"):
            threshold = self.thresholds.get(value[1:])
            if threshold is None:
                near = nearest(value[1:], self.thresholds)
                known = ", ".join(f"${t}" for t in self.thresholds) or "none"
                self.wrong(
                    node, f"{what} is {value}; " + (f"did you mean ${near}?" if near else f"thresholds are {known}")
                )
                return default
            value = threshold.default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(node, f"{what} is {_shown(node)}; it is a number or $name of a threshold")
            return default
        if not low <= value <= high:
            self.wrong(node, f"{what} is {value}; it lies in [{_number(low)}, {_number(high)}]")
            return default
        return value

    def truth(self, node: Node | None, what: str) -> bool:
        if node is None or node.value is None:
            return False
        if not isinstance(node.value, bool):
            self.wrong(node, f"{what} is {_shown(node)}; it is true or false")
            return False
        return node.value

    def instant(self, node: Node | None, what: str) -> datetime | None:
        if node is None or node.value is None:
            return None
        try:
            at = datetime.fromisoformat(str(node.value))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.wrong(
                node, f"{what} is {_shown(node)}; it is an instant with its time zone, like 2025-09-01T00:00:00+08:00"
            )
            return None
        return at

    # The rulebook, top to bottom

    def rulebook(self, root: Node) -> Rulebook | None:
        top = self.mapping(
            root, _TOP_KEYS, tuple(k for k in _TOP_KEYS if k not in ("extends", "thresholds")), "the rulebook"
        )
        if top is None:
            return None
        name = self.text(top.get("rulebook"), "rulebook", longest=64)
        self.refuse_other_taxonomy(top.get("taxonomy"))
        self.refuse_extends(top.get("extends"))
        self.thresholds = self.read_thresholds(top.get("thresholds"))
        rules = self.items(top.get("rules"), "rules", self.rule)
        if "rules" in top and not rules and not self.mistakes:
            self.wrong(top["rules"], "rules is empty; a rulebook has at least one rule")
        self.refuse_twice(top.get("rules"), [r.id for r in rules])
        return Rulebook(
            name=name,
            version=self.whole(top.get("version"), "version", low=1, high=1_000_000, default=1),
            digest=_digest(root),
            title=self.words(top.get("title"), "title"),
            territory=self.territory(top.get("territory")),
            in_force=self.span(top.get("effective")),
            gates=frozenset(
                self.items(top.get("gates"), "gates", lambda n: self.word(n, Gate, "a gate", Gate.PUBLISH))
            ),
            requires=frozenset(self.items(top.get("requires"), "requires", self.required)),
            thresholds=self.thresholds,
            rules=tuple(rules),
        )

    def territory(self, node: Node | None) -> str:
        if node is None or node.value is None:
            return EVERYWHERE
        value = self.text(node, "territory", longest=8)
        code = value.replace("-", "")
        if (
            value
            and value != EVERYWHERE
            and not (code.isascii() and code.isalnum() and code.isupper() and len(value) >= 2)
        ):
            self.wrong(node, f"territory is {value!r}; it is a code like CN, EU or US-CA, or '*' for everywhere")
        return value

    def required(self, node: Node) -> str:
        name = self.text(node, "a required classifier", longest=64)
        if name and name not in LOOKS_AT:
            self.wrong(node, f"requires {name!r}; {_instead(name, sorted(LOOKS_AT))}")
        return name

    def refuse_other_taxonomy(self, node: Node | None) -> None:
        if node is not None and self.text(node, "taxonomy") not in ("", self.tree.ref):
            self.wrong(node, f"taxonomy is {node.value!r}; this gateway speaks {self.tree.ref!r}")

    def refuse_extends(self, node: Node | None) -> None:
        if node is not None and node.value is not None:
            self.wrong(node, f"extends is {_shown(node)}; this version reads no parents, write null and copy the rules")

    def refuse_twice(self, node: Node | None, ids: list[str]) -> None:
        if node is None or not isinstance(node.value, list):
            return
        seen: dict[str, Node] = {}
        for item, rule_id in zip(node.value, ids, strict=True):
            where = item.value.get("id", item) if isinstance(item.value, dict) else item
            if rule_id and rule_id in seen:
                self.wrong(where, f"rule id {rule_id!r} stands a second time (first at line {seen[rule_id].line})")
            seen.setdefault(rule_id, where)

    def read_thresholds(self, node: Node | None) -> dict[str, Threshold]:
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self.wrong(node, f"thresholds is {node.kind}; it is a mapping of names")
            return {}
        return {name: self.threshold(name, item) for name, item in node.value.items()}

    def threshold(self, name: str, node: Node) -> Threshold:
        what = f"threshold {name}"
        fields = self.mapping(node, ("default", "range", "why"), ("default", "range", "why"), what) or {}
        ends = self.items(
            fields.get("range"), f"{what}.range", lambda n: self.number(n, f"{what}.range", low=-1e12, high=1e12)
        )
        if "range" in fields and (len(ends) != 2 or ends[0] > ends[1]):
            self.wrong(fields["range"], f"{what}.range is {fields['range'].plain()}; it is [lowest, highest]")
        low, high = ends if len(ends) == 2 and ends[0] <= ends[1] else (-1e12, 1e12)
        default = self.number(fields.get("default"), f"{what}.default", low=low, high=high, default=low)
        return Threshold(default, low, high, self.words(fields.get("why"), f"{what}.why"))

    def span(self, node: Node | None) -> Span:
        if node is None or node.value is None:
            return ALWAYS
        fields = self.mapping(node, ("from", "until"), ("from",), "effective")
        if fields is None:
            return ALWAYS
        start, until = (
            self.instant(fields.get("from"), "effective.from"),
            self.instant(fields.get("until"), "effective.until"),
        )
        if start is not None and until is not None and until <= start:
            self.wrong(
                fields["until"], f"effective.until {until.isoformat()} is not after effective.from {start.isoformat()}"
            )
        return Span(start, until)

    def rule(self, node: Node) -> Rule:
        fields = self.mapping(node, _RULE_KEYS, ("id", "title", "source", "then", "cases"), "a rule") or {}
        rule_id = self.text(fields.get("id"), "id", longest=128)
        mode = self.word(fields.get("mode"), Mode, "mode", Mode.ENFORCE)
        source = self.source(fields.get("source"))
        match = self.match(fields.get("match"))
        then = self.then(fields.get("then"), located=match is not None and not match.observation)
        when = self.when(fields.get("when"), match, then)
        if fields and match is None and when is None and not self.mistakes:
            self.wrong(node, f"{rule_id} has neither match nor when; it would fire on everything")
        self.refuse_too_strong(fields.get("then"), rule_id, mode, source, then)
        cases = self.items(fields.get("cases"), "cases", lambda n: self.case(n, rule_id))
        return Rule(
            id=rule_id,
            title=self.words(fields.get("title"), "title"),
            source=source,
            mode=mode,
            then=then,
            match=match,
            when=when,
            rollout_percent=self.rollout(fields.get("rollout")),
            in_force=self.span(fields.get("effective")),
            cases=tuple(cases),
            line=node.line,
            col=node.col,
        )

    def rollout(self, node: Node | None) -> int:
        if node is None or node.value is None:
            return 100
        fields = self.mapping(node, ("percent", "by"), ("percent", "by"), "rollout") or {}
        by = fields.get("by")
        if by is not None and by.value != "series":
            self.wrong(by, f"rollout.by is {_shown(by)}; it is series")
        return self.whole(fields.get("percent"), "rollout.percent", high=100, default=100)

    def source(self, node: Node | None) -> Source:
        fields = (
            {}
            if node is None
            else self.mapping(node, _SOURCE_KEYS, ("kind", "cite", "read", "confidence"), "source") or {}
        )
        url = fields.get("url")
        return Source(
            kind=self.word(fields.get("kind"), Kind, "source.kind", Kind.LAW),
            cite=self.text(fields.get("cite"), "source.cite"),
            read=self.word(fields.get("read"), Read, "source.read", Read.SECONDARY),
            confidence=self.word(fields.get("confidence"), Confidence, "source.confidence", Confidence.LOW),
            url=None if url is None or url.value is None else self.text(url, "source.url"),
            draft=self.truth(fields.get("draft"), "source.draft"),
        )

    def refuse_too_strong(self, node: Node | None, rule_id: str, mode: Mode, source: Source, then: Then) -> None:
        """A rule may not be harsher than its source allows."""
        if node is None or not isinstance(node.value, dict) or mode is not Mode.ENFORCE:
            return
        if then.outcome <= source.strongest:
            return
        at = node.value.get("outcome", node)
        read = "a draft" if source.draft else f"{source.read.value} with {source.confidence.value} confidence"
        allowed = (
            "only advise: write outcome: approve" if source.strongest is Outcome.APPROVE else "hold or segment at most"
        )
        self.wrong(at, f"{rule_id} asks for {then.outcome.word} on a source read as {read}; that may {allowed}")

    def match(self, node: Node | None) -> Match | None:
        if node is None or node.value is None:
            return None
        fields = self.mapping(node, _MATCH_KEYS, ("categories",), "match")
        if fields is None:
            return None
        categories = [
            c for found in self.items(fields.get("categories"), "match.categories", self.pattern) for c in found
        ]
        sides = {self.tree.polarity(c) for c in categories}
        if len(sides) > 1:
            self.wrong(node, "match mixes adverse categories and observations; write one rule for each")
        score = self.number(fields.get("min_score"), "match.min_score", low=0.0, high=1.0)
        return Match(
            categories=frozenset(categories),
            observation=sides == {Polarity.OBSERVATION},
            min_score_millionths=millionths(score),
            min_duration_us=self.whole(fields.get("min_duration_us"), "match.min_duration_us"),
            min_frames=self.whole(fields.get("min_frames"), "match.min_frames", high=1_000_000),
            merge_gap_us=self.whole(fields.get("merge_gap_us"), "match.merge_gap_us"),
            surfaces=frozenset(
                self.items(
                    fields.get("surfaces"), "surfaces", lambda n: self.word(n, Surface, "a surface", Surface.IMAGE)
                )
            ),
        )

    def pattern(self, node: Node) -> frozenset[str]:
        written = self.text(node, "a category")
        found = self.tree.matching(written)
        if written and not found:
            near = self.tree.nearest(written)
            hint = f"did you mean {near!r}?" if near else f"ids are those of the taxonomy {self.tree.ref}"
            self.wrong(node, f"no category is called {written!r}; {hint}")
        return found

    def when(self, node: Node | None, match: Match | None, then: Then) -> Condition | None:
        if node is None or node.value is None:
            return None
        source = self.text(node, "when", longest=10_000)
        if not source:
            return None
        try:
            condition = language().compile(source)
        except CelError as error:
            self.mistakes.append(Mistake(*node.position_of(error.line, error.col), f"when: {error.message}"))
            return None
        self.refuse_backwards(node, condition, match, then)
        return condition

    def refuse_backwards(self, node: Node, condition: Condition, match: Match | None, then: Then) -> None:
        """One more adverse finding may never silence a rule, one more observation never fire one."""
        if "matched" not in condition.variables:
            return
        if match is None:
            self.wrong(node, "when reads `matched` but the rule has no match; say which findings it is about")
            return
        sign = condition.signs.get("matched", Sign.STILL)
        if then.outcome is Outcome.APPROVE:
            return
        if match.observation and sign & Sign.UP:
            self.wrong(node, "when can be made true by one more observation; write it as !matched.exists(f, ...)")
        elif not match.observation and sign & Sign.DOWN:
            self.wrong(node, "when can be made false by one more adverse finding; write it as matched.exists(f, ...)")

    def then(self, node: Node | None, *, located: bool) -> Then:
        fields = {} if node is None else self.mapping(node, _THEN_KEYS, ("outcome", "reason"), "then") or {}
        outcome = self.outcome(fields.get("outcome"))
        edits = self.items(fields.get("edits"), "then.edits", lambda n: self.edit(n, located=located))
        audience = self.audience(fields.get("audience"))
        if edits and outcome is not Outcome.SEGMENT:
            self.wrong(fields["edits"], f"edits with outcome {outcome.word}; edits go with outcome segment")
        if outcome is Outcome.SEGMENT and not edits and audience is None and node is not None:
            self.wrong(node, "outcome segment without edits or audience; say what is to be done")
        return Then(
            outcome=outcome,
            reason=self.words(fields.get("reason"), "then.reason"),
            edits=tuple(edits),
            obligations=tuple(
                self.items(fields.get("obligations"), "then.obligations", lambda n: self.words(n, "an obligation"))
            ),
            audience=audience,
            two_person=self.truth(fields.get("two_person"), "then.two_person"),
        )

    def outcome(self, node: Node | None) -> Outcome:
        if node is None:
            return Outcome.HOLD
        words = [o.word for o in Outcome]
        if node.value not in words:
            self.wrong(node, f"outcome is {_shown(node)}; {_instead(node.value, words)}")
            return Outcome.HOLD
        return Outcome.of(str(node.value))

    def audience(self, node: Node | None) -> Mapping[str, Any] | None:
        if node is None or node.value is None:
            return None
        fields = self.mapping(node, ("tier", "min_age", "flags"), (), "then.audience")
        if not fields:
            return None
        result: dict[str, Any] = {}
        if "tier" in fields:
            result["tier"] = self.text(fields["tier"], "audience.tier")
        if "min_age" in fields:
            result["min_age"] = self.whole(fields["min_age"], "audience.min_age", high=21)
        if "flags" in fields:
            result["flags"] = self.items(fields["flags"], "audience.flags", lambda n: self.text(n, "a flag"))
        return result

    def edit(self, node: Node, *, located: bool) -> EditPlan:
        fields = self.mapping(node, _EDIT_KEYS, ("do",), "an edit") or {}
        start, end = fields.get("start_us"), fields.get("end_us")
        start_us = None if start is None or start.value is None else self.whole(start, "start_us")
        end_us = None if end is None or end.value is None else self.whole(end, "end_us")
        if start_us is not None and end_us is not None and end_us <= start_us:
            self.wrong(node, f"the edit ends at {end_us} us, not after its start at {start_us} us")
        do = self.word(fields.get("do"), Do, "do", Do.CUT)
        if do is Do.CUT and not located and start_us is None and end_us is None:
            self.wrong(node, "a cut without place would cut everything; give start_us and end_us, or match something")
        text = fields.get("text")
        if do in (Do.OVERLAY_LABEL, Do.INSERT_CARD) and (text is None or text.value is None):
            self.wrong(node, f"{do.value} without text; say what it shows in zh and en")
        for name in sorted(set(_braced(text)) - set(PLACEHOLDERS)) if text else ():
            self.wrong(text or node, f"{{{name}}} is nothing a text can show; {_instead(name, PLACEHOLDERS)}")
        region = fields.get("region")
        of_finding = region is not None and region.value == "finding"
        if of_finding and not located:
            self.wrong(node, "region: finding, but the rule matches nothing adverse that has a region")
        return EditPlan(
            do=do,
            start_us=start_us,
            end_us=end_us,
            pad_us=self.whole(fields.get("pad_us"), "pad_us", high=60_000_000),
            region=None if of_finding else self.region(region),
            of_finding=of_finding,
            text=None if text is None or text.value is None else self.words(text, "text"),
        )

    def region(self, node: Node | None) -> tuple[float, float, float, float] | None:
        if node is None or node.value is None:
            return None
        numbers = self.items(node, "region", lambda n: self.number(n, "region", low=0.0, high=1.0))
        try:
            made = Region(*numbers)
        except (TypeError, ValueError):
            self.wrong(
                node, f"region is {_shown(node)}; it is [x, y, w, h] in shares of the picture, or the word finding"
            )
            return None
        return made.x, made.y, made.w, made.h

    # Cases

    def case(self, node: Node, rule_id: str) -> Case:
        fields = self.mapping(node, ("name", "given", "expect"), ("name", "given", "expect"), "a case") or {}
        given = self.given(fields.get("given"))
        expect = (
            {} if "expect" not in fields else self.mapping(fields["expect"], _EXPECT_KEYS, ("outcome",), "expect") or {}
        )
        fired = self.items(expect.get("fired"), "expect.fired", lambda n: self.text(n, "a rule id"))
        silent = self.items(expect.get("silent"), "expect.silent", lambda n: self.text(n, "a rule id"))
        unknown = self.items(expect.get("unknown"), "expect.unknown", lambda n: self.text(n, "a fact"))
        if "expect" in fields and rule_id not in (*fired, *silent) and not unknown:
            self.wrong(fields["expect"], f"expect names {rule_id} neither under fired nor under silent")
        return Case(
            name=self.text(fields.get("name"), "name"),
            given=given,
            outcome=self.outcome(expect.get("outcome")),
            fired=tuple(fired),
            silent=tuple(silent),
            unknown=tuple(unknown),
            edits=self.expected_edits(expect.get("edits")),
            obligations=self.whole(expect["obligations"], "expect.obligations", high=100)
            if "obligations" in expect
            else None,
            line=node.line,
            col=node.col,
        )

    def expected_edits(self, node: Node | None) -> tuple[tuple[int, int, str], ...] | None:
        if node is None:
            return None
        return tuple(self.items(node, "expect.edits", self.expected_edit))

    def expected_edit(self, node: Node) -> tuple[int, int, str]:
        value = node.plain()
        if isinstance(value, list) and len(value) == 3 and [type(v) for v in value] == [int, int, str]:
            return value[0], value[1], value[2]
        self.wrong(node, f"an expected edit is {_shown(node)}; it is [start_us, end_us, what is done]")
        return 0, 0, ""

    def given(self, node: Node | None) -> dict[str, Any]:
        """The facts of a case as `facts_of_case` reads them; checked here, where the places are known."""
        if node is None:
            return {}
        fields = self.mapping(node, _GIVEN_KEYS, (), "given")
        if fields is None:
            return {}
        for finding in fields["findings"].value if isinstance(fields.get("findings", node).value, list) else []:
            self.given_finding(finding)
        if "findings" in fields and not isinstance(fields["findings"].value, list):
            self.wrong(fields["findings"], f"findings is {fields['findings'].kind}; it is a list")
        for answer in self.items(fields.get("answers"), "answers", lambda n: n):
            self.mapping(
                answer, ("about", "attribute", "territory", "covered"), ("about", "attribute", "covered"), "an answer"
            )
        for record in ("papers", "series"):
            if record in fields and fields[record].value is not None:
                self.given_record(fields[record], VARIABLES()[record], record)
        if "provenance" in fields and fields["provenance"].value is not None:
            keys = ("seal", "ai_disclosure", "problems", "aigc", "generators", "samples_in_hash")
            self.mapping(fields["provenance"], keys, (), "provenance")
        if not self.mistakes:
            try:
                facts_of_case(node.plain())
            except (KeyError, TypeError, ValueError) as error:
                self.wrong(node, f"the facts given cannot be: {error}")
        plain: dict[str, Any] = node.plain()
        return plain

    def given_record(self, node: Node, shape: Shape, what: str) -> None:
        """Refuse papers no submission could have: unknown keys, values of another kind, words that are never said."""
        if node.value is None:
            return
        match shape:
            case Record(_, fields):
                for key, value in (self.mapping(node, tuple(fields), (), what) or {}).items():
                    if key in fields:
                        self.given_record(value, fields[key], f"{what}.{key}")
            case Many(of):
                for item in self.items(node, what, lambda n: n):
                    self.given_record(item, of, what)
            case Scalar(_, choices) if choices:
                if node.value not in choices:
                    self.wrong(node, f"{what} is {_shown(node)}; {_instead(node.value, sorted(choices))}")
            case Scalar(kind) if not isinstance(node.value, _PYTHON[kind]) or (kind == "int" and node.value is True):
                self.wrong(node, f"{what} is {node.kind}; it is {_KINDS[kind]}")
            case _:
                pass

    def given_finding(self, node: Node) -> None:
        fields = self.mapping(node, _FINDING_KEYS, ("category", "score", "start_us", "end_us"), "a finding") or {}
        if "category" in fields and self.text(fields["category"], "category") not in self.tree.categories:
            self.pattern(fields["category"])
        self.number(fields.get("score"), "score", low=0.0, high=1.0)
        if "surface" in fields:
            self.word(fields["surface"], Surface, "surface", Surface.IMAGE)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _braced(node: Node) -> list[str]:
    """The names in braces in the words at `node`."""
    words = node.value.values() if isinstance(node.value, dict) else ()
    return [name for word in words for name in re.findall(r"{(.*?)}", str(word.value))]


def _shown(node: Node) -> str:
    """A value as it stands in the file, shortened."""
    if isinstance(node.value, dict | list):
        return node.kind
    said = "null" if node.value is None else repr(node.value)
    return said if len(said) <= 60 else said[:57] + "..."


def _instead(word: Any, known: Sequence[str]) -> str:
    near = nearest(word, known) if isinstance(word, str) else None
    return f"did you mean {near!r}?" if near else f"it is one of {', '.join(known)}"


def _digest(root: Node) -> str:
    canonical = json.dumps(root.plain(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_CASE_AT = datetime(2026, 10, 1, tzinfo=UTC)
"""When cases are judged that do not say: after every shipped rulebook came into force, so that a case means what
it says whenever it is run."""


def _trouble(book: Rulebook, rules: Mapping[str, Rule], rule: Rule, case: Case) -> Iterable[str]:
    """What the case expected and did not get."""
    named = {rule.id, *case.fired, *case.silent}
    for name in sorted(named - rules.keys()):
        yield f"names the rule {name!r}; {_instead(name, sorted(rules))}"
    facts = facts_of_case(case.given, book)
    sheet, tally = Sheet(facts), _Tally(facts)
    states = {}
    for name in sorted(named & rules.keys()):
        judged = judge(book, replace(rules[name], mode=Mode.ENFORCE), sheet)
        states[name] = judged.state
        tally.add(book, replace(rules[name], mode=Mode.ENFORCE, rollout_percent=100), judged)
        if judged.state is State.UNKNOWN and not case.unknown:
            yield f"{name} needs {', '.join(judged.unknown) or 'a fact nobody knows'} ({judged.why})"
    verdict = tally.verdict([book])
    for name in case.fired:
        if states.get(name) is State.SILENT:
            yield f"{name} should fire and is silent"
    for name in case.silent:
        if states.get(name) is State.FIRED:
            yield f"{name} should be silent and fires"
    unknown = {r.rule.partition(":")[2] for r in verdict.reasons if r.rule.startswith("unknown:")}
    if case.unknown and unknown != set(case.unknown):
        yield f"unknown should be {', '.join(sorted(case.unknown))} and is {', '.join(sorted(unknown)) or 'nothing'}"
    if verdict.outcome is not case.outcome:
        yield f"the outcome should be {case.outcome.word} and is {verdict.outcome.word}"
    edits = tuple((e.where.start_us, e.where.end_us, e.do.value) for e in verdict.edits)
    if case.edits is not None and edits != case.edits:
        yield f"the edits should be {[list(e) for e in case.edits]} and are {[list(e) for e in edits]}"
    if case.obligations is not None and len(verdict.obligations) != case.obligations:
        yield f"there should be {case.obligations} obligations and are {len(verdict.obligations)}"


def facts_of_case(given: Mapping[str, Any], book: Rulebook | None = None) -> Facts:
    """The facts of a case: what it gives, and for the rest a minute of signed, labelled work that everybody looked at.

    Raises KeyError, TypeError or ValueError where they cannot be.
    """
    duration_us = given.get("duration_us", 60_000_000)
    gaps = tuple(Gap(name, "not there", "install it") for name in given.get("gaps") or ())
    ran = tuple(Ran(name, "1", 0, 0, 0) for name in sorted(LOOKS_AT) if name not in {g.classifier for g in gaps})
    findings = tuple(_finding(f) for f in given.get("findings") or ())
    return Facts(
        asset_kind=AssetKind(given.get("asset_kind", "episode")),
        duration_us=duration_us,
        screening=Screening(duration_us, findings, gaps, ran),
        as_of=datetime.fromisoformat(given["as_of"]) if "as_of" in given else _CASE_AT,
        provenance=_report(given.get("provenance") or {}),
        papers=given.get("papers"),
        series=given.get("series"),
        answers=tuple(_answer(a) for a in given.get("answers") or ()),
        gate=Gate(given.get("gate", "publish")),
        territories=tuple(given.get("territories") or (() if book is None or book.everywhere else (book.territory,))),
    )


def _finding(given: Mapping[str, Any]) -> Finding:
    region = given.get("region")
    return Finding(
        classifier="case",
        version="1",
        category=given["category"],
        score_millionths=millionths(given["score"]),
        surface=Surface(given.get("surface", "image")),
        where=TimeRange(given["start_us"], given["end_us"]),
        frames=given.get("frames", 2),
        measured={k: float(v) for k, v in (given.get("measured") or {}).items()},
        region=None if region is None else Region(*region),
        subject=given.get("subject"),
        work=given.get("work"),
        text=given.get("text"),
    )


def _answer(given: Mapping[str, Any]) -> Answer:
    covered = Covered(given["covered"])
    place = given.get("territory", EVERYWHERE)
    return Answer(given["about"], given["attribute"], place, covered, None, "示例", "an example")


def _report(given: Mapping[str, Any]) -> ProvenanceReport:
    """A trusted, disclosed and labelled file, changed as given."""
    label = {"fields": {"Label": "1"}, "carrier": "case", "conforming": True, "copies": 1, "agrees_with_seal": True}
    aigc = given.get("aigc", {})
    return ProvenanceReport(
        seal=Seal(given.get("seal", "trusted")),
        problems=tuple(Problem(code, "示例", "an example") for code in given.get("problems") or ()),
        ai_disclosure=AiDisclosure(given.get("ai_disclosure", "signed")),
        aigc=None if aigc is None else AigcLabel(**{**label, **aigc}),
        chain=(),
        signer="an example",
        trust_list=None,
        generators=tuple(given.get("generators") or ()),
        samples_in_hash=given.get("samples_in_hash", True),
    )
