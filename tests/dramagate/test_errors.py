"""Every error a person may meet says who must act, or it is ours alone and somebody catches it."""

from __future__ import annotations

import errno
import importlib
import inspect
import pkgutil

import pytest

from dramagate.commands.errors import exit_code_of, sentence_of, strictest
from provenance.failure import ConfigError, Refused, Unavailable

PACKAGES = ("provenance", "classifiers", "policies", "generation", "review", "dramagate")
INTERNAL = {
    "provenance.bmff.Malformed": "check and edit turn it into a problem of the report or an Unusable",
    "provenance.bmff._TooMany": "bmff turns it into Malformed",
    "provenance.id3.Malformed": "aigc reads such a file as one without a label",
    "provenance.vorbis.Malformed": "aigc reads such a file as one without a label",
    "provenance.edit._Uncopyable": "edit encodes the film whole instead",
    "provenance.keys._Due": "keys renews the certificate",
    "classifiers.convert.nsfwjs.Refused": "weights turns it into PullFailed",
    "policies.yaml_source.SourceError": "rulebook turns it into RulebookError",
    "policies.cel.CelError": "rulebook turns it into RulebookError",
    "review.jobs.LeaseLost": "the worker drops the job, another has it",
    "review.jobs.Hopeless": "the worker fails the submission with its sentence",
    "review.api.problems.Problem": "the API answers with it",
    "review.sandbox.Stopped": "the caller says which file stopped the child",
    "review.store.Moved": "the API answers 409, the worker drops the job",
    "review.blobs.BlobError": "the API answers with a problem",
    "review.blobs.TooLarge": "the API answers with a problem",
    "review.blobs.WrongDigest": "the API answers with a problem",
}
"""Errors that do not reach the command line, and what becomes of them."""


def ours() -> dict[str, type[BaseException]]:
    """Every exception class defined in our packages, by its full name."""
    found: dict[str, type[BaseException]] = {}
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                members = vars(importlib.import_module(module.name)).values()
                found |= {f"{c.__module__}.{c.__qualname__}": c for c in members if _defined(c, module.name)}
    return found


def _defined(member: object, module: str) -> bool:
    return inspect.isclass(member) and issubclass(member, BaseException) and member.__module__ == module


def test_every_error_says_who_must_act_or_is_internal() -> None:
    family = {name for name, kind in ours().items() if issubclass(kind, (Refused, ConfigError, Unavailable))}
    assert set(ours()) - family == set(INTERNAL)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (Refused("x"), 3),
        (Unavailable("x"), 4),
        (OSError(errno.ENOSPC, "No space left on device", "out.mp4"), 4),
        (OSError(errno.EROFS, "Read-only file system", "out.mp4"), 2),
        (OSError(errno.ENOENT, "No such file or directory", "out.mp4"), None),
        (ValueError("x"), None),
        (AssertionError("x"), None),
    ],
)
def test_an_error_ends_the_program_with_its_code_or_loudly(error: Exception, code: int | None) -> None:
    assert exit_code_of(error) == code


def test_a_full_disk_is_said_with_the_place_and_the_remedy() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "out.mp4")
    assert sentence_of(full) == "out.mp4: No space left on device; free some disk space"


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0, 10], 10), ([12, 10, 11], 12), ([0, 4, 12], 4), ([12, 3, 4], 3), ([2, 11], 2), ([3, 2], 3)],
)
def test_the_code_for_several_is_the_strictest(codes: list[int], code: int) -> None:
    assert strictest(codes) == code
