"""Which error is whose to mend, and the exit code that says so."""

from __future__ import annotations

import sys

OUTCOME_CODES = {"approve": 0, "segment": 10, "hold": 11, "reject": 12}
USAGE, UNUSABLE, UNAVAILABLE = 2, 3, 4


class UsageError(Exception):
    """The command was called wrongly, or this machine is set up wrongly. Exit code 2."""


class InputError(Exception):
    """A file handed in cannot be used or is not there. Exit code 3."""


class UnavailableError(Exception):
    """Something needed is not there at the moment: weights, a database, a port. Exit code 4."""


def exit_code_of(error: Exception) -> int | None:
    """The exit code for `error`; None where it is nobody's but ours (a bug, and loud)."""
    by_name = {
        "UsageError": USAGE,
        "RulebookError": USAGE,
        "RegistryError": USAGE,
        "KeysError": USAGE,
        "ConfigError": USAGE,
        "SettingsError": USAGE,
        "InputError": UNUSABLE,
        "SubmissionError": UNUSABLE,
        "PapersError": UNUSABLE,
        "Unusable": UNUSABLE,
        "SignError": UNUSABLE,
        "RenderError": UNUSABLE,
        "ScriptError": UNUSABLE,
        "UnavailableError": UNAVAILABLE,
        "Unavailable": UNAVAILABLE,
        "WeightsMissing": UNAVAILABLE,
        "FontMissing": UNAVAILABLE,
        "NpmMissing": UNAVAILABLE,
    }
    return next((by_name[k.__name__] for k in type(error).__mro__ if k.__name__ in by_name), None)


def complain(sentence: str) -> None:
    """Say on standard error what went wrong."""
    sys.stderr.write(f"dramagate: {sentence}\n")


def strictest(codes: list[int]) -> int:
    """The exit code for several inputs: 3 when any is unusable, else that of the strictest outcome."""
    order = [0, 10, 11, 12, UNAVAILABLE, UNUSABLE]
    return max(codes, key=order.index, default=0)
