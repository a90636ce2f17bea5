"""The one tree of categories every finding and every rule speaks in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from policies.yaml_source import parse

SHIPPED = Path(__file__).with_name("taxonomy.yaml")


class Polarity(StrEnum):
    """Which way a category may move an outcome."""

    ADVERSE = "adverse"
    """More of it is never milder."""
    OBSERVATION = "observation"
    """A fact that can only help, or be neutral."""


@dataclass(frozen=True, slots=True)
class Category:
    """One node of the tree."""

    id: str
    polarity: Polarity
    zh: str
    en: str


@dataclass(frozen=True)
class Taxonomy:
    """All categories of one version, by whole id."""

    name: str
    version: int
    categories: Mapping[str, Category]

    @property
    def ref(self) -> str:
        """As rulebooks name it: "drama@1"."""
        return f"{self.name}@{self.version}"

    @cached_property
    def _covered(self) -> dict[str, frozenset[str]]:
        return {}

    def matching(self, pattern: str) -> frozenset[str]:
        """Ids of the categories `pattern` names; empty where it names none.

        A pattern is a whole id, `prefix.*` (one more word) or `prefix.**` (the prefix itself and everything under
        it). Whole words only: "sexual.explicit.**" never names "sexual.explicitly".
        """
        known = self._covered.get(pattern)
        if known is None:
            known = self._covered[pattern] = frozenset(c for c in self.categories if names(pattern, c))
        return known

    def polarity(self, category: str) -> Polarity | None:
        """Which way `category` may move an outcome; None where the tree does not hold it."""
        node = self.categories.get(category)
        return None if node is None else node.polarity

    def nearest(self, word: str) -> str | None:
        """The id or pattern an author most likely meant by `word`; None where nothing is near."""
        return nearest(word, [*self.categories, *{f"{c.split('.')[0]}.**" for c in self.categories}])


def names(pattern: str, category: str) -> bool:
    """Whether `pattern` (a whole id, `prefix.*` or `prefix.**`) names the whole id `category`."""
    if pattern.endswith(".**"):
        prefix = pattern[:-3]
        return category == prefix or category.startswith(prefix + ".")
    if pattern.endswith(".*"):
        head, _, last = category.rpartition(".")
        return head == pattern[:-2] and bool(last)
    return category == pattern


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The nearest spelling of `word` among `known`; None where nothing is near enough to be meant."""
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return near[0] if near else None


@cache
def taxonomy() -> Taxonomy:
    """The shipped tree."""
    return read(SHIPPED.read_bytes())


def read(data: bytes) -> Taxonomy:
    """The tree in `data`. Raises SourceError, KeyError or ValueError where it is not one (it ships with us)."""
    document: dict[str, Any] = parse(data).plain()
    categories: dict[str, Category] = {}
    for polarity in Polarity:
        for group, node in document[polarity].items():
            tree = {group: node} | {f"{group}.{child}": leaf for child, leaf in node.get("children", {}).items()}
            for name, words in tree.items():
                if name in categories:
                    raise ValueError(f"category {name} stands twice in the taxonomy")
                categories[name] = Category(name, polarity, words["zh"], words["en"])
    return Taxonomy(document["taxonomy"], document["version"], categories)
