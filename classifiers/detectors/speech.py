"""What is said aloud. Looks for a Whisper folder the user brought; without one, nobody listened: a Gap.

Subtitles and the script stand in where the work has them (`classifiers/detectors/text.py`), which is not the same:
what is said and never written is not heard.
"""

from __future__ import annotations

from classifiers.classifier import Cadence, Classifier, Context, Film, Look
from classifiers.weights import WeightsMissing
from provenance.asset import AssetKind

WEIGHTS = "speech-whisper"
STANDS_IN = "subtitles and script, where there are any, are screened by `text`"


class _Speech:
    name = "speech"
    version = "speech-0"
    emits = frozenset({"text.speech"})
    cadence = Cadence.NONE
    looks_at = frozenset({AssetKind.EPISODE, AssetKind.TRAILER, AssetKind.SHOT, AssetKind.AUDIO})

    def open(self, film: Film, context: Context) -> Look:
        """Raises WeightsMissing: without Whisper weights, and with them as long as no listener is built in."""
        del film
        try:
            context.weights.folder(WEIGHTS)
        except WeightsMissing as missing:
            raise WeightsMissing(f"nobody listened: {missing.reason}; {STANDS_IN}", missing.remedy) from missing
        raise WeightsMissing(
            f"nobody listened: the weights {WEIGHTS!r} are there, but this version does not run them yet; {STANDS_IN}",
            "let a person listen",
        )


classifier: Classifier = _Speech()
