"""The demo: a small series made here, signed at every step, and sent through a running gateway's HTTP API.

    a protected film and a protected person are registered
    -> four episodes are generated, each intermediate signed
    -> each is uploaded and submitted over HTTP, and judged by the worker
    -> a table of verdicts, the rendered cut checked once more, and where the console is

The registered work and person go into this machine's own registry under ids that begin with "demo-",
so that `dramagate check FILE` later says of each episode what the gateway said.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dramagate.commands.errors import InputError
from generation.backend import installed
from generation.pipeline import make_episode
from provenance import registry
from provenance.asset import digest
from provenance.failure import Unavailable
from provenance.keys import Keys, development
from review.serve import Gateway, running_gateway
from review.settings import Settings, load

SCRIPTS = Path(__file__).parent.parent / "generation" / "scripts"
FILM = "registered-film"
"""The protected work: a short film of its own, which the third episode copies from."""
WORK, PERSON = "work:demo-film", "person:demo-astronaut"
WAIT_S = 600.0
"""How long one verdict may take. A 30 s episode takes some 20 s on two slow cores."""


@dataclass(frozen=True)
class Episode:
    """One episode of the demo and what must become of it."""

    script: str
    expected: str
    about: str


EPISODES = (
    Episode("episode-1", "approve", "clean, labelled, signed"),
    Episode("episode-2", "segment", "no visible AI label"),
    Episode("episode-3", "reject", "copies a registered film without a licence"),
    Episode("episode-4", "hold", "shows a registered person without consent"),
)


def run(folder: Path, *, stay: bool) -> None:
    """Everything above, into `folder`; afterwards keep serving the console where `stay`.

    Raises InputError where `folder` cannot be written, Unavailable where the gateway does not answer
    or an outcome is not the expected one.
    """
    console = Console()
    settings = load()
    keys = development(settings.home)
    scripts = _lay_out(folder)
    console.print("[bold]1[/] registering a protected film and a protected person")
    film = _made(FILM, scripts, folder, keys)
    photo = _photo(scripts)
    shutil.copyfile(film, scripts / f"{FILM}.mp4")
    _register(settings, film, photo)
    console.print("[bold]2[/] making four episodes, every intermediate signed")
    for episode in EPISODES:
        started = time.monotonic()
        target = folder / f"{episode.script}.mp4"
        shutil.copyfile(_made(episode.script, scripts, folder, keys), target)
        console.print(f"  {target}  ({time.monotonic() - started:.0f} s: {episode.about})")
    console.print("[bold]3[/] starting the gateway and submitting them over HTTP")
    with running_gateway(settings) as gateway:
        decisions = [_submit(gateway, one, folder) for one in EPISODES]
        _print_table(console, decisions)
        _check_cut(console, gateway, folder, decisions)
        console.print(f"\nEverything lies in [bold]{folder}[/].")
        if stay:
            console.print(f"The console, until Ctrl-C: [bold]{gateway.console_url}[/]", soft_wrap=True)
            gateway.wait()
        else:
            console.print(
                "The console with these submissions: run [bold]dramagate serve[/] and open http://127.0.0.1:8321"
            )
    _insist(decisions)


def _lay_out(folder: Path) -> Path:
    """The scripts, copied to where the files they insert will lie."""
    scripts = folder / "scripts"
    try:
        scripts.mkdir(parents=True, exist_ok=True)
        for script in SCRIPTS.glob("*.fountain"):
            shutil.copyfile(script, scripts / script.name)
    except OSError as error:
        raise InputError(f"--dir {folder}: {error.strerror}; name a folder that can be written") from error
    return scripts


def _photo(scripts: Path) -> Path:
    """A real face: the portrait of an astronaut (NASA, public domain) that scikit-image carries."""
    spec = importlib.util.find_spec("skimage")
    found = Path((spec.submodule_search_locations or [""])[0] if spec else "") / "data" / "astronaut.png"
    if not found.is_file():
        raise Unavailable("scikit-image with its astronaut portrait is missing: pip install scikit-image")
    target = scripts / "registered-person.png"
    shutil.copyfile(found, target)
    return target


def _register(settings: Settings, film: Path, photo: Path) -> None:
    """Enter the film and the person into this machine's registry, unless they are there already."""
    root = settings.registry_root or settings.home / "registry"
    root.mkdir(parents=True, exist_ok=True)
    known = registry.load(root)
    if WORK in known.works:
        registry.remove(root, WORK)
    registry.add_work(root, WORK, kind="film", title="Demo: the protected film", files=[film])
    if PERSON not in known.persons:
        registry.add_person(root, PERSON, kind="public_figure", names={"en": "Demo astronaut"}, photos=[photo])


def _made(script: str, scripts: Path, folder: Path, keys: Keys) -> Path:
    """The episode of one script; what an earlier demo made from the same script is kept."""
    return make_episode(
        scripts / f"{script}.fountain",
        folder / script,
        backend=installed()["procedural"],
        identity=keys.identity("generator"),
        trust=keys.trust(),
        resume=True,
    ).path


@dataclass(frozen=True)
class Decided:
    """One episode's way through the gateway."""

    episode: Episode
    submission: str
    document: dict[str, Any]


def _submit(gateway: Gateway, episode: Episode, folder: Path) -> Decided:
    """Upload, submit, wait for the verdict: what any client of the API does."""
    path = folder / f"{episode.script}.mp4"
    sha256 = digest(path)
    with httpx.Client(
        base_url=gateway.url, headers={"Authorization": f"Bearer {gateway.api_key}"}, timeout=60
    ) as client:
        uploaded = client.post(
            "/v1/uploads", content=path.read_bytes(), headers={"Content-Type": "video/mp4", "X-Content-SHA256": sha256}
        )
        _must(uploaded, 200, 201)
        created = client.post(
            "/v1/submissions",
            json={"sha256": sha256, "file_name": path.name},
            headers={"Idempotency-Key": f"demo-{sha256[:32]}-{time.time_ns()}", "Prefer": "wait=25"},
        )
        _must(created, 200, 202)
        submission = created.json()["id"]
        deadline = time.monotonic() + WAIT_S
        while (state := client.get(f"/v1/submissions/{submission}").json())["state"] not in _ENDED:
            if time.monotonic() > deadline:
                raise Unavailable(f"{path.name} has no verdict after {WAIT_S:.0f} s: its state is {state['state']}")
            time.sleep(0.5)
        document = client.get(f"/v1/submissions/{submission}/verdict")
        _must(document, 200)
        (folder / f"{episode.script}.verdict.json").write_text(
            json.dumps(document.json(), ensure_ascii=False, indent=1), "utf-8"
        )
        if state["state"] == "released":
            media = client.get(f"/v1/submissions/{submission}/media", params={"variant": "released"})
            _must(media, 200)
            (folder / f"{episode.script}.released.mp4").write_bytes(media.content)
    return Decided(episode, submission, document.json())


_ENDED = ("released", "rejected", "in_queue", "failed", "withdrawn")


def _must(response: httpx.Response, *statuses: int) -> None:
    if response.status_code not in statuses:
        raise Unavailable(f"the gateway answered {response.status_code} to {response.url}: {response.text[:300]}")


def _print_table(console: Console, decisions: list[Decided]) -> None:
    table = Table("episode", "verdict", "why", title="What the gate says", title_justify="left", show_lines=True)
    colours = {"approve": "green", "segment": "yellow", "hold": "magenta", "reject": "red"}
    for one in decisions:
        outcome = one.document["outcome"]
        reasons = [
            f"{_when(r['ranges'])}{r['explanation']['zh']}\n{r['explanation']['en']}"
            for r in one.document["verdict"]["reasons"]
            if r["outcome"] == outcome
        ]
        why = "\n".join(dict.fromkeys(reasons)) or "nothing stands against it / 未见问题"
        table.add_row(one.episode.script, Text(outcome, style=f"bold {colours[outcome]}"), why)
    console.print(table)


def _when(ranges: list[list[int]]) -> str:
    """The first stretch of time a reason is about, as seconds; empty where it is about the whole work."""
    return f"{ranges[0][0] / 1e6:.1f}-{ranges[0][1] / 1e6:.1f} s: " if ranges else ""


def _check_cut(console: Console, gateway: Gateway, folder: Path, decisions: list[Decided]) -> None:
    """Send the rendered version through the gate like any file: it must be approved."""
    for one in decisions:
        if one.document["outcome"] != "segment":
            continue
        cut = folder / f"{one.episode.script}.cut.mp4"
        (folder / f"{one.episode.script}.released.mp4").replace(cut)
        again = Episode(cut.stem, "approve", "the rendered version")
        decided = _submit(gateway, again, folder)
        said = decided.document["outcome"]
        console.print(f"\nThe rendered version of {one.episode.script} lies at [bold]{cut}[/] and checks as {said}.")
        decisions.append(decided)
        return


def _insist(decisions: list[Decided]) -> None:
    wrong = [
        f"{d.episode.script} is {d.document['outcome']}, expected {d.episode.expected}"
        for d in decisions
        if d.document["outcome"] != d.episode.expected
    ]
    if wrong:
        raise Unavailable("the demo did not come out as it must: " + "; ".join(wrong))
