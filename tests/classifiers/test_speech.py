"""Nobody listened is a fact, with what stands in and what would help."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.classifier import Context
from classifiers.detectors import speech
from classifiers.weights import WeightsMissing, WeightStore
from provenance.registry import Registry
from tests.classifiers.drawn_films import film_of


def test_without_whisper_there_is_a_gap_that_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as missing:
        speech.classifier.open(film_of(tmp_path, 1, (64, 64)), Context(Registry(), WeightStore(tmp_path)))
    assert "nobody listened" in missing.value.reason
    assert "subtitles and script" in missing.value.reason
    assert missing.value.remedy.startswith("dramagate models pull speech-whisper")
