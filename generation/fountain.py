"""Fountain screenplays: plain text to elements, each with the line it stands on.

Source: the Fountain syntax (fountain.io/syntax, 1.1). Emphasis marks are left in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from provenance.failure import Refused


class ScriptError(Refused):
    """A script cannot be used. One sentence: which file and line, what is wrong, what would be right."""


class Kind(StrEnum):
    """What one element of a screenplay is."""

    HEADING = "heading"
    ACTION = "action"
    CHARACTER = "character"
    PARENTHETICAL = "parenthetical"
    DIALOGUE = "dialogue"
    LYRICS = "lyrics"
    TRANSITION = "transition"
    CENTERED = "centered"
    SECTION = "section"
    SYNOPSIS = "synopsis"
    NOTE = "note"
    BONEYARD = "boneyard"
    PAGE_BREAK = "page_break"


@dataclass(frozen=True, slots=True)
class Note:
    """A note that stands inside an element's text."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Element:
    """One element, without the marks that make it what it is."""

    kind: Kind
    text: str
    line: int
    """Line of the file it begins on, counted from 1."""
    notes: tuple[Note, ...] = ()
    """Notes taken out of the text, in order."""
    dual: bool = False
    """Whether a character cue speaks at the same time as its neighbour."""
    depth: int = 0
    """Level of a section, 1 for the outermost; 0 for anything else."""
    scene_number: str | None = None
    """What stands between # and # at the end of a heading."""


@dataclass(frozen=True, slots=True)
class Screenplay:
    """A whole document: its title page and its elements in order."""

    title_page: dict[str, str] = field(default_factory=dict)
    """Keys in lower case; several lines of one key joined by a line break."""
    elements: tuple[Element, ...] = ()

    def of(self, *kinds: Kind) -> tuple[Element, ...]:
        """The elements of these kinds, in order."""
        return tuple(e for e in self.elements if e.kind in kinds)


def parse(text: str, name: str = "script") -> Screenplay:
    """The screenplay written in `text`; `name` is what errors call the file.

    Raises ScriptError for a note or boneyard that is never closed, and for control and bidirectional
    override characters, which could hide what a reader does not see.
    """
    text = _plain(text, name)
    title_page, rest, first_line = _split_title_page(text)
    marked, asides = _take_out_asides(rest, first_line, name)
    return Screenplay(title_page, tuple(_pair_duals(list(_elements(_numbered(marked, asides, first_line), asides)))))


HEADING = re.compile(r"(?:INT\.?/EXT|EXT\.?/INT|I\.?/E|INT|EXT|EST)(?:\.|\s|$)", re.IGNORECASE)
SCENE_NUMBER = re.compile(r"\s*#([\w.\-]+)#\s*$")
TRANSITION = re.compile(r"[^a-z]*TO:|FADE IN[:.]?|FADE OUT[.:]?|(?:FADE|CUT) TO BLACK[.:]?")
_ASIDE = re.compile(r"/\*|\[\[")
_PLACEHOLDER = 0xF0000
"""First of the private-use characters that stand for notes and boneyards while lines are told apart."""


@dataclass(frozen=True, slots=True)
class _Aside:
    kind: Kind
    text: str
    line: int
    extra_lines: int


@dataclass(frozen=True, slots=True)
class _Line:
    raw: str
    number: int

    @property
    def text(self) -> str:
        return self.raw.strip()

    @property
    def empty(self) -> bool:
        return not self.raw.strip()


def _plain(text: str, name: str) -> str:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), 1):
        for char in line:
            code = ord(char)
            hidden = (code < 0x20 and char != "\t") or code == 0x7F or 0x80 <= code < 0xA0
            if hidden or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or code >= _PLACEHOLDER:
                raise ScriptError(f"{name}, line {number}: holds the invisible character U+{code:04X}; remove it")
    return text


def _split_title_page(text: str) -> tuple[dict[str, str], str, int]:
    """Title page, the text after it, and the number of that text's first line."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    page: dict[str, list[str]] = {}
    key, at = "", start
    for at in range(start, len(lines) + 1):
        line = lines[at] if at < len(lines) else ""
        if not line.strip():
            break
        named = re.match(r"([^\s:#=>.@!~\[(][^:]*):(.*)$", line)
        if named:
            key = " ".join(named[1].lower().split())
            page.setdefault(key, [])
            if named[2].strip():
                page[key].append(named[2].strip())
        elif page and line[0] in " \t":
            page[key].append(line.strip())
        else:
            return {}, text, 1
    if not page or not all(page.values()):  # "FADE IN:" alone is a transition, not a key
        return {}, text, 1
    return {k: "\n".join(v) for k, v in page.items()}, "\n".join(lines[at:]), at + 1


def _take_out_asides(text: str, first_line: int, name: str) -> tuple[str, list[_Aside]]:
    """The text with each note and boneyard replaced by one private-use character."""
    out: list[str] = []
    asides: list[_Aside] = []
    at = 0
    while opened := _ASIDE.search(text, at):
        start = opened.start()
        line = first_line + text.count("\n", 0, start)
        note = opened[0] == "[["
        end = text.find("]]" if note else "*/", start + 2)
        inside = text[start + 2 : end]
        if end < 0 or (note and "\n\n" in inside):
            what, mark = ("note", "]]") if note else ("boneyard", "*/")
            raise ScriptError(f"{name}, line {line}: the {what} opened here is never closed; end it with {mark}")
        out += [text[at:start], chr(_PLACEHOLDER + len(asides))]
        kind = Kind.NOTE if note else Kind.BONEYARD
        asides.append(_Aside(kind, inside.strip(), line, inside.count("\n")))
        at = end + 2
    return "".join([*out, text[at:]]), asides


def _numbered(marked: str, asides: list[_Aside], first_line: int) -> list[_Line]:
    lines = []
    number = first_line
    for raw in marked.split("\n"):
        lines.append(_Line(raw, number))
        number += 1 + sum(asides[ord(c) - _PLACEHOLDER].extra_lines for c in raw if ord(c) >= _PLACEHOLDER)
    return lines


def _elements(lines: list[_Line], asides: list[_Aside]) -> Iterator[Element]:
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.empty:
            i += 1
            continue
        if all(ord(c) >= _PLACEHOLDER or c.isspace() for c in line.raw):
            for char in line.text.replace(" ", "").replace("\t", ""):
                aside = asides[ord(char) - _PLACEHOLDER]
                yield Element(aside.kind, aside.text, aside.line)
            i += 1
            continue
        element = _single(line, _blank(lines, i - 1), _blank(lines, i + 1))
        if element.kind is Kind.ACTION:
            end = i + 1
            while end < len(lines) and not lines[end].empty and not _starts_block(lines[end]):
                end += 1
            text = "\n".join(raw.raw.rstrip() for raw in lines[i:end])
            yield _clean(replace(element, text=text.removeprefix("!")), asides)
            i = end
        elif element.kind is Kind.CHARACTER:
            yield _clean(element, asides)
            end = i + 1
            while end < len(lines) and lines[end].raw != "" and not (lines[end].empty and len(lines[end].raw) < 2):
                end += 1
            for spoken in _dialogue(lines[i + 1 : end]):
                yield _clean(spoken, asides)
            i = end
        else:
            yield _clean(element, asides)
            i += 1


def _single(line: _Line, blank_before: bool, blank_after: bool) -> Element:
    """What the line is, given whether it stands alone."""
    text, number = line.text, line.number
    if re.fullmatch(r"={3,}", text):
        return Element(Kind.PAGE_BREAK, "", number)
    match text[0]:
        case "!":
            return Element(Kind.ACTION, text[1:], number)
        case "@":
            return _cue(text[1:], number)
        case "~":
            return Element(Kind.LYRICS, text[1:].strip(), number)
        case "#":
            depth = len(text) - len(text.lstrip("#"))
            return Element(Kind.SECTION, text[depth:].strip(), number, depth=depth)
        case "=":
            return Element(Kind.SYNOPSIS, text[1:].strip(), number)
        case ">" if text.endswith("<"):
            return Element(Kind.CENTERED, text[1:-1].strip(), number)
        case ">":
            return Element(Kind.TRANSITION, text[1:].strip(), number)
        case "." if len(text) > 1 and text[1] != ".":
            return _heading(text[1:], number)
    if blank_before and blank_after and HEADING.match(text):
        return _heading(text, number)
    if blank_before and blank_after and TRANSITION.fullmatch(text):
        return Element(Kind.TRANSITION, text, number)
    if blank_before and not blank_after and not HEADING.match(text) and _is_cue(text):
        return _cue(text, number)
    return Element(Kind.ACTION, line.raw, number)


def _heading(text: str, number: int) -> Element:
    scene = SCENE_NUMBER.search(text)
    return Element(Kind.HEADING, SCENE_NUMBER.sub("", text).strip(), number, scene_number=scene[1] if scene else None)


def _cue(text: str, number: int) -> Element:
    text = text.strip()
    return Element(Kind.CHARACTER, text.rstrip("^").strip(), number, dual=text.endswith("^"))


def _is_cue(text: str) -> bool:
    """Upper-case outside its brackets, with a letter somewhere: "R2D2" and "23 (O.S.)", but not "23".

    Source: the format's own DialogueTests take "23 (O.S.)" for a cue. Scripts without upper case
    (Chinese) mark their cues with @.
    """
    bare = re.sub(r"\([^)]*\)", "", text.rstrip("^"))
    return (
        bare == bare.upper() and bool(bare.strip()) and any((c.isascii() and c.isalpha()) or c.isupper() for c in text)
    )


def _starts_block(line: _Line) -> bool:
    """Whether a line ends an action that runs into it without a blank line."""
    text = line.text
    forced = text[0] in "@~" or (text[0] == ">") or bool(re.fullmatch(r"={3,}", text))
    return forced or (text[0] == "#") or (text[0] == "=") or (text[0] == "." and text[1:2] not in ("", "."))


def _blank(lines: list[_Line], i: int) -> bool:
    """Whether nothing is to be read on line `i`; boneyards and notes are not read."""
    if not 0 <= i < len(lines):
        return True
    return all(ord(c) >= _PLACEHOLDER or c.isspace() for c in lines[i].raw)


def _dialogue(lines: list[_Line]) -> Iterator[Element]:
    speech: list[_Line] = []
    for line in lines:
        if re.fullmatch(r"\(.*\)", line.text):
            if speech:
                yield _speech(speech)
                speech = []
            yield Element(Kind.PARENTHETICAL, line.text[1:-1].strip(), line.number)
        elif line.text.startswith("~"):
            if speech:
                yield _speech(speech)
                speech = []
            yield Element(Kind.LYRICS, line.text[1:].strip(), line.number)
        else:
            speech.append(line)
    if speech:
        yield _speech(speech)


def _speech(lines: list[_Line]) -> Element:
    return Element(Kind.DIALOGUE, "\n".join(line.text for line in lines), lines[0].number)


def _clean(element: Element, asides: list[_Aside]) -> Element:
    """The element without placeholders; its notes beside it, boneyards gone."""
    found = [asides[ord(c) - _PLACEHOLDER] for c in element.text if ord(c) >= _PLACEHOLDER]
    if not found:
        return element
    text = "".join(c for c in element.text if ord(c) < _PLACEHOLDER)
    lines = [line.rstrip() for line in text.split("\n")]
    notes = tuple(Note(a.text, a.line) for a in found if a.kind is Kind.NOTE)
    return replace(element, text="\n".join(line for line in lines if line), notes=notes)


def _pair_duals(elements: list[Element]) -> list[Element]:
    """Mark the cue before a dual one as dual too."""
    last: int | None = None
    for i, element in enumerate(elements):
        if element.kind is not Kind.CHARACTER:
            continue
        if element.dual and last is not None:
            elements[last] = replace(elements[last], dual=True)
        last = i
    return elements
