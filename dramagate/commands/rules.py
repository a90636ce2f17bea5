"""`dramagate rules`: which rulebooks there are, whether they are right, and what they say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from policies.rule import Rule
    from policies.rulebook import Rulebook, Trial

rules = typer.Typer(help="Rulebooks: list, check, test and read them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Named = Annotated[
    list[str] | None, typer.Argument(help="Names of shipped rulebooks, or files; all shipped by default.")
]


@rules.command("list")
def rules_list(as_json: AsJson = False) -> None:
    """Every shipped rulebook: version, territory, since when in force, what it requires, how many rules."""
    from policies.rulebook import find, shipped

    books = [find(name) for name in shipped()]
    if as_json:
        _print_json({"schema": "dramagate/rules-list@1", "rulebooks": [_book_json(b) for b in books]})
        return
    for book in books:
        since = "always" if book.in_force.start is None else book.in_force.start.date().isoformat()
        _print(f"{book.name}@{book.version}  {book.territory}  {since}  {len(book.rules)} rules  {book.digest[:12]}")
        _print(f"    {book.title.zh} / {book.title.en}")
        _print(f"    requires {', '.join(sorted(book.requires)) or 'nothing'}")


@rules.command("check")
def rules_check(named: Named = None, as_json: AsJson = False) -> None:
    """Read rulebooks as the gate would, cases included. Ends with 2 where one would be refused."""
    _report([_tried(name) for name in _names(named)], "dramagate/rules-check@1", as_json, every_case=False)


@rules.command("test")
def rules_test(
    named: Named = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Say for each rule how many cases fire it and leave it silent.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge every case of every rule and name each. Ends with 2 where one does not behave."""
    results = [_tried(name) for name in _names(named)]
    if coverage and not as_json:
        for result in results:
            for rule in result["coverage"]:
                _print(f"{result['name']}: {rule['rule']}: {rule['fires']} firing, {rule['silent']} silent")
    _report(results, "dramagate/rules-test@1", as_json, every_case=True)


@rules.command("explain")
def rules_explain(named: Named = None, as_json: AsJson = False) -> None:
    """Read rulebooks aloud: what each rule is about, when it fires, what follows, on which source."""
    from policies.rulebook import find

    books = [find(name) for name in _names(named)]
    if as_json:
        told = [{**_book_json(b), "told": [{"rule": r.id, **_told(r)} for r in b.rules]} for b in books]
        _print_json({"schema": "dramagate/rules-explain@1", "rulebooks": told})
        return
    for book in books:
        _print(f"{book.name}@{book.version}: {book.title.zh} / {book.title.en}")
        for rule in book.rules:
            words = _told(rule)
            _print(f"\n  {rule.id}: {rule.title.zh} / {rule.title.en}\n    {words['zh']}\n    {words['en']}")


def _names(named: list[str] | None) -> list[str]:
    from policies.rulebook import shipped

    return named or list(shipped())


def _tried(name: str) -> dict[str, Any]:
    """One rulebook read and its cases judged: name, errors, cases, coverage."""
    from policies.rulebook import RulebookError, load, shipped, trials

    path = shipped().get(name)
    try:
        book = load(path if path is not None else _file(name), try_cases=False)
    except RulebookError as error:
        return {"name": name, "ok": False, "errors": list(error.errors), "cases": [], "coverage": []}
    tried = trials(book)
    failed = [f"{Path(book.path).name}:{t.line}:{t.col}: {t.message}" for t in tried if not t.passed]
    return {
        **_book_json(book),
        "ok": not failed,
        "errors": failed,
        "cases": [_case_json(t) for t in tried if t.case],
        "coverage": [
            {
                "rule": r.id,
                "fires": sum(r.id in c.fired for c in r.cases),
                "silent": sum(r.id in c.silent for c in r.cases),
            }
            for r in book.rules
        ],
    }


def _file(name: str) -> Path:
    """`name` as a file. Raises RulebookError with the nearest shipped name where it is neither."""
    from policies.rulebook import find

    path = Path(name)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        find(name)  # raises, naming what is known
    return path


def _report(results: list[dict[str, Any]], schema: str, as_json: bool, *, every_case: bool) -> None:
    good = all(r["ok"] for r in results)
    if as_json:
        if not every_case:
            results = [{k: v for k, v in r.items() if k not in ("cases", "coverage")} for r in results]
        _print_json({"schema": schema, "ok": good, "rulebooks": results})
    else:
        for result in results:
            for case in result["cases"] if every_case else []:
                _print(f"{'pass' if case['passed'] else 'FAIL'}  {case['rule']}: {case['case']}")
            for error in result["errors"]:
                _print(error)
            passed = sum(c["passed"] for c in result["cases"])
            _print(
                f"{result['name']}: {'good' if result['ok'] else 'refused'}, {passed} of {len(result['cases'])} cases"
            )
    if not good:
        raise typer.Exit(2)


def _book_json(book: Rulebook) -> dict[str, Any]:
    return {
        "name": book.name,
        "version": book.version,
        "digest": book.digest,
        "territory": book.territory,
        "title": book.title.to_json(),
        "effective": {
            "from": None if book.in_force.start is None else book.in_force.start.isoformat(),
            "until": None if book.in_force.until is None else book.in_force.until.isoformat(),
        },
        "gates": sorted(book.gates),
        "requires": sorted(book.requires),
        "rules": len(book.rules),
    }


def _case_json(trial: Trial) -> dict[str, Any]:
    return {"rule": trial.rule, "case": trial.case, "passed": trial.passed, "message": trial.message}


_OUTCOMES_ZH = {"approve": "只提示", "segment": "分级放行", "hold": "转人工", "reject": "不予发布"}


def _told(rule: Rule) -> dict[str, str]:
    """One rule as two sentences, in Chinese and in English."""
    source = f"{rule.source.cite} ({rule.source.kind.value}, {rule.source.read.value}, {rule.source.confidence.value})"
    about_zh, about_en = "", ""
    if rule.match is not None:
        listed = ", ".join(sorted(rule.match.categories))
        about_zh, about_en = f"针对 {listed}；", f"About {listed}; "
    when = None if rule.when is None else rule.when.source
    then, outcome = rule.then.reason, rule.then.outcome.word
    zh = f"{about_zh}条件：{when or '凡命中'}。结果：{_OUTCOMES_ZH[outcome]}，{then.zh}。依据：{source}。"
    en = f"{about_en}when {when or 'anything matches'}: {outcome}. {then.en}. Source: {source}."
    return {"zh": zh, "en": en}


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
