"""YAML that knows where it stands: every value with its line and column, and nothing YAML can hide behind.

Only the plain part of YAML is read: mappings, lists and scalars, typed as YAML 1.2's core schema does (so `off` and
`no` stay words). Anchors, aliases, tags, duplicate keys, several documents, deep nesting and large files are
refused: a rulebook is to be read aloud, and none of these can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1_000_000
"""A rulebook of a thousand rules is some 500 kB; more than twice that is not written by a person."""
MAX_DEPTH = 24
"""The contract's deepest value, a measured number of a finding of a case, stands at depth 9."""
MAX_NODES = 200_000


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a file. Lines and columns count from 1."""

    line: int
    col: int
    message: str


class SourceError(Exception):
    """The text is not YAML we read. `mistakes` holds at least one."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(f"{m.line}:{m.col}: {m.message}" for m in mistakes))
        self.mistakes = mistakes


@dataclass(slots=True)
class Node:
    """One value and where it stands."""

    value: Any
    """dict[str, Node] | list[Node] | str | int | float | bool | None"""
    line: int
    col: int
    style: str = ""
    """How a scalar was written: "" plain, ', ", | or >."""
    key_at: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where each key of a mapping stands."""
    lines: tuple[str, ...] = ()
    """The file's lines, for scalars only: to find a position inside the text."""

    @property
    def kind(self) -> str:
        """What the value is, in the words an author would use."""
        match self.value:
            case dict():
                return "a mapping"
            case list():
                return "a list"
            case bool():
                return "true or false"
            case int():
                return "a whole number"
            case float():
                return "a number"
            case None:
                return "nothing"
            case _:
                return "text"

    def plain(self) -> Any:
        """The value without positions, as JSON would hold it."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case list():
                return [node.plain() for node in self.value]
            case _:
                return self.value

    def position_of(self, line: int, col: int) -> tuple[int, int]:
        """Where line `line`, column `col` (both from 1) of this scalar's text stand in the file.

        Exact for text on one line and for literal blocks; for folded text the start of the value.
        """
        if self.style in "|>" and self.style:
            body = self.lines[self.line] if self.line < len(self.lines) else ""
            indent = len(body) - len(body.lstrip(" "))
            if self.style == "|":
                return self.line + line, indent + col
            return self.line + 1, indent + 1
        if line > 1:
            return self.line, self.col
        if not self.style:
            return self.line, self.col + col - 1
        raw = self.lines[self.line - 1][self.col :] if self.line <= len(self.lines) else ""
        at, seen = 0, 0
        while seen < col - 1 and at < len(raw):
            escaped = raw[at : at + 2]
            at += 2 if (escaped == "''" and self.style == "'") or (escaped[:1] == "\\" and self.style == '"') else 1
            seen += 1
        return self.line, self.col + 1 + at


def parse(data: bytes) -> Node:
    """The one document in `data`, positioned. Raises SourceError with every place that is wrong."""
    if len(data) > MAX_BYTES:
        raise SourceError([Mistake(1, 1, f"the file has {len(data)} bytes; a rulebook has at most {MAX_BYTES}")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        col = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise SourceError([Mistake(line, col, f"byte 0x{data[error.start]:02x} is not UTF-8; save as UTF-8")]) from None
    reader = _Reader(text)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SourceError([Mistake(line, col, f"not YAML: {error.problem or error.context}")]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, col = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
        raise SourceError([Mistake(line, col, f"character U+{error.character:04X} may not stand in YAML")]) from None
    except yaml.YAMLError as error:  # the C reader reports bad characters without a place
        raise SourceError([Mistake(1, 1, f"not YAML: {error}")]) from None


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader:
    """Turns the parser's events into nodes; collects what may not be there as it goes."""

    def __init__(self, text: str) -> None:
        self.lines = tuple(text.splitlines())
        self.events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self.mistakes: list[Mistake] = []
        self.nodes = 0

    def document(self) -> Node:
        next(self.events)  # the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise SourceError([Mistake(1, 1, "the file is empty; a rulebook starts with `rulebook: name`")])
        node = self.node(next(self.events), 1)
        next(self.events)  # the end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            self.wrong(event, "a second document; a rulebook is one document")
        if self.mistakes:
            raise SourceError(self.mistakes)
        return node

    def node(self, event: Any, depth: int) -> Node:
        line, col = event.start_mark.line + 1, event.start_mark.column + 1
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise SourceError([*self.mistakes, Mistake(line, col, f"nested deeper than {MAX_DEPTH} levels")])
        if self.nodes > MAX_NODES:
            raise SourceError([*self.mistakes, Mistake(line, col, f"more than {MAX_NODES} values")])
        if isinstance(event, yaml.AliasEvent):
            self.wrong(event, f"alias *{event.anchor}; write the value out, aliases are refused")
            return Node(None, line, col)
        if event.anchor is not None:
            self.wrong(event, f"anchor &{event.anchor}; write the value out where it is needed, anchors are refused")
        if event.tag is not None:
            self.wrong(event, f"tag {event.tag}; write the plain value, tags are refused")
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            value = event.value if style else _scalar(event.value)
            return Node(value, line, col, style, lines=self.lines)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                items.append(self.node(event, depth + 1))
            return Node(items, line, col)
        return self.mapping(line, col, depth)

    def mapping(self, line: int, col: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        key_at: dict[str, tuple[int, int]] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if isinstance(key.value, dict | list):
                self.mistakes.append(Mistake(key.line, key.col, f"{key.kind} as a key; keys are words"))
                continue
            name = event.value if isinstance(event, yaml.ScalarEvent) else "*"
            if name in values:
                first = "{}:{}".format(*key_at[name])
                self.mistakes.append(
                    Mistake(key.line, key.col, f"key {name!r} stands a second time (first at {first})")
                )
                continue
            values[name], key_at[name] = value, (key.line, key.col)
        return Node(values, line, col, key_at=key_at)

    def wrong(self, event: Any, message: str) -> None:
        self.mistakes.append(Mistake(event.start_mark.line + 1, event.start_mark.column + 1, message))


_INT = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]{1,18}\.[0-9]*|[0-9]{1,18}(?=[eE]))([eE][-+]?[0-9]{1,2})?\Z")


def _scalar(text: str) -> Any:
    """A plain scalar by YAML 1.2's core schema; infinities and octals stay words."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
