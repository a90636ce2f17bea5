"""The examples of docs/provenance.md run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from provenance.check import MIME
from provenance.report import Seal
from provenance.sign import Action

PAGE = (Path(__file__).parents[2] / "docs" / "provenance.md").read_text("utf-8")


def test_the_python_example_runs(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(samples / "a.png", tmp_path / "sheet.png")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/provenance.md", "exec"), {})
    assert (tmp_path / "sheet.released.png").exists()


def test_the_page_names_every_seal_and_knows_its_words() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)) == {seal.value for seal in Seal}
    for text in re.findall(r"--action (\S+)", PAGE):
        assert Action.parse(text).name == "c2pa.created"
    inside = re.search(r"^\| (png .*?) \|", PAGE, re.MULTILINE)
    assert inside
    named = {{"jpg": "jpeg"}.get(word, word) for word in re.split(r"[ ,]+", inside[1])}
    assert named <= set(MIME)
