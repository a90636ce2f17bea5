"""Converters against small synthetic files of the same formats, and the prepared networks against published answers."""

from __future__ import annotations

import base64
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from classifiers import onnx_session
from classifiers.convert import dlib_nets, nsfwjs
from classifiers.weights import WeightsMissing, WeightStore

RNG = np.random.default_rng(7)


def bundle(value: Any, *, raw: str | None = None) -> str:
    """JavaScript as browserify and terser write it around one literal."""
    literal = raw if raw is not None else json.dumps(value, separators=(",", ":"))
    return "!function(e){}({1:[function(e,t,n){t.exports=" + literal + "},{}]},{},[1])(1)});"


def package(topology: Any, tensors: dict[str, tuple[np.ndarray[Any, Any], float, float]], model: str = "tiny") -> bytes:
    """An npm package with one quantised model: {name: (uint8 array, scale, min)}."""
    specs = [
        {
            "name": name,
            "shape": list(a.shape),
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": s, "min": m},
        }
        for name, (a, s, m) in tensors.items()
    ]
    shard = base64.b64encode(b"".join(a.tobytes() for a, _, _ in tensors.values())).decode()
    files = {
        "model": bundle({"modelTopology": topology, "weightsManifest": [{"paths": ["shard1"], "weights": specs}]}),
        "shard1": bundle(shard),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for stem, text in files.items():
            info = tarfile.TarInfo(f"package/dist/models/{model}/{stem}.min.js")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def layer(kind: str, name: str, before: str | None, **config: Any) -> dict[str, Any]:
    return {
        "class_name": kind,
        "name": name,
        "config": config,
        "inbound_nodes": [[[before, 0, 0, {}]]] if before else [],
    }


KERAS = {
    "model_config": {
        "config": {
            "layers": [
                layer("InputLayer", "in", None, batch_input_shape=[None, 4, 4, 3]),
                layer("ZeroPadding2D", "pad", "in", padding=[[0, 1], [0, 1]], data_format="channels_last"),
                layer(
                    "Conv2D",
                    "conv",
                    "pad",
                    dilation_rate=[1, 1],
                    use_bias=True,
                    strides=[2, 2],
                    padding="valid",
                    activation="linear",
                ),
                layer("BatchNormalization", "bn", "conv", scale=True, center=True, epsilon=1e-3),
                layer("ReLU", "relu", "bn", max_value=6),
                layer("Flatten", "flat", "relu"),
                layer("Dropout", "drop", "flat"),
                layer("Dense", "dense", "drop", activation="softmax"),
            ],
            "output_layers": [["dense", 0, 0]],
        }
    }
}
TENSORS = {
    "conv/kernel": ((3, 3, 3, 2), 0.01, -1.0),
    "conv/bias": ((2,), 0.02, -2.0),
    "bn/gamma": ((2,), 0.01, 0.5),
    "bn/beta": ((2,), 0.01, -1.0),
    "bn/moving_mean": ((2,), 0.01, -1.0),
    "bn/moving_variance": ((2,), 0.01, 0.1),
    "dense/kernel": ((8, 5), 0.01, -1.0),
    "dense/bias": ((5,), 0.01, -1.0),
}


def test_a_keras_model_answers_as_its_layers_say() -> None:
    quantised = {n: (RNG.integers(0, 256, s, dtype=np.uint8), scale, low) for n, (s, scale, low) in TENSORS.items()}
    model = nsfwjs.convert(package(KERAS, quantised), "tiny")
    session = onnxruntime.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])
    image = RNG.random((2, 4, 4, 3), dtype=np.float32)
    answer = session.run(None, {"image": image})[0]

    w = {n: (a.astype(np.float64) * s + m).astype(np.float32) for n, (a, s, m) in quantised.items()}
    padded = np.pad(image, ((0, 0), (0, 1), (0, 1), (0, 0)))
    conv = np.zeros((2, 2, 2, 2), np.float32)
    for y in range(2):
        for x in range(2):
            patch = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            conv[:, y, x] = np.tensordot(patch, w["conv/kernel"], ([1, 2, 3], [0, 1, 2])) + w["conv/bias"]
    normal = (conv - w["bn/moving_mean"]) / np.sqrt(w["bn/moving_variance"] + 1e-3) * w["bn/gamma"] + w["bn/beta"]
    logits = np.clip(normal, 0, 6).reshape(2, -1) @ w["dense/kernel"] + w["dense/bias"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert answer == pytest.approx(expected, abs=1e-5)


def test_conversion_gives_the_same_bytes_twice() -> None:
    quantised = {n: (np.full(s, 7, np.uint8), scale, low) for n, (s, scale, low) in TENSORS.items()}
    data = package(KERAS, quantised)
    assert nsfwjs.convert(data, "tiny") == nsfwjs.convert(data, "tiny")


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('{a:1,b:[.5,1e-3,-2],c:!0,d:!1,e:"x"}', {"a": 1, "b": [0.5, 0.001, -2], "c": True, "d": False, "e": "x"}),
        ("'it\\'s'", "it's"),
        ("null", None),
    ],
)
def test_literals_are_read_as_data(literal: str, value: Any) -> None:
    assert nsfwjs.read_literal(bundle(None, raw=literal)) == value


@pytest.mark.parametrize("code", ["1/0", "f(1)", "{a:require('fs')}", "`x`", "{a:1}; evil()", "a => a"])
def test_code_is_refused_and_never_run(code: str) -> None:
    with pytest.raises(nsfwjs.Refused):
        nsfwjs.read_literal(bundle(None, raw=code))


def test_a_package_that_is_not_one_is_refused() -> None:
    with pytest.raises(nsfwjs.Refused, match="does not hold the model tiny"):
        nsfwjs.convert(b"not a tarball", "tiny")
    with pytest.raises(nsfwjs.Refused, match="does not hold the model other"):
        nsfwjs.convert(package(KERAS, {}), "other")


@pytest.mark.parametrize(
    "odd",
    [
        layer("LSTM", "odd", "in"),
        layer("Activation", "odd", "in", activation="gelu"),
        layer("Flatten", "odd", "in", data_format="channels_first"),
    ],
)
def test_a_layer_nobody_taught_us_is_refused(odd: dict[str, Any]) -> None:
    layers = [layer("InputLayer", "in", None, batch_input_shape=[None, 4, 4, 3]), odd]
    topology = {"model_config": {"config": {"layers": layers, "output_layers": [["odd", 0, 0]]}}}
    with pytest.raises(nsfwjs.Refused, match="unknown"):
        nsfwjs.convert(package(topology, {}), "tiny")


def integer(value: int) -> bytes:
    """An integer as dlib writes it."""
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def real(value: float) -> bytes:
    mantissa, exponent = np.frexp(value)
    return integer(int(mantissa * 2**24)) + integer(int(exponent) - 24)


def matrix(values: list[float]) -> bytes:
    return integer(-len(values)) + integer(-1) + b"".join(map(real, values))


def shape_predictor() -> bytes:
    """One cascade of one tree of one split over two pixels, for one landmark."""
    tree = integer(1) + integer(0) + integer(1) + real(0.5) + integer(2) + matrix([0.25, 0.0]) + matrix([-0.25, 0.0])
    anchors = integer(1) + integer(2) + integer(0) + integer(0)
    deltas = integer(1) + integer(2) + real(0.0) + real(0.0) + real(0.125) + real(-0.5)
    return integer(1) + matrix([0.5, 0.5]) + integer(1) + integer(1) + tree + anchors + deltas


def test_landmarks_are_read_whole() -> None:
    read = dlib_nets.read_landmarks(shape_predictor())
    assert {name: array.tolist() for name, array in read.items()} == {
        "initial": [0.5, 0.5],
        "first": [[[0]]],
        "second": [[[1]]],
        "threshold": [[[0.5]]],
        "leaves": [[[[0.25, 0.0], [-0.25, 0.0]]]],
        "anchor": [[0, 0]],
        "delta": [[[0.0, 0.0], [0.125, -0.5]]],
    }


@pytest.mark.parametrize("cut", [1, 5, 20, -1])
def test_landmarks_cut_short_are_refused(cut: int) -> None:
    with pytest.raises(ValueError):
        dlib_nets.read_landmarks(shape_predictor()[:cut])


def test_landmarks_with_something_behind_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes are left"):
        dlib_nets.read_landmarks(shape_predictor() + b"abc")


@pytest.mark.parametrize("dat", [b"", b"nothing of the kind" * 50, struct.pack("<100f", *range(100))])
def test_other_files_are_no_networks(dat: bytes) -> None:
    with pytest.raises(ValueError, match="not dlib's"):
        dlib_nets.convert_detector(dat, "")
    with pytest.raises(ValueError, match="not dlib's"):
        dlib_nets.convert_embedder(dat, "")


def gradient(height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A picture that any machine makes alike: red down, green across, blue a pattern of both."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([y * 255 / height, x * 255 / width, (x * 7 + y * 13) % 256], axis=-1)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("mid.onnx", "9e55df010de0f0d0e81b84a56ba81a207ed6dd9ec5ed49ebe25003335e65f268"),
        ("v2.onnx", "0d3a38b51bf8bcc42d657602f32bfe0bf718f4955df705c35d9739c0ef9ea31d"),
    ],
)
def test_the_prepared_classifiers_hold_the_published_weights(weights: WeightStore, file: str, values: str) -> None:
    path, _ = weights.file("explicit-nsfwjs", file)
    record = json.loads((path.parent / "model.json").read_text())
    assert record["values_sha256"][path.stem] == values


def test_a_device_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    with pytest.raises(WeightsMissing, match="'tpu' cannot run"):
        onnx_session.session(path, "tpu")


def test_a_file_that_is_no_model_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(WeightsMissing, match="cannot be loaded"):
        onnx_session.session(path)
