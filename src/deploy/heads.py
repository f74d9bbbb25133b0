"""What an agent makes of what it sees: logits of its own actions, and its choice by them, in NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from ..agreement.key import gaussian, pick
    from .sight import layers_of, perceptron
except ImportError:  # exported: the files lie beside this one
    from key import gaussian, pick  # type: ignore[import-not-found, no-redef]
    from sight import layers_of, perceptron  # type: ignore[import-not-found, no-redef]

Floats = NDArray[np.float32]
LEAST = np.finfo(np.float32).min  # of actions that are not allowed
FAR = np.finfo(np.float32).max / 2  # beyond it no logit goes, so that no forbidden action wins


class Rows:
    """A network over the own actions: a policy, or values; a chain's also sees what earlier agents do.

    Args:
        meta: plain facts of the policy.
        arrays: layers ``rows``; ``before.rows`` ``[before, A, H]`` is what each action of each earlier agent adds
            behind the first; ``filter`` imitates the data, and actions that it thinks too unlikely are not taken.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._rows, self._filter = layers_of(arrays, "rows"), layers_of(arrays, "filter")
        self._given = arrays.get("before.rows")
        self._least = np.float32(meta.get("filter_least", 0.0))

    def logits(self, x: Floats, key: NDArray[np.float64], before: Sequence[int]) -> Floats:
        """Features ``[F]`` to logits ``[A]`` of the own actions.

        Args:
            x: features.
            key: the agreement key, ``[1, numbers]``.
            before: actions of the agents before this one, for those that need them.
        """
        if self._given is None:
            return perceptron(x, self._rows)
        added = np.zeros(self._given.shape[-1], dtype=np.float32)
        for agent, action in enumerate(before):
            added = added + self._given[agent, action]
        return perceptron(x, self._rows, added)

    def passed(self, x: Floats, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the allowed actions ``[A]`` that may be taken."""
        if not self._filter:
            return allowed
        logits = masked(perceptron(x, self._filter), allowed)
        with np.errstate(over="ignore"):
            beneath = logits - logits.max()
        least: NDArray[np.bool_] = allowed & (beneath >= self._least)
        return least


class Students(Rows):
    """The team's pool of joint actions, and this agent's part of the entry that the key means."""

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(meta, arrays)
        self._meta = meta
        self._layers = {name: layers_of(arrays, name) for name in ("entries", "shares", "key", "head")}

    def logits(self, x: Floats, key: NDArray[np.float64], before: Sequence[int]) -> Floats:
        entries = perceptron(x, self._layers["entries"]).reshape(self._meta["pool_size"], -1)
        return perceptron(entries[self._choose(x, entries, key)], self._layers["head"])

    def _choose(self, x: Floats, entries: Floats, key: NDArray[np.float64]) -> int:
        """The number of the entry that the key means."""
        logits = perceptron(x, self._layers["shares"]).astype(np.float64)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        used = (shares >= self._meta["entry_floor"]) | (shares == shares.max())
        if self._meta["greedy"]:
            return int(shares.argmax())
        if self._meta["key"] == "prior":
            return int(pick((shares * used)[None], key[:, 0])[0])
        known = np.concatenate([x, gaussian(key)[0].astype(np.float32)])
        read = perceptron(known, self._layers["key"])
        if self._meta["key"] == "cvae_vector":
            return int(np.where(used, ((entries - read) ** 2).sum(1), np.inf).argmin())
        return int(np.where(used, read, -np.inf).argmax())


class Conventions(Rows):
    """Policies of this agent, one for each convention of the team, of which a key means one for a whole episode.

    Args:
        meta: plain facts of the policy.
        arrays: layers; ``convention.law`` says how likely a key means each convention.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(meta, arrays)
        self._greedy = bool(meta["greedy"])
        self._arrays = {name.removeprefix("convention."): array for name, array in arrays.items()
                        if name.startswith("convention.")}

    def logits(self, x: Floats, key: NDArray[np.float64], before: Sequence[int]) -> Floats:
        of, law = self._arrays, self._arrays["law"]
        entry = int(law.argmax()) if self._greedy else int(pick(law[None], key[:, 0])[0])
        h = np.maximum((x @ of["first.w"] + of["first.b"]) * (1 + of["scale"][entry]) + of["shift"][entry], 0)
        h = np.maximum(h @ of["middle.w"] + of["middle.b"], 0)
        logits: Floats = h @ of["last.w"] + of["last.b"][entry]
        return logits


#: by the kind of a policy
HEADS: dict[str, type[Rows]] = {"independent": Rows, "chain": Rows, "students": Students, "conventions": Conventions}


def masked(logits: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """Logits ``[A]``, the least there is for what is not allowed."""
    return np.where(allowed, np.clip(logits, -FAR, FAR), LEAST).astype(np.float32)


def drawn(logits: Floats, number: NDArray[np.float64], meta: Mapping[str, Any]) -> int:
    """An action by a uniform number ``[1]``, from the policy that masked logits ``[A]`` mean.

    With ``beta`` in ``meta``, actions that are not likelier than it are never taken, unless none is (Eq. 8).
    """
    with np.errstate(over="ignore"):
        probs = np.exp(logits - logits.max())
    probs /= probs.sum()
    if "beta" in meta:
        weight = (probs if meta["beta_mode"] == "ratio" else np.exp(probs)) * (probs > np.float32(meta["beta"]))
        total = weight.sum()
        probs = weight / total if total > 0 else (np.arange(len(probs)) == probs.argmax())
    return int(pick(probs.astype(np.float64)[None], number)[0])
