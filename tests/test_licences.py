"""Every installed distribution and every weight has a licence somebody decided about."""

from __future__ import annotations

import csv
import importlib.metadata
import re
from pathlib import Path

from packaging.requirements import Requirement

LEDGER = Path(__file__).parents[1] / "docs" / "licences.tsv"
INSTALLERS = {"pip", "setuptools", "wheel"}


def _rows(kind: str) -> dict[str, dict[str, str]]:
    with LEDGER.open(encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == kind}


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _stated(distribution: importlib.metadata.Distribution) -> str:
    """The licence a distribution's metadata states, as an expression, classifiers or the first line of a text."""
    meta = distribution.metadata.json
    if expression := meta.get("license_expression"):
        return str(expression)
    classifiers = [
        str(c).rsplit("::", 1)[1].strip() for c in meta.get("classifier", ()) if str(c).startswith("License")
    ]
    return "; ".join(sorted(classifiers)) or str(meta.get("license", "")).split("\n")[0][:60] or "not stated"


def _closure() -> dict[str, str]:
    """Every distribution that installing this one brought, by name, with the licence its metadata states."""
    found: dict[str, str] = {}
    due = [("dramagate", frozenset({"dev"}))]
    while due:
        name, extras = due.pop()
        if _name(name) in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a requirement of another platform or extra
        found[_name(name)] = _stated(distribution)
        for text in distribution.requires or ():
            need = Requirement(text)
            wanted = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if need.marker is None or any(need.marker.evaluate(environment) for environment in wanted):
                due.append((need.name, frozenset(need.extras)))
    return found


def test_every_distribution_has_a_licence_somebody_decided_about() -> None:
    decided, installed = _rows("distribution"), _closure()
    undecided = {name: stated for name, stated in installed.items() if name not in decided | dict.fromkeys(INSTALLERS)}
    assert undecided == {}, "add these to docs/licences.tsv, once somebody has read their licences"


def test_no_distribution_has_changed_its_licence_since() -> None:
    decided, installed = _rows("distribution"), _closure()
    changed = {n: (decided[n]["stated"], s) for n, s in installed.items() if n in decided and decided[n]["stated"] != s}
    assert changed == {}


def test_every_weight_has_a_licence_somebody_decided_about() -> None:
    from classifiers.weights import CATALOGUE

    decided = _rows("weights")
    assert {w.name for w in CATALOGUE} == set(decided)
    for weights in CATALOGUE:
        stated = weights.licence.spdx if weights.licence else "brought by the user"
        assert decided[weights.name]["stated"] == stated


def test_nothing_forbidden_is_installed_by_default() -> None:
    decided = _rows("distribution")
    forbidden = {n: decided[n]["stated"] for n in _closure() if re.search(r"AGPL|non-commercial", decided[n]["stated"])}
    assert forbidden == {}
    assert {row["decision"] for row in decided.values()} <= {"permissive", "weak copyleft", "copyleft, noticed"}
    assert all(row["why"] for row in decided.values() if row["decision"] == "copyleft, noticed")
