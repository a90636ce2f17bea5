"""Who must act when something is wrong. Every error that a person is meant to read is one of these.

The message is one sentence: what is wrong, where, and what to do.
"""

from __future__ import annotations


class Refused(Exception):
    """A file handed in cannot be used, or this cannot be done with it: the submitter must act."""


class ConfigError(Exception):
    """This machine, a policy file, a registry or a command line is wrong: the operator must act."""


class Unavailable(Exception):
    """Something needed is not there at the moment (weights, a font, a database): it may be tried again."""
