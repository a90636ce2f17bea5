"""The child that reads hostile bytes: no network, limits that hold, and a parent that always gets an answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from provenance.failure import Refused
from review import sandbox
from review.sandbox import Limits


def _ask(code: str, limits: str = "") -> subprocess.CompletedProcess[str]:
    """Run `code` in a process that has isolated itself as a sandbox child does."""
    prelude = (
        "import dataclasses, os, socket, sys; from review import child; from review.sandbox import Limits;"
        f"child.isolate(dataclasses.asdict(Limits({limits})));"
    )
    return subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False)


def test_a_child_cannot_reach_even_this_machine(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = _ask(f"socket.create_connection(('127.0.0.1', {port}), 2)")
        socket.create_connection(("127.0.0.1", port), 2).close()  # while this process can
    assert said.returncode != 0
    assert "Error" in said.stderr


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("bytearray(1 << 30)", "memory_bytes=700 << 20"),
        ("open(sys.argv[0] or '/dev/null'); [os.dup(1) for _ in range(300)]", "open_files=64"),
    ],
    ids=["memory", "open files"],
)
def test_a_child_cannot_take_more_than_its_share(code: str, limits: str) -> None:
    assert _ask(code, limits).returncode != 0
    assert _ask("bytearray(1 << 20)").returncode == 0


def test_a_child_cannot_write_more_than_its_share(tmp_path: Path) -> None:
    big = tmp_path / "big"
    said = _ask(f"open({str(big)!r}, 'wb').write(bytes(2 << 20))", "file_bytes=1 << 20")
    assert said.returncode != 0
    assert big.stat().st_size <= 1 << 20


def test_only_the_functions_meant_for_it_can_be_called() -> None:
    with pytest.raises(sandbox.Stopped, match="may not be called in a sandbox"):
        sandbox.call("os:getcwd", {}, Limits())


def test_a_file_that_is_not_what_it_claims_is_refused_with_its_own_name(tmp_path: Path) -> None:
    text = tmp_path / "0123abcd"
    text.write_text("This is no film.", "utf-8")
    with pytest.raises(Refused, match=r"^episode\.mp4"):
        sandbox.call("review.examine:take_in", _arguments(text, tmp_path), Limits())


def test_a_reader_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(sandbox.Stopped, match="still reading the file after 0 s and was stopped"):
        sandbox.call("review.examine:verify", _verify(tmp_path), Limits(wall_s=0.02))


def test_a_reader_that_dies_is_told_apart_from_one_that_answers(tmp_path: Path) -> None:
    def end_the_child() -> None:
        for _ in range(200):
            found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True)
            for pid in found.stdout.split():
                command = Path(f"/proc/{pid}/cmdline")
                if command.exists() and b"review.child" in command.read_bytes():
                    os.kill(int(pid), signal.SIGSEGV)
                    return
            time.sleep(0.02)

    killer = threading.Thread(target=end_the_child)
    killer.start()
    with pytest.raises(sandbox.Stopped, match="SIGSEGV"):
        sandbox.call("review.examine:verify", _verify(tmp_path), Limits(wall_s=20))
    killer.join()


def _verify(folder: Path) -> dict[str, object]:
    file = folder / "note.txt"
    file.write_text("any file", "utf-8")
    return {"path": str(file), "trust": {"lists": [], "ekus": []}, "sidecar": None}


def _arguments(path: Path, folder: Path) -> dict[str, str]:
    return {
        "path": str(path),
        "file_name": "episode.mp4",
        "kind": "episode",
        "normalised_to": str(folder / "normalised.mp4"),
    }
