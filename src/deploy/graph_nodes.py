"""Writing an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Layers = Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]


class Nodes:
    """A graph under way; calling it adds an operator and gives the name of what comes out.

    Args:
        onnx: the package.
        n_actions: A.
    """

    def __init__(self, onnx: Any, n_actions: int) -> None:
        self.n_actions, self._onnx = n_actions, onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def __call__(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """An operator with several outputs."""
        names = [f"{kind.lower()}_{len(self._nodes)}" + (f"_{i}" if i else "") for i in range(count)]
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def c(self, value: Any) -> str:
        """A constant; Python's whole numbers are int64, arrays keep their kind."""
        array = np.asarray(value, dtype=None if isinstance(value, np.ndarray | np.generic) else np.int64)
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape),
                                                                  name))
        return name

    def kind(self, dtype: Any) -> int:
        """ONNX's number of an array's kind."""
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def input(self, name: str, dtype: Any, *shape: int | str) -> str:
        """An input; sizes that are free have a letter."""
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, self.kind(dtype), shape))
        return name

    def output(self, name: str, value: str, dtype: Any, *shape: int | str) -> None:
        """Gives a value out by a name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, self.kind(dtype), shape))

    def affine(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """Rows through a dense layer."""
        return self("Add", self("MatMul", x, self.c(weight)), self.c(bias))

    def perceptron(self, x: str, layers: Layers, beside: str = "") -> str:
        """Rows through dense layers with rectifiers between them; ``beside`` is added behind the first."""
        for i, (weight, bias) in enumerate(layers):
            x = self.affine(self("Relu", x) if i else x, weight, bias)
            if beside and not i:
                x = self("Add", x, beside)
        return x

    def double(self, x: str) -> str:
        """The same in double precision."""
        return self("Cast", x, to=self.kind(np.float64))

    def file(self, facts: Mapping[str, str], name: str, opset: int, ir: int) -> bytes:
        """The whole as the bytes of a file, checked for form."""
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir,
                                  producer_name="epymarl-cpa")
        helper.set_model_props(model, dict(facts))
        self._onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
