"""Calling a function on hostile bytes in a child process with time, memory and file limits and no network.

The parent starts `python -m review.child MODULE:FUNCTION`, writes the arguments as JSON to its
standard input and reads one JSON document from its standard output. Whatever the bytes do to the
parser (crash it, hang it, make it eat memory), the caller gets a `Stopped` and goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from provenance.failure import ConfigError, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use up."""

    wall_s: float = 600.0
    cpu_s: int = 1800
    memory_bytes: int = 12 << 30
    """Address space. Generous, because runtimes reserve far more than they touch."""
    file_bytes: int = 16 << 30
    """Size of any one file it writes."""
    open_files: int = 256


class Stopped(Exception):
    """The child did not answer: it ran out of time or memory, or it crashed. The message says which."""


def call(
    function: str,
    arguments: Mapping[str, Any],
    limits: Limits,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """What `function` ("review.examine:screen_file") answers, as a JSON document.

    Raises Refused, ConfigError or Unavailable with the function's own sentence where it raised one of them, and
    Stopped where it did not answer.
    """
    too_late = threading.Event()
    with _started(function) as child:
        notes = _Notes(child.stderr, progress)

        def expire() -> None:
            too_late.set()
            _kill(child)

        clock = threading.Timer(limits.wall_s, expire)
        clock.start()
        try:
            out = _exchange(child, {"arguments": dict(arguments), "limits": asdict(limits)})
        except BaseException:
            _kill(child)
            raise
        finally:
            clock.cancel()
            child.wait()
            notes.join()
    if child.returncode == 0 and out:
        answer = json.loads(out)
        if "error" in answer:
            raise _FAMILY[answer["error"]](answer["message"])
        return dict(answer["answer"])
    raise Stopped(_why(child.returncode, too_late.is_set(), limits, notes.tail()))


_FAMILY = {kind.__name__: kind for kind in (Refused, ConfigError, Unavailable)}


def _started(function: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "review.child", function, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def _exchange(child: subprocess.Popen[bytes], request: Mapping[str, Any]) -> bytes:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child was started without pipes")
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(json.dumps(request).encode())
        child.stdin.close()
    return child.stdout.read()


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _why(returncode: int, timed_out: bool, limits: Limits, tail: str) -> str:
    if timed_out:
        return f"it was still reading the file after {limits.wall_s:.0f} s and was stopped"
    if "MemoryError" in tail or "bad_alloc" in tail:
        return f"reading the file took more than {limits.memory_bytes >> 30} GiB of memory"
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return f"the reader was ended by {name} while reading the file"
    last = tail.strip().splitlines()[-1:] or [f"exit status {returncode}"]
    return f"the reader failed: {last[0]}"


class _Notes(threading.Thread):
    """Reads the child's standard error: progress lines, and the tail of anything else."""

    def __init__(self, stream: IO[bytes] | None, progress: Callable[[int, int], None] | None) -> None:
        super().__init__(daemon=True)
        self._stream, self._progress, self._lines = stream, progress, list[str]()
        self.start()

    def run(self) -> None:
        """Until the child closes its end."""
        for raw in self._stream or ():
            line = raw.decode("utf-8", "replace")
            if line.startswith("progress "):
                if self._progress is not None:
                    _, done, total = line.split()
                    self._progress(int(done), int(total))
            else:
                self._lines = [*self._lines[-40:], line]

    def tail(self) -> str:
        """The last lines that were not progress."""
        return "".join(self._lines)
