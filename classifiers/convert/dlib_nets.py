"""dlib's face models (.dat) as ONNX networks and numpy arrays, without dlib.

The .dat files are streams of dlib's own serialisation: integers as one control byte (low four bits
the length, top bit the sign) and that many little-endian bytes, floats as mantissa and exponent,
tensors as a version, four dimensions and raw float32. The two networks are read by the tags of
their layers; batch normalisation is folded into the convolutions. Source: dlib/serialize.h,
dlib/dnn/layers.h, dlib/image_processing/shape_predictor.h (Boost licence), read for the format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.convert.graph import Graph

Floats = NDArray[np.float32]

RGB_MEAN = np.array([122.782, 117.001, 104.298], np.float32).reshape(1, 3, 1, 1)
"""Subtracted by dlib's input layers (input_rgb_image), before the division by 256."""
EMBEDDER_BLOCKS = (
    *((32, False),) * 3,
    (64, True),
    *((64, False),) * 3,
    (128, True),
    *((128, False),) * 2,
    (256, True),
    *((256, False),) * 2,
    (256, True),
)
"""(channels, halves the picture) of each residual block, input first. Source: dlib's dnn_face_recognition_ex.cpp."""
CHIP = 150
"""Side in pixels of the square face picture the embedder takes."""
DETECTOR_CELL = 8
"""Pixels between neighbouring answers of the detector: three convolutions of stride 2."""


def convert_detector(dat: bytes, note: str) -> bytes:
    """The max-margin face detector: RGB 0..255 `x` [n, 3, h, w] to scores `y` [n, 1, h', w'], over 0 is a face.

    The properties hold what turns a cell of `y` back into a pixel of `x`: pixel = cell * 8 + offset.
    Raises ValueError where `dat` is not the detector's file.
    """
    graph, layers, channels = Graph(), _detector_layers(dat), 3
    x = graph.add("Mul", graph.add("Sub", "x", RGB_MEAN), np.array(1 / 256, np.float32))
    geometry = []
    for index, layer in enumerate(layers):
        last = index == len(layers) - 1
        kernel, bias = layer.kernel(channels)
        x = graph.add(
            "Conv",
            x,
            kernel,
            bias,
            output="y" if last else None,
            kernel_shape=[layer.rows, layer.columns],
            strides=[layer.stride] * 2,
            pads=[layer.pad] * 4,
        )
        if not last:
            x = graph.add("Relu", x)
        geometry.append((layer.stride, layer.rows // 2 - layer.pad))
        channels = layer.filters
    scale, offset = 1, 0
    for stride, shift in reversed(geometry):
        scale, offset = scale * stride, offset * stride + shift
    if channels != 1 or scale != DETECTOR_CELL:
        raise ValueError(f"the detector ends in {channels} channels at stride {scale}, not 1 at {DETECTOR_CELL}")
    return graph.model(
        "dlib_mmod_face",
        ("x", ["n", 3, "h", "w"]),
        ("y", ["n", 1, "oh", "ow"]),
        note,
        {"cell": str(scale), "offset": str(offset)},
    )


def convert_embedder(dat: bytes, note: str) -> bytes:
    """The face embedder: RGB 0..255 `x` [n, 3, 150, 150] to `y` [n, 128]; faces are compared by L2 distance.

    Raises ValueError where `dat` is not the embedder's file.
    """
    graph, layers = Graph(), iter(_embedder_layers(dat))

    def conv(x: str, filters: int, channels: int, size: int, stride: int, pad: int) -> str:
        weights, affine = next(layers), next(layers)
        count = filters * channels * size * size
        if weights.size != count + filters or affine.size != 2 * filters:
            raise ValueError(f"a layer of the embedder holds {weights.size} numbers, not {count + filters}")
        kernel, bias = weights[:count].reshape(filters, channels, size, size), weights[count:]
        gain, shift = affine[:filters], affine[filters:]
        return graph.add(
            "Conv",
            x,
            (kernel * gain[:, None, None, None]).astype(np.float32),
            (bias * gain + shift).astype(np.float32),
            kernel_shape=[size, size],
            strides=[stride] * 2,
            pads=[pad] * 4,
        )

    x = graph.add("Mul", graph.add("Sub", "x", RGB_MEAN), np.array(1 / 256, np.float32))
    x = graph.add("Relu", conv(x, 32, 3, 7, 2, 0))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    side, channels = 35, 32
    for filters, halves in EMBEDDER_BLOCKS:
        y = graph.add("Relu", conv(x, filters, channels, 3, 2 if halves else 1, 0 if halves else 1))
        y = conv(y, filters, filters, 3, 1, 1)
        skip = x
        if halves:  # dlib adds tensors of unequal size by padding the smaller with zeros
            skip = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            ours, theirs = (side - 3) // 2 + 1, (side - 2) // 2 + 1
            side = max(ours, theirs)
            y, skip = _grown(graph, y, 0, side - ours), _grown(graph, skip, filters - channels, side - theirs)
        x, channels = graph.add("Relu", graph.add("Add", y, skip)), filters
    projection = next(layers)
    if projection.size != 256 * 128 or next(layers, None) is not None:
        raise ValueError("the embedder does not end in a projection from 256 to 128 numbers")
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    graph.add("MatMul", x, projection.reshape(256, 128), output="y")
    return graph.model("dlib_face_embedder", ("x", ["n", 3, CHIP, CHIP]), ("y", ["n", 128]), note, {"chip": str(CHIP)})


def read_landmarks(dat: bytes) -> dict[str, NDArray[Any]]:
    """The shape predictor as arrays, for `classifiers.faces`: a cascade of ensembles of regression trees.

    `initial` [2p]; per cascade and tree `first`, `second` [cascades, trees, splits] (which two pixels are
    compared), `threshold` alike, `leaves` [cascades, trees, splits + 1, 2p]; per cascade and pixel `anchor`
    [cascades, pixels] (nearest landmark) and `delta` [cascades, pixels, 2].
    Raises ValueError where `dat` is not such a file, whole and nothing after it.
    """
    read = _Reader(dat)
    if (version := read.integer()) != 1:
        raise ValueError(f"a shape predictor of version {version}; this reads version 1")
    initial = read.matrix()
    trees = [[_tree(read) for _ in range(read.length())] for _ in range(read.length())]
    anchor = [[read.integer() for _ in range(read.length())] for _ in range(read.length())]
    delta = [[(read.real(), read.real()) for _ in range(read.length())] for _ in range(read.length())]
    if read.at != len(dat):
        raise ValueError(f"{len(dat) - read.at} bytes are left after the shape predictor")
    splits = [[splits for splits, _ in cascade] for cascade in trees]
    return {
        "initial": np.array(initial, np.float32),
        "first": np.array([[[s[0] for s in t] for t in c] for c in splits], np.int32),
        "second": np.array([[[s[1] for s in t] for t in c] for c in splits], np.int32),
        "threshold": np.array([[[s[2] for s in t] for t in c] for c in splits], np.float32),
        "leaves": np.array([[leaves for _, leaves in c] for c in trees], np.float32),
        "anchor": np.array(anchor, np.int32),
        "delta": np.array(delta, np.float32),
    }


@dataclass(frozen=True, slots=True)
class _Layer:
    """One convolution of the detector, with the batch normalisation that follows it (none after the last)."""

    weights: Floats
    filters: int
    rows: int
    columns: int
    stride: int
    pad: int
    gain: Floats | None = None
    shift: Floats | None = None

    def kernel(self, channels: int) -> tuple[Floats, Floats]:
        """Kernel [filters, channels, rows, columns] and bias [filters], normalisation folded in."""
        count = self.filters * channels * self.rows * self.columns
        if self.weights.size != count + self.filters:
            raise ValueError(f"a layer of the detector holds {self.weights.size} numbers, not {count + self.filters}")
        kernel = self.weights[:count].reshape(self.filters, channels, self.rows, self.columns)
        bias = self.weights[count:]
        if self.gain is not None and self.shift is not None:
            kernel, bias = kernel * self.gain[:, None, None, None], bias * self.gain + self.shift
        return kernel.astype(np.float32), bias.astype(np.float32)


class _Reader:
    """dlib's serialisation, read from the front. Raises ValueError where the bytes end too soon."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def integer(self) -> int:
        if self.at >= len(self.data):
            raise ValueError("the file ends in the middle of a model")
        control = self.data[self.at]
        end = self.at + 1 + (control & 0x0F)
        value = int.from_bytes(self.data[self.at + 1 : end], "little")
        self.at = end
        return -value if control & 0x80 else value

    def length(self) -> int:
        count = self.integer()
        if not 0 <= count <= len(self.data):
            raise ValueError(f"a list of {count} things cannot be in {len(self.data)} bytes")
        return count

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        return float(np.ldexp(float(mantissa), exponent))

    def matrix(self) -> list[float]:
        """A matrix of reals, row after row; dlib marks the format by writing negative dimensions."""
        rows, columns = self.integer(), self.integer()
        count = rows * columns
        if rows >= 0 or columns >= 0 or count > len(self.data):
            raise ValueError(f"a matrix of {-rows} x {-columns} cannot be here")
        return [self.real() for _ in range(count)]

    def tensor(self) -> Floats:
        if (version := self.integer()) != 2:
            raise ValueError(f"a tensor of version {version}; this reads version 2")
        count = int(np.prod([self.integer() for _ in range(4)]))
        if not 0 <= count <= (len(self.data) - self.at) // 4:
            raise ValueError("the file ends in the middle of a tensor")
        values = np.frombuffer(self.data, "<f4", count, self.at)
        self.at += values.nbytes
        return values.astype(np.float32)


def _tree(read: _Reader) -> tuple[list[tuple[int, int, float]], list[list[float]]]:
    splits = [(read.integer(), read.integer(), read.real()) for _ in range(read.length())]
    return splits, [read.matrix() for _ in range(read.length())]


def _tagged(dat: bytes, names: bytes) -> list[tuple[str, _Reader]]:
    """A reader behind each layer tag: a length of one byte, that byte, the name."""
    found = re.finditer(rb"\x01(.)(" + names + rb")", dat, re.S)
    return [(m[2].decode(), _Reader(dat, m.end())) for m in found if m[1][0] == len(m[2])]


def _detector_layers(dat: bytes) -> list[_Layer]:
    layers: list[_Layer] = []
    for name, read in _tagged(dat, rb"con_4|bn_con2"):
        values = read.tensor()
        if name == "con_4":
            filters, rows, columns, stride, _, pad, _ = (read.integer() for _ in range(7))
            layers.append(_Layer(values, filters, rows, columns, stride, pad))
        else:
            for _ in range(10):  # two alias tensors: a version and four dimensions each
                read.integer()
            _, _, mean, variance = (read.tensor() for _ in range(4))
            read.integer()
            read.integer()
            epsilon = [read.real() for _ in range(5)][-1]
            gain, shift = np.split(values, 2)
            inverse = gain / np.sqrt(variance + np.float32(epsilon))
            conv = layers.pop()
            layers.append(
                _Layer(
                    conv.weights,
                    conv.filters,
                    conv.rows,
                    conv.columns,
                    conv.stride,
                    conv.pad,
                    inverse.astype(np.float32),
                    (shift - mean * inverse).astype(np.float32),
                )
            )
    if len(layers) < 2:
        raise ValueError("this is not dlib's max-margin face detector: no layers con_4 / bn_con2 in it")
    return layers


def _embedder_layers(dat: bytes) -> list[Floats]:
    layers = []
    for name, read in _tagged(dat, rb"con_\d|affine_\d?|fc_\d"):
        if name.startswith("fc"):
            read.integer()
            read.integer()
        layers.append(read.tensor())
    if len(layers) < 2:
        raise ValueError("this is not dlib's face embedder: no layers con_ / affine_ in it")
    return layers


def _grown(graph: Graph, x: str, channels: int, pixels: int) -> str:
    """`x` with zeros added behind: so many channels, so many rows and columns."""
    if not channels and not pixels:
        return x
    return graph.add("Pad", x, np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64))
