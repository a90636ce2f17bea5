"""One tree, whole ids, both languages."""

from __future__ import annotations

import pytest

from policies.taxonomy import Polarity, names, taxonomy


def test_the_shipped_tree() -> None:
    tree = taxonomy()
    assert tree.ref == "drama@1"
    assert len(tree.categories) == 180
    assert all(c.zh.strip() and c.en.strip() for c in tree.categories.values())
    assert {tree.polarity(c) for c in ("label", "person.face", "text.screen", "tool.signed")} == {Polarity.OBSERVATION}
    assert {tree.polarity(c) for c in ("seal.absent", "undeclared_ai", "calibration.card")} == {Polarity.ADVERSE}
    assert tree.polarity("weather.rain") is None


@pytest.mark.parametrize(
    ("pattern", "category", "named"),
    [
        ("sexual.explicit.**", "sexual.explicit.nudity", True),
        ("sexual.explicit.**", "sexual.explicit", True),
        ("sexual.explicit.**", "sexual.explicitly", False),
        ("sexual.**", "sexual.explicit.nudity", True),
        ("sexual.*", "sexual.partial", True),
        ("sexual.*", "sexual.explicit.nudity", False),
        ("sexual.*", "sexual", False),
        ("explicit.nudity", "sexual.explicit.nudity", False),
        ("sexual.partial", "sexual.partial", True),
    ],
)
def test_patterns_name_whole_ids(pattern: str, category: str, named: bool) -> None:
    assert names(pattern, category) is named


@pytest.mark.parametrize(("word", "meant"), [("likness.face", "likeness.face"), ("hatte.**", "hate.**"), ("zzz", None)])
def test_the_nearest_spelling(word: str, meant: str | None) -> None:
    assert taxonomy().nearest(word) == meant
