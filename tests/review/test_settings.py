from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from provenance.failure import ConfigError
from review.settings import Settings, as_environment, load

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    assert load({"DRAMAGATE_HOME": str(tmp_path)}) == Settings(tmp_path)


def test_a_worker_is_told_exactly_the_settings_its_parent_has(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path, "postgresql://u:p@h/d", "redis://h", tmp_path, "cuda", None, 3, 10, 2048, 5, 2.5, 60.0, 2
    )
    assert load(as_environment(settings)) == settings


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WORKERS", "0", "DRAMAGATE_WORKERS: '0' is not a whole number from 1 to 256"),
        ("WORKERS", "two", "DRAMAGATE_WORKERS: 'two' is not a whole number from 1 to 256"),
        ("LEASE_S", "nan", "DRAMAGATE_LEASE_S: 'nan' is not a number of seconds, at least 0.5"),
        ("DEVICE", "tpu", "DRAMAGATE_DEVICE: 'tpu' is not one of cpu, cuda"),
        ("REGISTRY", "/no/such", "DRAMAGATE_REGISTRY: '/no/such' is not a folder; name one that exists"),
        (
            "DATABASE_URL",
            "mysql://root:secret@h",
            "DRAMAGATE_DATABASE_URL: the value is not a PostgreSQL address; "
            "it looks like postgresql://user:password@host:5432/database",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_shows_a_password(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load({f"DRAMAGATE_{name}": value})
    assert str(refused.value) == said


def test_a_password_is_not_in_what_settings_show_of_themselves(tmp_path: Path) -> None:
    assert "secret" not in repr(Settings(tmp_path, "postgresql://u:secret@h/d"))


def test_the_example_shows_every_setting_with_its_default() -> None:
    shown = dict(re.findall(r"^#DRAMAGATE_([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    default = {f"DRAMAGATE_{k}": v for k, v in shown.items() if v and k not in ("HOME", "DATABASE_URL")}
    assert load({**default, "DRAMAGATE_HOME": "/x"}) == Settings(Path("/x"))
    assert {name.lower() for name in shown} == {f.name for f in fields(Settings)}
