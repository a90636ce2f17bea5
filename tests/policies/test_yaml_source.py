"""Positions in YAML are those an editor shows, also inside quoted and block text."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.yaml_source import SourceError, parse


@pytest.mark.parametrize(
    ("text", "at", "where"),
    [
        ("a: bcd\n", (1, 2), (1, 5)),
        ("a: 'bcd'\n", (1, 2), (1, 6)),
        ("a: 'b''cd'\n", (1, 3), (1, 8)),
        ('a: "b\\"cd"\n', (1, 3), (1, 8)),
        ("a: |\n  bcd\n  efg\n", (2, 2), (3, 4)),
        ("a: >\n  bcd\n  efg\n", (1, 6), (2, 3)),
        ("a: {b: 'cd'}\n", (1, 1), (1, 9)),
    ],
)
def test_positions_inside_text(text: str, at: tuple[int, int], where: tuple[int, int]) -> None:
    node = parse(text.encode()).value["a"]
    node = node.value["b"] if isinstance(node.value, dict) else node
    assert node.position_of(*at) == where


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("12:30", "12:30"),
        ("2025-09-01T00:00:00+08:00", "2025-09-01T00:00:00+08:00"),
        ("'12'", "12"),
        ("9" * 30, "9" * 30),
    ],
)
def test_plain_words_are_what_yaml_1_2_says(written: str, value: Any) -> None:
    assert parse(f"a: {written}\n".encode()).plain() == {"a": value}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc: #'\"\\{}[]-语", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_what_yaml_writes_is_read_back(value: Any) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    text = yaml.dump({"a": value}, Dumper=Plain, allow_unicode=True)
    assert parse(text.encode()).plain() == {"a": value}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!|>'\"# \n\t,?%@`", max_size=40).map(str.encode))
def test_anything_else_is_refused_with_a_place(data: bytes) -> None:
    try:
        parse(data)
    except SourceError as error:
        mistakes = error.mistakes
    else:
        return
    assert mistakes
    assert all(m.line >= 1 and m.col >= 1 and m.message for m in mistakes)
