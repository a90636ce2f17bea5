"""Which exit code an error ends the command with. Source: design.md section 3."""

from __future__ import annotations

import errno
import json
import sys
from typing import Any

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
        case OSError() if error.errno in _FULL:
            return UNAVAILABLE
        case OSError() if error.errno in _FORBIDDEN:
            return USAGE
        case _:
            return None


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What the system refuses any program. Every other OSError is one we should have foreseen, and loud."""


def sentence_of(error: BaseException) -> str:
    """What the person reads: what is wrong, where, and what to do."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        todo = (
            "free some disk space" if error.errno in _FULL else "write where this user may, or change the permissions"
        )
        return f"{where}{error.strerror}; {todo}"
    return str(error)


def complain(sentence: str) -> None:
    """Say on standard error what went wrong. A rulebook may be wrong in several places, one line each."""
    from dramagate.commands.shown import plain

    sys.stderr.write("dramagate: " + "\n".join(plain(part) for part in sentence.split("\n")) + "\n")


def write_json(document: dict[str, Any]) -> None:
    """One document as one line of UTF-8 on standard output, at once, whatever the locale."""
    sys.stdout.flush()
    # A name may hold bytes that are no text: they are written as the escapes JSON has for them.
    text = json.dumps(document, ensure_ascii=False)
    try:
        line = text.encode()
    except UnicodeEncodeError:
        line = json.dumps(document).encode()
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def strictest(codes: list[int]) -> int:
    """The exit code for several inputs: 3 when any is unusable, else that of the strictest outcome."""
    order = [0, 10, 11, 12, UNAVAILABLE, USAGE, UNUSABLE]
    return max(codes, key=order.index, default=0)
