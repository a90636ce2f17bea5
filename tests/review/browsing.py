"""A real browser for tests: Debian's or Google's Chromium, driven through Playwright, reaching nothing but loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path(__file__).parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as installed on this machine; skipped by name where there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    if subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("Playwright's own Node does not start: apt-get install libatomic1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


@contextmanager
def watched(page: Page, *homes: str, expected: tuple[str, ...] = ()) -> Iterator[Page]:
    """`page`; afterwards fails if it complained, broke its content security policy, or asked anyone but `homes`."""
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((*homes, "data:")) else complaints.append(f"asked {r.url}"))
    yield page
    assert [c for c in complaints if not any(e in c for e in expected)] == []


def until(page: Page, true: str, given: object = None, patience_s: float = 10) -> None:
    """Wait for a JavaScript expression (or a function of `given`) to hold; Playwright's own way needs unsafe-eval."""
    deadline = time.monotonic() + patience_s
    while not page.evaluate(true, given):
        assert time.monotonic() < deadline, f"after {patience_s} s still not: {true} ({given})"
        page.wait_for_timeout(20)


def violations(page: Page) -> list[str]:
    """What axe-core finds seriously or critically wrong with the page as it is shown: rule and element."""
    assert AXE.is_file(), "axe-core is missing: run ./setup --test"
    page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert found["passes"], "axe-core looked at nothing"
    return [
        f"{v['id']}: {node['html']}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]
