"""One agent's ONNX graph, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..agreement.key import AgreementKey
from .graph import GIVEN, require


class OnnxPolicy:
    """Acts as :class:`.policy.Policy` does, by a graph.

    Args:
        meta: plain facts of the policy.
        content: the ONNX file's bytes, as :func:`.graph.graph_of` made them.

    Attributes:
        meta: as given.
        logits: what the last action was chosen by, ``[A]``.

    Raises:
        UserError: onnxruntime is not installed.
    """

    def __init__(self, meta: Mapping[str, Any], content: bytes) -> None:
        runtime = require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.meta = dict(meta)
        self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [value.name for value in self._session.get_outputs()]
        self._blank = {value.name: np.zeros([self._size(size) for size in value.shape], np.float32)
                       for value in self._session.get_inputs() if value.name not in GIVEN}
        self._memory = self._blank
        self._key: AgreementKey | None = None
        self.logits = np.zeros(meta["n_actions"], dtype=np.float32)

    @staticmethod
    def _size(size: int | str) -> int:
        return size if isinstance(size, int) else int(size == "B")  # one game, and no step before the first

    def agree(self, seed: int) -> str:
        """Takes the shared seed; returns its commitment."""
        self._key = AgreementKey(seed, self.meta["key_per"])
        return self._key.commitment()

    def act(self, seen: NDArray[Any], available: NDArray[Any] | None = None, episode: int = 0, step: int = 0,
            before: Sequence[int] = ()) -> int:
        """This agent's action; arguments as of :meth:`.policy.Policy.act`, which are not checked here."""
        actions = np.arange(self.meta["n_actions"])
        own = np.isin(actions, self.meta.get("own_actions", actions))
        mask = own if available is None else np.asarray(available).astype(bool)
        given: dict[str, NDArray[Any]] = {"seen": np.asarray(seen, np.float32)[None], "available": mask[None]}
        if self.meta["key_numbers"]:
            assert self._key is not None
            given["key"] = self._key.draw([episode], step, self.meta["key_numbers"])
        if self.meta["before"]:
            given["before"] = np.array([before], np.int64)
        self._memory = self._memory if step else self._blank
        out = dict(zip(self._outputs, self._session.run(None, {**given, **self._memory}), strict=True))
        self._memory = {name: out[f"next_{name}"] for name in self._blank}
        self.logits = out["logits"][0]
        return int(out["action"][0])
