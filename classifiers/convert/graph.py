"""An ONNX graph grown one operator at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""Understood by onnxruntime 1.12 and newer."""
IR_VERSION = 9

Dims = Sequence[int | str]


class Graph:
    """Operators and constants so far. Every method that adds an operator returns the name of what it makes."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, array: NDArray[Any]) -> str:
        """The name of a new constant tensor."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, kind: str, *inputs: str | NDArray[Any], output: str | None = None, **attributes: Any) -> str:
        """One more operator; arrays among the inputs become constants."""
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = output or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, names, [made], name=f"{kind}{len(self._nodes)}", **attributes))
        return made

    def model(
        self, name: str, takes: tuple[str, Dims], gives: tuple[str, Dims], note: str, properties: dict[str, str]
    ) -> bytes:
        """The finished float32 model, checked and serialised. `takes` and `gives` are (name, dimensions)."""
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, list(takes[1]))],
            [helper.make_tensor_value_info(gives[0], TensorProto.FLOAT, list(gives[1]))],
            self._constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="dramagate",
            doc_string=note,
        )
        helper.set_model_props(model, properties)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
