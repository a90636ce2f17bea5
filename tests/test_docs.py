"""What the pages promise: every command in them exists, docs/commands.md says of each what the program says itself."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer.main

from dramagate.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
COMMANDS = ROOT / "docs/commands.md"
PROGRAM: Any = typer.main.get_command(app)
CONTRACT = """
demo; check; compare; text; serve; work; generate; inspect; sign; label; render;
rules list; rules check; rules test; rules fmt; rules diff; rules backtest; rules explain;
registry add; registry import; registry list; registry revoke; registry export;
models list; models pull; models verify; receipt verify; audit verify; audit export; keys; doctor; bench
"""
"""Every command of the contract (design, section 3)."""
OPTIONS = {
    "demo": "--dir --no-serve",
    "check": "--papers --gate --territory --rulebook --registry --report --json",
    "compare": "--kind --pairs --json",
    "text": "--lang --json",
    "serve": "--host --port",
    "work": "--queue",
    "generate": "--out --backend --resume",
    "inspect": "--trust --json",
    "sign": "--out --parent --action",
    "label": "--out --text",
    "render": "--verdict --out",
    "bench": "--json",
}
"""Every option of the contract."""
SHELL = re.compile(r"(?:^|[|;&]\s*)(?:\$ )?(?:\.venv/bin/)?dramagate +(?P<rest>[a-z-][^|;&<>`]*)")
SUBCOMMAND = re.compile(r"[a-z]+")


def leaves(command: Any = PROGRAM, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its words."""
    for name, sub in getattr(command, "commands", {}).items():
        yield from leaves(sub, (*path, name)) if hasattr(sub, "commands") else [(" ".join((*path, name)), sub)]


LEAVES = dict(leaves())


def read(words: list[str]) -> None:
    """Have the program read a command line without running it. Raises typer's error where it could not."""
    command, path = PROGRAM, "dramagate"
    while hasattr(command, "commands"):
        assert words, f"{path} alone does nothing"
        name, *words = words
        assert name in command.commands, f"{path} has no command {name!r}"
        command, path = command.commands[name], f"{path} {name}"
    command.make_context(path, words)


def fenced(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page's code blocks, with their numbers; those ending in a backslash joined."""
    inside, joined = False, ""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif inside:
            joined += line.removesuffix("\\")
            if not line.endswith("\\"):
                yield number, joined
                joined = ""


def examples() -> list[Any]:
    """Every shell line of the pages that runs the program."""
    found = []
    for page in PAGES:
        for number, line in fenced(page):
            for match in SHELL.finditer(line.split(" #")[0]):
                found.append(pytest.param(match["rest"], id=f"{page.name}:{number}"))
    return found


@pytest.mark.parametrize("line", examples())
def test_an_example_is_a_command_the_program_reads(line: str) -> None:
    # [NAME|FILE]… stands for what may be left out.
    read(shlex.split(re.sub(r"\[[^\]]*\]…?", "", line)))


@pytest.mark.parametrize("line", ["chek a.mp4", "check a.mp4 --quick", "rules", "compare a.mp4 b.mp4", "sign a.mp4"])
def test_a_line_the_program_cannot_read_would_be_found(line: str) -> None:
    with pytest.raises((AssertionError, typer.BadParameter.__base__)):  # type: ignore[arg-type]
        read(shlex.split(line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_running_text_exist_with_their_options(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    not_yet = {name for name, _ in _not_yet()} if page == COMMANDS else set()
    for code in re.findall(r"`(?:\.venv/bin/)?dramagate ([^`]*)`", prose):
        words = code.split()
        names = [w for w in words[:2] if SUBCOMMAND.fullmatch(w)]
        known = [n for n in (" ".join(names), " ".join(names[:1])) if n in LEAVES]
        if " ".join(names) in not_yet or code.startswith("calibration card"):
            continue
        assert known or " ".join(names) in PROGRAM.commands, f"{page.name}: dramagate {code}"
        offered = {o for p in LEAVES[known[0]].params for o in p.opts} if known else set()
        unknown = [w for w in words if w.startswith("--") and w not in offered | {"--help"}]
        assert not unknown, f"{page.name}: dramagate {code}: {unknown}"


def test_the_contract_is_kept_or_said_to_be_kept_later() -> None:
    promised = {name.strip() for name in CONTRACT.replace("\n", " ").split(";")}
    here = set(LEAVES) | {name.split()[0] for name in LEAVES}
    later = dict(_not_yet())
    assert promised - here == set(later)
    assert all(issue.isdecimal() for issue in later.values())
    for name, options in OPTIONS.items():
        assert set(options.split()) <= {o for p in LEAVES[name].params for o in p.opts}, name


def _not_yet() -> list[tuple[str, str]]:
    """Commands of the contract that docs/commands.md says are still to come, and the issue each belongs to."""
    section = COMMANDS.read_text("utf-8").split("\n## Not yet\n", 1)[1].split("\n## ")[0]
    return re.findall(r"^\| `dramagate ([a-z ]+)` \| #(\d+) \|", section, re.MULTILINE)


@pytest.mark.parametrize("schema", sorted((ROOT / "docs/schema").glob("*.json")), ids=lambda path: path.name)
def test_a_published_schema_is_one(schema: Path) -> None:
    document = json.loads(schema.read_text("utf-8"))
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(document)


# ---------------------------------------------------------------- docs/commands.md

BLOCK = re.compile(r"<!-- (?P<name>[a-z ]+) -->\n(?P<facts>.*?)<!-- end -->", re.DOTALL)


def facts(name: str) -> str:
    """What the program itself says of one command, as the page shows it."""
    command = LEAVES[name]
    given = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join(["dramagate", name, *(_argument(p) for p in given), "[OPTIONS]"])
    rows = [f"| `{_cell(_option(p))}` | {_told(p)} |" for p in command.params if p.param_type_name == "option"]
    about = " ".join((command.help or "").split())
    arguments = [f"| `{_cell(_argument(p))}` | {_told(p)} |" for p in given]
    table = ["", "| | |", "| --- | --- |", *arguments, *rows] if arguments or rows else []
    return "\n".join(["", f"`{usage}`", "", about, *table, "", ""])


def _argument(of: Any) -> str:
    name = of.metavar or of.name.upper()
    return (name if of.required else f"[{name}]") + ("…" if of.nargs == -1 else "")


def _option(of: Any) -> str:
    value = "" if of.is_flag else f" {of.metavar or of.name.upper()}"
    return ", ".join(o for o in of.opts) + value


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _told(of: Any) -> str:
    notes = [_cell(of.help or "")]
    if of.required and of.param_type_name == "option":
        notes.append("Required.")
    elif of.default not in (None, False, (), []) and not callable(of.default):
        notes.append(f"Default: `{of.default}`.")
    if getattr(of, "multiple", False):
        notes.append("May be repeated.")
    return " ".join(note for note in notes if note)


def test_the_page_of_commands_says_what_help_says(request: pytest.FixtureRequest) -> None:
    page = COMMANDS.read_text("utf-8")
    if request.config.getoption("--write-golden"):
        page = BLOCK.sub(lambda block: f"<!-- {block['name']} -->\n{facts(block['name'])}<!-- end -->", page)
        COMMANDS.write_text(page, "utf-8")
    said = {block["name"]: block["facts"] for block in BLOCK.finditer(page)}
    assert sorted(said) == sorted(LEAVES), "one section for every command"
    for name in LEAVES:
        assert said[name] == facts(name), f"{name}: read the change, then --write-golden"


def test_every_command_and_option_is_explained() -> None:
    for name, command in LEAVES.items():
        assert command.help, name
        silent = [p.name for p in command.params if p.param_type_name == "option" and not p.help]
        assert not silent, f"{name}: {silent}"
