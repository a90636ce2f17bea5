"""Hundreds of broken and forged files: each is refused in one sentence or judged; none crashes, hangs or slips through.

Every file is looked at twice: by the gate, and by a forgiving player (fuzz_child.py). Whatever the player shows
as it was not signed must not be trusted, and whatever it shows that must be stopped must be found.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from provenance.asset import Asset
from provenance.keys import Keys, development
from review import pipeline
from review.blobs import LocalBlobs
from review.desk import LocalDesk
from review.examine import trust_json
from review.sandbox import Limits
from review.submission import Submission, SubmissionError
from tests.soak.carded_files import SUFFIXES, Signed, make
from tests.soak.conftest import Record, asked
from tests.soak.mutations import mutated

pytestmark = pytest.mark.soak

Json = dict[str, Any]
FILES = asked("FILES", 300)
SEED = asked("SEED", 20261120)
WHOLE_EVERY = asked("WHOLE_EVERY", 25)
"""One file in so many goes through the whole pipeline, sealing and all."""
ANSWER_S = 120.0
"""Wall-clock seconds for one file of under 100 kB; they take tenths of one on a free core."""
CPU_S = 20.0
MEMORY_KIB = 2 << 20
"""What the process may ever hold; it starts at some 200 MB."""
BATCH_LIMITS = Limits(cpu_s=3600, memory_bytes=6 << 30, file_bytes=1 << 30)


@dataclass(frozen=True)
class Case:
    """One file, what it was made from and how."""

    name: str
    source: Signed
    path: Path
    sidecar: Path | None

    def job(self, folder: Path) -> Json:
        """What the child is asked."""
        return {
            "path": str(self.path),
            "file_name": self.path.name,
            "kind": self.source.kind.value,
            "sidecar": None if self.sidecar is None else str(self.sidecar),
            "folder": str(folder),
        }


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return development(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> list[Signed]:
    return make(tmp_path_factory.mktemp("signed"), keys)


def test_no_mutation_crashes_hangs_or_slips_through(
    tmp_path: Path, originals: list[Signed], keys: Keys, record: Record
) -> None:
    """(The files that failed stay in the test's folder, under the names that the message gives.)"""
    untouched = observed([as_signed(one, tmp_path) for one in originals], keys, tmp_path)
    for case, said in untouched:
        assert (said["seal"], said["refused"], said["bugs"]) == ("trusted", [], []), case.name
        assert said["found"] == stops_on(said["found"], case.source), case.name
    as_shown = {case.source.suffix: said["player"]["digest"] for case, said in untouched}

    told = [(n, *mutation(originals[n % len(originals)], SEED + n, tmp_path)) for n in range(FILES)]
    seen = observed([case for _, _, case in told], keys, tmp_path)
    faults = {case.name: found for case, said in seen if (found := faults_of(said, case, as_shown))}
    refused = [said for _, said in seen if said["refused"]]
    record(
        files=FILES,
        seed=SEED,
        ways=Counter(way for _, way, _ in told),
        refused=len(refused),
        seals=Counter(str(said["seal"]) for _, said in seen),
        child_died={case.name: said["died"][-600:] for case, said in seen if said.get("died")},
        card_or_lure_shown=sum(shows_what_must_be_stopped(said["player"]) for _, said in seen if said["player"]),
        found=sum(bool(said["found"]) for _, said in seen),
        most_cpu_s=max(said.get("cpu_s", 0) for _, said in seen),
        most_held_kib=max(said.get("most_held_kib", 0) for _, said in seen),
        faults=faults,
    )
    assert not faults, json.dumps(faults, indent=1, ensure_ascii=False)
    if len(seen) >= 100:  # neither all harmless nor all fatal: else nothing was tried
        assert len(seen) // 10 < len(refused) < len(seen) * 9 // 10


def test_broken_files_go_through_the_whole_gate_without_being_approved(
    tmp_path: Path, originals: list[Signed], keys: Keys, record: Record
) -> None:
    keys_home = tmp_path / "home"
    keys_home.mkdir(mode=0o700)
    own = development(keys_home)
    desk = LocalDesk(
        blobs=LocalBlobs(tmp_path / "blobs"),
        home=keys_home,
        trust=own.trust(),
        weights_root=_weights(),
        work_root=tmp_path / "work",
        limits=Limits(wall_s=300),
    )
    outcomes: Counter[str] = Counter()
    faults: dict[str, list[str]] = {}
    cases = [mutation(originals[n % len(originals)], SEED + n, tmp_path)[1] for n in _sampled()]
    for case, said in observed(cases, keys, tmp_path):
        outcome, found = judged(case, desk, said["player"] or {})
        outcomes[outcome] += 1
        if found:
            faults[case.name] = found
    record(files=len(cases), outcomes=outcomes, faults=faults)
    assert not faults, json.dumps(faults, indent=1, ensure_ascii=False)
    assert sum(outcomes.values()) == len(cases)
    assert list((tmp_path / "work").iterdir()) == [], "half-made files were left behind"


@pytest.mark.parametrize(
    ("fault", "noticed_as"),
    [
        ("believe_every_seal", "trusted, though what is shown is not what was signed"),
        ("see_nothing", "shown by a player, and not found"),
        ("stumble", "a mistake of ours"),
    ],
)
def test_a_gate_that_is_broken_would_be_noticed(
    tmp_path: Path, originals: list[Signed], keys: Keys, fault: str, noticed_as: str
) -> None:
    films = [one for one in originals if one.suffix in ("mp4", "png", "jpg")]
    cases = [as_signed(one, tmp_path) for one in films]
    cases += [mutation(films[n % len(films)], SEED + n, tmp_path)[1] for n in range(12)]
    honest = observed(cases[: len(films)], keys, tmp_path)
    as_shown = {case.source.suffix: said["player"]["digest"] for case, said in honest}
    broken = observed(cases, keys, tmp_path, fault)
    assert any(noticed_as in told for case, said in broken for told in faults_of(said, case, as_shown))


# ---------------------------------------------------------------- what is asked


def as_signed(source: Signed, folder: Path) -> Case:
    """A copy of the file as it was signed."""
    return _written(f"whole-{source.suffix}", source, source.path.read_bytes(), None, folder)


def mutation(source: Signed, seed: int, folder: Path) -> tuple[str, Case]:
    """The way, and the file; every fifth time the manifest beside it is changed instead, where there is one."""
    if source.sidecar is not None and seed % 5 == 0:
        way, manifest = mutated(source.sidecar.read_bytes(), "mp4", seed)
        whole = source.path.read_bytes()
        return f"sidecar_{way}", _written(f"{seed}-sidecar_{way}", source, whole, manifest, folder)
    way, changed = mutated(source.path.read_bytes(), source.suffix, seed)
    return way, _written(f"{seed}-{way}", source, changed, None, folder)


def _written(name: str, source: Signed, data: bytes, manifest: bytes | None, folder: Path) -> Case:
    path = folder / f"{name}.{source.suffix}"
    path.write_bytes(data)
    beside = None
    if source.sidecar is not None:
        beside = path.with_name(path.name + ".c2pa")
        beside.write_bytes(source.sidecar.read_bytes() if manifest is None else manifest)
    return Case(path.name, source, path, beside)


def _sampled() -> Iterator[int]:
    """A few of the same files, of every kind in turn."""
    for k in range(max(1, FILES // WHOLE_EVERY)):
        yield k * (len(SUFFIXES) + 1)


def judged(case: Case, desk: LocalDesk, player: Json) -> tuple[str, list[str]]:
    """What the whole pipeline makes of one file, and what is wrong with that."""
    try:
        decision = pipeline.review(_submission(case), desk, pipeline.remembering()).to_json()
    except SubmissionError as refused:
        why = unclear(str(refused), case)
        return "refused", [] if why is None else [f"an unclear refusal: {why}"]
    faults = []
    if decision["outcome"] not in ("hold", "reject") and shows_what_must_be_stopped(player):
        faults.append(f"{decision['outcome']}, though a player shows what must be stopped")
    if str(case.path.parent) in json.dumps(decision):
        faults.append("a path of this machine is told")
    blobs = [decision["sha256"], str(decision.get("released_sha256"))]
    for gap in decision["screening"]["gaps"]:
        if any(blob in gap["reason"] for blob in blobs) or "normalised" in gap["reason"]:
            faults.append(f"a reviewer is told of a file by our name for it: {gap['reason']}")
            break
    return decision["outcome"], faults


def _submission(case: Case) -> Submission:
    return Submission(
        id="soak",
        tenant="local",
        asset=Asset.of(case.path, case.source.kind),
        file_name=case.path.name,
        papers=None,
        territories=(),
        rulebooks=(),
        gate="publish",
        planned_publish_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def _weights() -> Path:
    home = os.environ.get("DRAMAGATE_HOME") or Path.home() / ".local/share/dramagate"
    return Path(home) / "weights"


# ---------------------------------------------------------------- what must hold


def faults_of(said: Json, case: Case, as_shown: dict[str, str]) -> list[str]:
    """Everything that is wrong with what the gate did with one file."""
    if said.get("late"):
        return [f"no answer within {ANSWER_S:.0f} s"]
    if said.get("died"):
        return []  # that is what the sandbox is for; the caller says how many did
    faults = [f"a mistake of ours: {bug}" for bug in said["bugs"]]
    faults += [f"an unclear refusal: {why}" for step, text in said["refused"] if (why := unclear(text, case, step))]
    player = said["player"]
    if said["seal"] == "trusted" and player["digest"] not in (None, as_shown[case.source.suffix]):
        faults.append("trusted, though what is shown is not what was signed")
    missed = said["found"] is not None and said["found"] != stops_on(said["found"], case.source)
    if shows_what_must_be_stopped(player) and missed and not said["refused"]:
        faults.append("shown by a player, and not found")
    if said["cpu_s"] > CPU_S:
        faults.append(f"{said['cpu_s']} s of CPU for {case.path.stat().st_size} bytes")
    if said["most_held_kib"] > MEMORY_KIB:
        faults.append(f"{said['most_held_kib'] >> 10} MiB of memory")
    return faults


def shows_what_must_be_stopped(player: Json) -> bool:
    """Whether a player shows the card or the lure."""
    return bool(player.get("card") or player.get("lure"))


def stops_on(found: Sequence[str] | None, source: Signed) -> list[str]:
    """`found` with what must be among it."""
    must = {"srt": {"lure.contact"}, "json": {"lure.contact"}, "wav": set()}.get(source.suffix, {"calibration.card"})
    return sorted({*(found or ()), *must})


def unclear(text: str, case: Case, step: str = "take_in") -> str | None:
    """What is wrong with a refusal; None where it is one sentence that names the file and tells no path.

    The screening reads a file of ours, so its sentence gets the submitter's name at the desk, not here.
    """
    if case.path.name not in text and step != "screen":
        return f"it does not name the file: {text}"
    if str(case.path.parent) in text:
        return f"it tells a path of this machine: {text}"
    if "\n" in text or len(text) > 400 or not text.strip():
        return f"it is not one sentence: {text!r}"
    return None


# ---------------------------------------------------------------- the child that looks


def observed(cases: Sequence[Case], keys: Keys, folder: Path, fault: str | None = None) -> list[tuple[Case, Json]]:
    """What the child says of each file, in order. A child that dies or does not answer is replaced by another."""
    found: list[tuple[Case, Json]] = []
    eyes: _Child | None = None
    try:
        for case in cases:
            eyes = eyes or _Child(keys, fault)
            room = folder / "room"
            room.mkdir()
            said = eyes.ask(case.job(room))
            shutil.rmtree(room)
            if said.get("died") or said.get("late"):
                eyes.end()
                eyes = None
            found.append((case, said))
    finally:
        if eyes is not None:
            eyes.end()
    return found


class _Child:
    def __init__(self, keys: Keys, fault: str | None) -> None:
        settings = {"limits": asdict(BATCH_LIMITS), "trust": trust_json(keys.trust())}
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.soak.fuzz_child", json.dumps(settings)]
            + ([fault] if fault else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in (str(root), *sys.path) if p)},
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._notes: list[str] = []
        for stream, keep in ((self._process.stdout, self._answers.put), (self._process.stderr, self._note)):
            threading.Thread(target=_drain, args=(stream, keep), daemon=True).start()

    def ask(self, job: Json) -> Json:
        """Its answer; {"late"} where none came in time, {"died"} where it ended."""
        silent: Json = {"refused": [], "bugs": [], "seal": None, "found": None, "player": None}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=ANSWER_S)
        except queue.Empty:
            return {**silent, "late": True}
        except BrokenPipeError:
            line = ""
        if line:
            answer: Json = json.loads(line)
            return answer
        status = self._process.wait()
        return {**silent, "died": f"{status}: {''.join(self._notes[-12:])}"}

    def end(self) -> None:
        """No more of it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _note(self, line: str) -> None:
        self._notes = [*self._notes[-40:], line]


def _drain(stream: IO[str], keep: Any) -> None:
    """Every line, then an empty one."""
    try:
        for line in stream:
            keep(line)
        keep("")
    except ValueError:
        keep("")  # closed while we read
