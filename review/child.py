"""The child side of the sandbox: gives its freedom away, calls one function, answers with one JSON document."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from provenance.failure import ConfigError, Refused, Unavailable
from review.start_as import die_with_parent

ALLOWED = ("review.examine", "review.evidence")
"""Only functions of these modules can be called: arguments come from us, but a typo should be loud."""
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000


def serve(function: str) -> int:
    """Serve one call: arguments from standard input, the answer to standard output. Returns the exit status."""
    answer_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not the answer
    request = json.load(sys.stdin)
    isolate(request["limits"])
    module, _, name = function.partition(":")
    if module not in ALLOWED:
        raise ValueError(f"{module} may not be called in a sandbox")
    os.chdir(Path("/"))
    try:
        answer: dict[str, Any] = {"answer": getattr(import_module(module), name)(**request["arguments"])}
    except (Refused, ConfigError, Unavailable) as error:
        family = next(k.__name__ for k in (Refused, ConfigError, Unavailable) if isinstance(error, k))
        answer = {"error": family, "message": str(error)}
    except MemoryError:
        traceback.print_exc()
        return 1
    answer_to.write(json.dumps(answer).encode())
    answer_to.close()
    return 0


def isolate(limits: Mapping[str, float]) -> None:
    """Take this process's network and excess away.

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
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        sys.addaudithook(_no_sockets)


def _no_sockets(event: str, _: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise PermissionError("a process that reads submitted files has no network")


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]), signal.SIGKILL)
    sys.exit(serve(sys.argv[1]))
