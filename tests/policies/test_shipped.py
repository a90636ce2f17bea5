"""The shipped rulebooks: honest about their sources, sharp in their cases, described by the schema."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from policies import rulebook
from policies.decide import decide
from policies.facts import LOOKS_AT
from policies.rule import Kind, Match, Read, Rule, Rulebook
from policies.rulebook import facts_of_case, find, load, shipped, trials
from policies.verdict import Outcome
from policies.yaml_source import parse

SCHEMA: dict[str, Any] = json.loads(Path(rulebook.__file__).with_name("rulebook.schema.json").read_text("utf-8"))
DEFAULT_INSTALL = {
    "calibration_card",
    "near_copy",
    "screen_text",
    "likeness",
    "explicit_content",
    "ai_label",
    "text",
    "provenance",
}


@pytest.mark.parametrize("name", shipped())
def test_the_schema_for_editors_accepts_it(name: str) -> None:
    jsonschema.validate(parse(shipped()[name].read_bytes()).plain(), SCHEMA)


def test_the_schema_and_the_reader_know_the_same_keys() -> None:
    def keys(*path: str) -> set[str]:
        at: Any = SCHEMA
        for step in path:
            at = at[step]
        return set(at["properties"])

    given = SCHEMA["$defs"]["case"]["properties"]
    assert keys() == set(rulebook._TOP_KEYS)
    assert keys("$defs", "rule") == set(rulebook._RULE_KEYS)
    assert keys("$defs", "rule", "properties", "match") == set(rulebook._MATCH_KEYS)
    assert keys("$defs", "rule", "properties", "then") == set(rulebook._THEN_KEYS)
    assert keys("$defs", "rule", "properties", "source") == set(rulebook._SOURCE_KEYS)
    assert keys("$defs", "edit") == set(rulebook._EDIT_KEYS)
    assert keys("$defs", "finding") == set(rulebook._FINDING_KEYS)
    assert set(given["given"]["properties"]) == set(rulebook._GIVEN_KEYS)
    assert set(given["expect"]["properties"]) == set(rulebook._EXPECT_KEYS)
    assert set(SCHEMA["properties"]["requires"]["items"]["enum"]) == set(LOOKS_AT)


def test_without_territory_only_what_the_default_install_sees_is_required() -> None:
    required = {name for book in rulebook.select() for name in book.requires}
    assert required == DEFAULT_INSTALL
    assert find("cn-nrta").requires - DEFAULT_INSTALL == {"speech", "semantics", "voice"}


def test_no_rule_read_second_hand_rejects() -> None:
    rules = [r for name in shipped() for r in find(name).rules]
    rejecting = [r for r in rules if r.then.outcome is Outcome.REJECT]
    assert {r.source.kind for r in rejecting} == {Kind.HOUSE}
    assert all(r.then.outcome <= Outcome.HOLD for r in rules if r.source.read in (Read.SECONDARY, Read.MEMORY))


def test_rule_ids_are_unique_across_rulebooks() -> None:
    ids = [r.id for name in shipped() for r in find(name).rules]
    assert len(ids) == len(set(ids))


def mutants(book: Rulebook) -> list[tuple[str, Rulebook]]:
    """Every rule with its threshold raised or lowered a little, a limit doubled, its condition flipped or its outcome
    changed."""
    made = []
    for rule in book.rules:
        for said, changed in _mutations(rule):
            rules = tuple(changed if r is rule else r for r in book.rules)  # its cases come along
            made.append((f"{rule.id}: {said}", replace(book, rules=rules)))
    return made


def _mutations(rule: Rule) -> list[tuple[str, Rule]]:
    made: list[tuple[str, Rule]] = []
    match = rule.match
    if match is not None:
        changes: dict[str, Match] = {}
        if match.min_score_millionths:
            changes["every score"] = replace(match, min_score_millionths=0)
            changes["no score"] = replace(match, min_score_millionths=1_000_000)
        if match.min_frames:
            changes["any frames"] = replace(match, min_frames=0)
        if match.merge_gap_us:
            changes["no gap"] = replace(match, merge_gap_us=0)
        if match.min_duration_us:
            changes["any duration"] = replace(match, min_duration_us=0)
        if match.surfaces:
            changes["any surface"] = replace(match, surfaces=frozenset())
        made += [(said, replace(rule, match=changed)) for said, changed in changes.items()]
        if rule.when is not None:
            made.append(("no condition", replace(rule, when=None)))
    for outcome in Outcome:
        if outcome is not rule.then.outcome:
            made.append((f"{outcome.word}", replace(rule, then=replace(rule.then, outcome=outcome))))
    return made


@pytest.mark.parametrize("name", shipped())
def test_the_cases_notice_when_a_rule_changes(name: str) -> None:
    """At least nineteen in twenty changed rules are caught by the rulebook's own cases."""
    book = load(shipped()[name])
    every = mutants(book)
    survivors = [said for said, mutant in every if all(t.passed for t in trials(mutant))]
    assert len(survivors) <= 0.05 * len(every), "\n".join(survivors)


def test_loading_and_judging_are_quick() -> None:
    """CPU seconds, with room for a busy machine; the numbers measured stand in docs/rulebooks.md."""
    start = time.process_time()
    books = [load(path) for path in shipped().values()]
    assert time.process_time() - start < 1.5
    found = [
        {"category": c, "score": 0.9, "start_us": n * 1_000_000, "end_us": n * 1_000_000 + 500_000}
        for n, c in enumerate(["lure.contact", "likeness.face", "copy.video", "person.face"] * 10)
    ]
    work = facts_of_case({"findings": found})
    start = time.process_time()
    for _ in range(20):
        decide(books, work, find_path=False)
    assert (time.process_time() - start) / 20 < 0.02
