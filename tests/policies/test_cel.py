"""Conditions are typed at load and three-valued at evaluation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.cel import MAX_SOURCE, CelError, Language, Many, Record, Scalar, Sign, Table, Unknown

SHAPES: dict[str, Any] = {
    "papers": Record(
        "Papers",
        {
            "gate": Scalar("string", frozenset({"prescreen", "publish"})),
            "production": Record(
                "Production", {"cost": Scalar("int"), "rate": Scalar("double"), "own": Scalar("bool")}
            ),
            "filings": Many(Record("Filing", {"scheme": Scalar("string"), "number": Scalar("string")})),
            "ratings": Table(Scalar("string")),
        },
    ),
    "matched": Many(
        Record(
            "Finding",
            {
                "start_us": Scalar("int"),
                "score": Scalar("double"),
                "text": Scalar("string"),
                "measured": Record("Measured", {"height": Scalar("double")}),
            },
            dense=True,
        )
    ),
}
LANGUAGE = Language(SHAPES)


def holds(source: str, papers: dict[str, Any] | None = None, matched: list[dict[str, Any]] | None = None) -> Any:
    values = {
        "papers": LANGUAGE.value(SHAPES["papers"], papers or {}),
        "matched": LANGUAGE.value(SHAPES["matched"], matched or []),
    }
    return LANGUAGE.compile(source).holds(values)


COST = "papers.production.cost > 3"


@pytest.mark.parametrize(
    ("source", "papers", "answer"),
    [
        (COST, {"production": {"cost": 4}}, True),
        (COST, {"production": {"cost": 3}}, False),
        (COST, {}, ("papers.production.cost",)),
        (COST, {"production": {"cost": None}}, ("papers.production.cost",)),
        (f"!({COST})", {}, ("papers.production.cost",)),
        (f"{COST} && false", {}, False),
        (f"false && {COST}", {}, False),
        (f"{COST} || true", {}, True),
        (f"{COST} || papers.production.own", {"production": {"own": True}}, True),
        (f"{COST} || papers.production.own", {"production": {"own": False}}, ("papers.production.cost",)),
        (f"papers.production.own ? {COST} : true", {"production": {"own": False}}, True),
        ("has(papers.production.cost)", {}, False),
        ("has(papers.production.cost)", {"production": {"cost": 1}}, True),
        (f"has(papers.production.cost) && {COST}", {}, False),
        ("papers.filings.exists(f, f.scheme == 'a')", {}, ("papers.filings",)),
        ("papers.filings.exists(f, f.scheme == 'a')", {"filings": []}, False),
        ("papers.filings.exists(f, f.scheme == 'a')", {"filings": [{"number": "1"}]}, ("papers.filings[].scheme",)),
        (
            "papers.filings.exists(f, f.scheme == 'a')",
            {"filings": [{"number": "1"}, {"scheme": "a"}]},
            True,
        ),
        ("papers.production.rate > 1.0", {"production": {"rate": 2}}, True),
        ("papers.ratings['sg'] == 'PG'", {"ratings": {"sg": "PG"}}, True),
        ("papers.gate == 'publish'", {"gate": "publish"}, True),
    ],
)
def test_unknown_is_neither_true_nor_false(source: str, papers: dict[str, Any], answer: Any) -> None:
    said = holds(source, papers)
    assert (said.facts if isinstance(said, Unknown) else said) == answer


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("papers.production.cots > 3", (1, 18)),
        ("papers.production.cost > 3.0", (1, 24)),
        ("papers.gate == 'publsh'", (1, 16)),
        ("papers.gate in ['publish', 'prescren']", (1, 28)),
        ("papers.production.cost", (1, 1)),
        ("true &&\n  papers.production.cots > 3", (2, 20)),
        ("true &&\n  matched.exists(f, f.text.matches('(a'))", (2, 36)),
        ("matched.exists(f, f.text.matches(f.text))", (1, 35)),
        ("(" * 300 + "true" + ")" * 300, None),
        ("true || " * MAX_SOURCE + "true", (1, 1)),
        ("papers.production.cost > 3 &&", (1, 30)),
        ("now > 3", (1, 1)),
        ("matched.exists(f, matched.exists(g, g.start_us < f.start_us))", (1, 19)),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(source: str, where: tuple[int, int] | None) -> None:
    with pytest.raises(CelError) as caught:
        LANGUAGE.compile(source)
    if where is not None:
        assert (caught.value.line, caught.value.col) == where, caught.value.message


@pytest.mark.parametrize(
    ("source", "sign"),
    [
        ("matched.exists(f, f.score > 0.5)", Sign.UP),
        ("!matched.exists(f, f.score > 0.5)", Sign.DOWN),
        ("!!matched.exists(f, f.score > 0.5)", Sign.UP),
        ("matched.all(f, f.score > 0.5)", Sign.DOWN),
        ("!matched.all(f, f.score > 0.5)", Sign.UP),
        ("matched.exists_one(f, f.score > 0.5)", Sign.EITHER),
        ("size(matched) > 2", Sign.UP),
        ("2 < size(matched)", Sign.UP),
        ("size(matched) != 0", Sign.UP),
        ("size(matched) == 0", Sign.DOWN),
        ("size(matched) == 2", Sign.EITHER),
        ("2 > matched.size()", Sign.DOWN),
        ("matched.filter(f, f.score > 0.5).size() >= 2", Sign.UP),
        ("matched.filter(f, f.score > 0.5).all(f, f.start_us > 1)", Sign.DOWN),
        ("matched.map(f, f.score).size() > 0", Sign.EITHER),
        ("matched[0].score > 0.5", Sign.EITHER),
        ("matched.exists(f, f.score > 0.5) && !matched.exists(f, f.score > 0.9)", Sign.EITHER),
        ("matched.exists(f, size(matched) < 3)", Sign.EITHER),
        ("matched.exists(f, f.score > 0.5) == true", Sign.EITHER),
        ("matched.exists(f, true) ? true : false", Sign.EITHER),
        ("papers.production.own", Sign.STILL),
    ],
)
def test_which_way_one_more_finding_moves_a_condition(source: str, sign: Sign) -> None:
    assert LANGUAGE.compile(source).signs.get("matched", Sign.STILL) == sign


SOURCES = st.sampled_from(
    [
        "matched.exists(f, f.score > 0.5)",
        "!matched.all(f, f.score > 0.5 || f.start_us > 2)",
        "size(matched) >= 2 && matched.exists(f, f.start_us > 1)",
        "matched.filter(f, f.score > 0.5).size() > 1",
        "matched.exists(f, f.measured.height > 0.5)",
        "!(size(matched) < 3) || matched.exists(f, f.score > 0.9)",
    ]
)
FOUND = st.builds(
    lambda score, start, height: {"score": score, "start_us": start, "measured": height},
    st.floats(0, 1),
    st.integers(0, 4),
    st.sampled_from([{}, {"height": 0.2}, {"height": 0.8}]),
)


@settings(max_examples=200, deadline=None)
@given(SOURCES, st.lists(FOUND, max_size=4), FOUND)
def test_a_sign_of_up_is_kept(source: str, found: list[dict[str, Any]], more: dict[str, Any]) -> None:
    """False < unknown < true: what is said to go up never goes down."""
    assert LANGUAGE.compile(source).signs["matched"] == Sign.UP

    def rank(said: Any) -> int:
        return 1 if isinstance(said, Unknown) else 2 * said

    assert rank(holds(source, matched=[*found, more])) >= rank(holds(source, matched=found))


def test_a_runaway_condition_ends_as_unknown() -> None:
    filings = [{"scheme": "a"}] * 200
    found = [{"score": 0.1, "start_us": n} for n in range(200)]
    said = holds("matched.exists(f, papers.filings.exists(x, x.scheme == f.text))", {"filings": filings}, found)
    assert isinstance(said, Unknown)
    assert "budget" in said.why
    assert said.facts == ()
