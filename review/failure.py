"""Who must act when something is wrong with us rather than with what was submitted."""

from __future__ import annotations


class ConfigError(Exception):
    """The operator must act before we start. One sentence: what, where, what to do."""


class Unavailable(Exception):
    """Something we need does not answer. Nobody need act yet: it is tried again."""
