"""Which exit code an error ends the command with. Source: design.md section 3."""

from __future__ import annotations

import sys

from provenance.failure import ConfigError, Refused, Unavailable

OUTCOME_CODES = {"approve": 0, "segment": 10, "hold": 11, "reject": 12}
USAGE, UNUSABLE, UNAVAILABLE = 2, 3, 4


class UsageError(ConfigError):
    """The command was called wrongly."""


class InputError(Refused):
    """A file named on the command line cannot be used or is not there."""


def exit_code_of(error: BaseException) -> int | None:
    """The exit code for `error`; None where it is nobody's but ours (a bug, and loud)."""
    match error:
        case ConfigError():
            return USAGE
        case Refused():
            return UNUSABLE
        case Unavailable():
            return UNAVAILABLE
        case _:
            return None


def complain(sentence: str) -> None:
    """Say on standard error what went wrong."""
    sys.stderr.write(f"dramagate: {sentence}\n")


def strictest(codes: list[int]) -> int:
    """The exit code for several inputs: 3 when any is unusable, else that of the strictest outcome."""
    order = [0, 10, 11, 12, UNAVAILABLE, UNUSABLE]
    return max(codes, key=order.index, default=0)
