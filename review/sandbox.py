"""Calling a function on hostile bytes in a child process with time, memory and file limits and no network.

The parent starts `python -m review.sandbox MODULE:FUNCTION`, writes the arguments as JSON to its
standard input and reads one JSON document from its standard output. Whatever the bytes do to the
parser (crash it, hang it, make it eat memory), the caller gets a `Stopped` and goes on.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ALLOWED = ("review.examine",)
"""Only functions of these modules can be called: arguments come from us, but a typo should be loud."""
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000


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


class Refused(Exception):
    """The function looked at the file and refused it. The message is the one sentence for the submitter."""


def call(
    function: str,
    arguments: Mapping[str, Any],
    limits: Limits,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """What `function` ("review.examine:screen_file") answers, as a JSON document.

    Raises Refused where the function raised `provenance.media.Unusable`, Stopped where it did not answer.
    """
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "review.sandbox", function],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    notes = _Notes(child.stderr, progress)
    too_late = threading.Event()

    def expire() -> None:
        too_late.set()
        _kill(child)

    clock = threading.Timer(limits.wall_s, expire)
    clock.start()
    try:
        request = json.dumps({"arguments": dict(arguments), "limits": _as_dict(limits)}).encode()
        out = _exchange(child, request)
    except BaseException:
        _kill(child)
        raise
    finally:
        clock.cancel()
        child.wait()
        notes.join()
    if child.returncode == 0 and out:
        answer = json.loads(out)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return dict(answer["answer"])
    raise Stopped(_why(child.returncode, too_late.is_set(), limits, notes.tail()))


def _as_dict(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name) for name in limits.__slots__}


def _exchange(child: subprocess.Popen[bytes], request: bytes) -> bytes:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child was started without pipes")
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(request)
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


def isolate(limits: Mapping[str, float]) -> str:
    """Take this process's network and excess away. Returns what keeps the network out: "namespace" or "hook".

    A namespace is the kernel's own wall. Where it is not to be had, Python's sockets are refused by an
    audit hook, and the one native library that could open its own (c2pa) is told not to.
    """
    memory = int(limits["memory_bytes"])
    for what, much in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(limits["cpu_s"])),
        (resource.RLIMIT_FSIZE, int(limits["file_bytes"])),
        (resource.RLIMIT_NOFILE, int(limits["open_files"])),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        ceiling = much if hard == resource.RLIM_INFINITY else min(much, hard)
        resource.setrlimit(what, (ceiling, ceiling))
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if ctypes.CDLL(None, use_errno=True).unshare(flags) == 0:
        return "namespace"
    sys.addaudithook(_no_sockets)
    return "hook"


def isolated_by() -> str:
    """What keeps the network from this child, as `isolate` found: "namespace" or "hook"."""
    return os.environ["DRAMAGATE_ISOLATED_BY"]


def _no_sockets(event: str, _: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise PermissionError("a process that reads submitted files has no network")


def report_progress(done: int, total: int) -> None:
    """Tell the parent how far the child has come."""
    sys.stderr.write(f"progress {done} {total}\n")
    sys.stderr.flush()


def _child(function: str) -> int:
    """Serve one call: arguments from standard input, the answer to standard output."""
    from provenance.media import Unusable

    answer_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not the answer
    request = json.load(sys.stdin)
    os.environ["DRAMAGATE_ISOLATED_BY"] = isolate(request["limits"])
    module, _, name = function.partition(":")
    if module not in ALLOWED:
        raise ValueError(f"{module} may not be called in a sandbox")
    os.chdir(Path("/"))
    try:
        answer: dict[str, Any] = {"answer": getattr(import_module(module), name)(**request["arguments"])}
    except Unusable as refused:
        answer = {"refused": str(refused)}
    except MemoryError:
        traceback.print_exc()
        return 1
    answer_to.write(json.dumps(answer).encode())
    answer_to.close()
    return 0


if __name__ == "__main__":
    sys.exit(_child(sys.argv[1]))
