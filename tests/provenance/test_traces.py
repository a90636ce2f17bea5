"""What files declare about the model that made them, without repeating anybody's prompt."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from provenance import carriers, traces
from provenance.carriers import Entry

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype"
PROMPT = "a fox in the snow, secret words"
GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dream_v8.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": PROMPT, "clip": ["1", 1]}},
}
A1111 = (
    f"{PROMPT}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Model hash: abc123,"
    " Model: dream_v8, Version: v1.9.0"
)


def found(*entries: Entry) -> dict[str, list[str]]:
    by_kind: dict[str, list[str]] = {}
    for trace in traces.traces_in(entries):
        by_kind.setdefault(trace.kind, []).append(trace.value)
    return by_kind


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "model", "node"),
    [
        ("flux_dev_example.png", "flux1-dev.safetensors", "FluxGuidance"),
        ("hunyuan_video_text_to_video.webp", "hunyuan_video_t2v_720p_bf16.safetensors", "EmptyHunyuanLatentVideo"),
        ("image_to_video_wan_example.webp", "wan2.1_i2v_480p_14B_fp16.safetensors", "WanImageToVideo"),
        ("image_to_video_wan_example.json", "wan2.1_i2v_480p_14B_fp16.safetensors", "WanImageToVideo"),
        ("ltxv_image_to_video_simple.0.9.5.webp", "ltx-video-2b-v0.9.5.safetensors", "LTXVImgToVideo"),
        ("mochi_simple_checkpoint.webp", "mochi_preview_fp8_scaled.safetensors", "EmptyMochiLatentVideo"),
        ("text_to_video_wan.webp", "wan2.1_t2v_1.3B_fp16.safetensors", "ModelSamplingSD3"),
    ],
)
def test_published_comfyui_files_name_their_model(corpus: Path, name: str, model: str, node: str) -> None:
    said: dict[str, list[str]] = {}
    for trace in traces.read(corpus / "ai_clips" / "comfyui" / name):
        assert trace.generator
        said.setdefault(trace.kind, []).append(trace.value)
    assert model in said["model"]
    assert node in said["node"]
    assert said["prompt_sha256"]


@pytest.mark.corpus
def test_real_photographs_and_plain_clips_declare_no_generator(corpus: Path) -> None:
    for name in ("ai_clips/comfyui/fox.jpg", "c2pa/ptf__nikon-20221019-building.jpeg", "real_clips/kitten.mp4"):
        assert [trace for trace in traces.read(corpus / name) if trace.generator] == []


def test_a_graph_tells_models_and_nodes_but_no_words(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("prompt", json.dumps(GRAPH))
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png", pnginfo=info)
    read = traces.read(tmp_path / "x.png")
    assert [(trace.kind, trace.value) for trace in read] == [
        ("node", "CheckpointLoaderSimple"),
        ("model", "dream_v8.safetensors"),
        ("node", "CLIPTextEncode"),
        ("prompt_sha256", hashlib.sha256(PROMPT.encode()).hexdigest()),
    ]
    assert "secret" not in "".join(map(str, read))


def test_a_graph_in_a_film_comment_is_read() -> None:
    whole = json.dumps({"prompt": json.dumps(GRAPH), "workflow": {"nodes": []}})
    assert found(Entry("mp4:moov/udta/meta/ilst", "\xa9cmt", whole))["model"] == ["dream_v8.safetensors"]
    assert found(Entry("mkv:SimpleTag", "PROMPT", json.dumps(GRAPH)))["model"] == ["dream_v8.safetensors"]


def test_parameters_of_automatic1111_are_read_without_their_words() -> None:
    said = found(Entry("png:tEXt", "parameters", A1111))
    assert said["model"] == ["Model hash abc123", "dream_v8"]
    assert said["software"] == ["Version v1.9.0"]
    assert said["prompt_sha256"] == [hashlib.sha256(text.encode()).hexdigest() for text in (PROMPT, "blurry")]
    assert "secret" not in json.dumps(said)


@pytest.mark.parametrize(
    ("entry", "generator"),
    [
        (Entry("jpeg:exif", "0x0131", "Adobe Photoshop 21.1"), False),
        (Entry("jpeg:exif", "0x0131", "Midjourney v6"), True),
        (Entry("mp4:moov/udta/meta/ilst", "\xa9too", "Lavf58.29.100"), False),
        (Entry("png:tEXt", "Software", "NovelAI"), True),
        (Entry("jpeg:xmp", "{ns}DigitalSourceType", f"{IPTC}/trainedAlgorithmicMedia"), True),
        (Entry("jpeg:xmp", "{ns}DigitalSourceType", f"{IPTC}/digitalCapture"), False),
    ],
)  # fmt: skip
def test_software_says_who_made_it_only_where_it_is_a_generator(entry: Entry, generator: bool) -> None:
    assert [trace.generator for trace in traces.traces_in((entry,))] == [generator]


@pytest.mark.parametrize(
    "text",
    ["{", "{}", "[]", '{"a":', '{"nodes": 3}', '{"nodes": [1, {"type": 5}]}', '{"1": {"class_type": 1, "inputs": []}}',
     "[" * 100_000, '{"a":' * 5_000, "Steps: many, Sampler: Euler"],
)  # fmt: skip
def test_broken_graphs_declare_nothing(text: str) -> None:
    assert traces.traces_in((Entry("png:tEXt", "prompt", text),)) == ()


def test_a_graph_without_end_is_cut_off() -> None:
    huge = {str(n): {"class_type": f"Node{n}", "inputs": {}} for n in range(20_000)}
    assert len(traces.traces_in((Entry("png:tEXt", "prompt", json.dumps(huge)),))) == traces.MAX_TRACES


def test_hostile_names_become_one_printable_line() -> None:
    graph = {"1": {"class_type": "A\n\u202eB\0" + "x" * 500, "inputs": {}}}
    (trace,) = traces.traces_in((Entry("png:tEXt", "prompt", json.dumps(graph)),))
    assert trace.value.startswith("A Bxxx")
    assert len(trace.value) == 120


def test_every_carrier_walk_survives_an_empty_file(tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "webp", "gif", "mp4", "wav", "mp3", "flac", "ogg", "mkv", "md", "json"):
        (tmp_path / f"x.{suffix}").write_bytes(b"")
        assert carriers.entries(tmp_path / f"x.{suffix}") == ()
