"""Starts a program that dies with the process that asked for it, as another user where that is asked for.

Run as a script, so that the parent never executes Python code between fork and exec (which can deadlock a
parent with threads). Linux tells the child of its parent's death by signal; elsewhere the next start
finds what was left behind and stops it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1


def start(
    argv: Sequence[str],
    *,
    folder: Path,
    on_parent_death: signal.Signals,
    user: tuple[int, int] | None = None,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """`argv` running in `folder`, in a session of its own, its process id that of the returned child.

    `user` is (uid, gid) to become; only root may ask for it. The signal is sent when the *thread* that
    called this ends, so call it from one that lives as long as the program should.
    """
    uid, gid = user or (-1, -1)
    launcher = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(on_parent_death)), str(uid), str(gid)]
    return subprocess.Popen(
        [*launcher, *argv],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=None if env is None else dict(env),
        start_new_session=True,
    )


def die_with_parent(parent: int, by: int) -> None:
    """Have the kernel send this process signal `by` when the thread that started it ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, by, 0, 0, 0)
        if os.getppid() != parent:  # it went before we asked
            sys.exit(f"the process that started this one (pid {parent}) has already ended")


def _become(parent: int, by: int, uid: int, gid: int, argv: list[str]) -> None:
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    die_with_parent(parent, by)  # after setuid, which clears it
    os.execv(argv[0], argv)  # noqa: S606 - the arguments are ours and need no shell


if __name__ == "__main__":
    _parent, _by, _uid, _gid = (int(word) for word in sys.argv[1:5])
    _become(_parent, _by, _uid, _gid, sys.argv[5:])
