"""What an agent sees at a step and remembers from one to the next, in NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def layers_of(arrays: Mapping[str, NDArray[Any]], net: str) -> Layers:
    """Weights and biases of a network, ``<net>.w<i>`` and ``<net>.b<i>``; none if it has none."""
    count = sum(name.startswith(f"{net}.w") for name in arrays)
    return [(arrays[f"{net}.w{i}"], arrays[f"{net}.b{i}"]) for i in range(count)]


def perceptron(x: NDArray[np.float32], layers: Layers, beside: NDArray[np.float32] | None = None,
               ) -> NDArray[np.float32]:
    """A vector through dense layers with rectifiers between them; ``beside`` is added behind the first."""
    for i, (weight, bias) in enumerate(layers):
        x = (np.maximum(x, 0) if i else x) @ weight + bias
        if beside is not None and not i:
            x = x + beside
    return x


class Memoryless:
    """What an agent makes of what it sees at one step, and remembers from one to the next (here: nothing).

    Args:
        meta: plain facts of the policy.
        arrays: the encoder's own parameters, by name.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._levels, self._observed = int(meta["state_levels"]), int(meta["n_seen"])

    def begin(self) -> None:
        """An episode begins."""

    def step(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is seen, ``[S]``, and behind it own last action and number, if they are seen, to features ``[F]``."""
        return self.spread(seen)

    def spread(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same with one-hot vectors, where that is how training saw it."""
        if not self._levels:
            return seen
        level = np.clip(np.rint(seen[: self._observed]).astype(np.int64), 0, self._levels - 1)
        return np.concatenate([np.eye(self._levels, dtype=np.float32)[level].ravel(), seen[self._observed:]])


class Gru(Memoryless):
    """A dense layer, a rectifier and a gated recurrent unit, whose hidden state is what is remembered."""

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(meta, arrays)
        self._layers = {name: (arrays[f"{name}.w"], arrays[f"{name}.b"]) for name in ("first", "inward", "back")}
        self.begin()

    def begin(self) -> None:
        self._hidden = np.zeros(len(self._layers["back"][0]), dtype=np.float32)

    def step(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        first, inward, back = (self._layers[name] for name in ("first", "inward", "back"))
        x = np.maximum(self.spread(seen) @ first[0] + first[1], 0)
        reset, update, new = np.split(x @ inward[0] + inward[1], 3)
        old_reset, old_update, old = np.split(self._hidden @ back[0] + back[1], 3)
        new = np.tanh(new + _sigmoid(reset + old_reset) * old)
        self._hidden = new + _sigmoid(update + old_update) * (self._hidden - new)
        return self._hidden


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    half = np.float32(0.5)
    y: NDArray[np.float32] = half * np.tanh(half * x) + half  # never overflows
    return y


class Habits:
    """What this agent did at what it saw in an episode, so that it does not go round in circles.

    The counterpart of ``unworn`` in training: actions done least often at what is seen now, counted in units of
    ``limit``.

    Args:
        limit: how often the same is done at a sight before anything else is; 0: no limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.begin()

    def begin(self) -> None:
        """An episode begins: nothing has been done yet."""
        self._done: dict[bytes, NDArray[np.int64]] = {}

    def unworn(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the available actions ``[A]`` that the agent does at what it observes now, ``[S]``."""
        done = self._done.get(_sight(seen))
        if not self._limit or done is None:
            return mask
        worn = done // self._limit
        least: NDArray[np.bool_] = mask & (worn <= worn[mask].min())
        return least

    def add(self, seen: NDArray[np.float32], mask: NDArray[np.bool_], action: int) -> None:
        """The agent has done this at what it observes."""
        if self._limit:
            self._done.setdefault(_sight(seen), np.zeros(len(mask), dtype=np.int64))[action] += 1


def _sight(seen: NDArray[np.float32]) -> bytes:
    return (seen + np.float32(0)).tobytes()  # -0.0 looks like 0.0


#: by the name in a policy file; each is the counterpart of one in training
ENCODERS: dict[str, type[Memoryless]] = {"memoryless": Memoryless, "gru": Gru}
