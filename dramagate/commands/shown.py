"""How results are shown to a person: on a terminal fitted to its width, in a pipe one line per line."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

UNWRAPPED = 10_000
"""Columns of a pipe or a file: nobody wants sentences, paths or commands broken there."""


def console() -> Console:
    """Standard output, without markup or highlighting: what is shown was written by others."""
    on = Console(markup=False, highlight=False)
    return on if on.is_terminal else Console(markup=False, highlight=False, width=UNWRAPPED)


def table(*columns: str, title: str | None = None) -> Table:
    """A table whose cells are folded where the terminal is narrow, never cut short: commands are there to be copied."""
    made = Table(title=None if title is None else plain(title), title_justify="left")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def line(words: str, style: str = "") -> Text:
    """`words` as one line to print."""
    return Text(plain(words), style=style)


def plain(words: str) -> str:
    """`words` with every character escaped that could move a cursor, ring a bell or turn text around."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
