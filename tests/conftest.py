"""What every test may ask for, and the rule that nothing needed is skipped in silence.

`DRAMAGATE_EXPECT` names the groups (unit, database, browser, corpus, weights) that must run: a skip
inside one of them fails the run, and so does a group of which no test ran. `.ci/run` names them all.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from classifiers.weights import WeightStore

GROUPS = ("unit", "database", "browser", "corpus", "weights")
_ran: Counter[str] = Counter()
_skipped: list[tuple[str, str, str]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="accept today's output as expected")
    parser.addoption("--soak", action="store_true", help="also run the long tests (make soak)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        longer = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if item not in longer]
        config.hook.pytest_deselected(items=longer)


def _groups(item: pytest.Item) -> list[str]:
    return [g for g in GROUPS if item.get_closest_marker(g)] or ["unit"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    for group in _groups(item):
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            _skipped.append((group, item.nodeid, reason))
        elif report.when == "call":
            _ran[group] += 1
    return report


def _expected() -> list[str]:
    return [g for g in os.environ.get("DRAMAGATE_EXPECT", "").split(",") if g]


def _broken_promises() -> list[str]:
    wanted = _expected()
    unexpected = [f"{where} was skipped: {why}" for group, where, why in _skipped if group in wanted]
    return unexpected + [f"no test of the group {group!r} ran" for group in wanted if not _ran[group]]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("collectonly") or not _expected():
        return
    if _broken_promises() and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line("test groups: " + ", ".join(f"{g} {_ran[g]}" for g in GROUPS))
    for promise in _broken_promises():
        terminalreporter.write_line(f"needed, but {promise}", red=True)


class Golden(Protocol):
    def __call__(self, name: str, text: str) -> None: ...


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare text with tests/golden/<name>; a missing file fails rather than being created."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--write-golden"):
            path.write_text(text, "utf-8")
        assert path.exists(), f"no golden file {name}; read the output, then --write-golden"
        assert text == path.read_text("utf-8")

    return compare


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files with known answers."""
    named = os.environ.get("DRAMAGATE_CORPUS")
    if not named:
        pytest.skip("DRAMAGATE_CORPUS does not name the folder of real files")
    path = Path(named).resolve()
    assert path.is_dir(), f"DRAMAGATE_CORPUS names {path}, which is not a folder"
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty DRAMAGATE_HOME of this test's own."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(scope="session")
def weights() -> WeightStore:
    """The default weights, as `dramagate models pull --default` prepared them."""
    from classifiers.weights import WeightsMissing, WeightStore

    home = os.environ.get("DRAMAGATE_HOME") or Path.home() / ".local/share/dramagate"
    store = WeightStore(Path(home) / "weights")
    try:
        store.file("ocr-ppocr", "det.onnx")
    except WeightsMissing as missing:
        pytest.skip(f"{missing.reason}: run {missing.remedy}")
    return store
