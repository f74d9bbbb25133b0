"""The heads of :mod:`.heads` as ONNX operators: logits of the own actions, and the choice by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .graph_nodes import Nodes
from .heads import FAR, LEAST
from .sight import layers_of

Meta = Mapping[str, Any]
Arrays = Mapping[str, NDArray[Any]]


class Drawing(NamedTuple):
    """What a head is given, by name: features ``[B, F]``, keys ``[B, K]``, earlier agents' actions ``[B, N']``."""

    x: str
    key: str
    before: str


def _rows(at: Nodes, given: Drawing, meta: Meta, arrays: Arrays) -> str:
    layers = layers_of(arrays, "rows")
    if not given.before:
        return at.perceptron(given.x, layers)
    added = arrays["before.rows"]  # [N', A, H]
    rows = at("Add", given.before, at.c(np.arange(len(added)) * meta["n_actions"]))
    parts = at("Gather", at.c(added.reshape(-1, added.shape[-1])), rows, axis=0)
    return at.perceptron(given.x, layers, at("ReduceSum", parts, at.c([1]), keepdims=0))


def _students(at: Nodes, given: Drawing, meta: Meta, arrays: Arrays) -> str:
    pool = meta["pool_size"]
    flat = at.perceptron(given.x, layers_of(arrays, "entries"))
    dim = layers_of(arrays, "entries")[-1][1].size // pool
    entries = at("Reshape", flat, at.c([-1, pool, dim]))
    index = at("Unsqueeze", _entry(at, given, entries, meta, arrays), at.c([1]))
    return at.perceptron(at("GatherND", entries, index, batch_dims=1), layers_of(arrays, "head"))


def _entry(at: Nodes, given: Drawing, entries: str, meta: Meta, arrays: Arrays) -> str:
    """The numbers ``[B]`` of the entries that the keys mean."""
    shares = at("Softmax", at.double(at.perceptron(given.x, layers_of(arrays, "shares"))), axis=1)
    if meta["greedy"]:
        return at("ArgMax", shares, axis=1, keepdims=0)
    most = at("ReduceMax", shares, at.c([1]), keepdims=1)
    used = at("Or", at("GreaterOrEqual", shares, at.c(np.float64(meta["entry_floor"]))), at("Equal", shares, most))
    if meta["key"] == "prior":
        return pick_in(at, at("Mul", shares, at.double(used)), _number(at, given.key, 0))
    u, v = at.several("Split", 2, given.key, at.c([meta["key_numbers"] // 2] * 2), axis=1)
    length = at("Sqrt", at("Mul", at("Log", u), at.c(np.float64(-2.0))))
    normal = at("Mul", length, at("Cos", at("Mul", v, at.c(np.float64(2.0 * np.pi)))))
    known = at("Concat", given.x, at("Cast", normal, to=at.kind(np.float32)), axis=1)
    read = at.perceptron(known, layers_of(arrays, "key"))
    if meta["key"] == "cvae_index":
        return at("ArgMax", at("Where", used, read, at.c(np.float32(-np.inf))), axis=1, keepdims=0)
    away = at("Sub", entries, at("Unsqueeze", read, at.c([1])))
    distance = at("ReduceSum", at("Mul", away, away), at.c([2]), keepdims=0)
    return at("ArgMin", at("Where", used, distance, at.c(np.float32(np.inf))), axis=1, keepdims=0)


def _conventions(at: Nodes, given: Drawing, meta: Meta, arrays: Arrays) -> str:
    of = {name.removeprefix("convention."): array for name, array in arrays.items() if name.startswith("convention.")}
    if meta["greedy"]:
        entry = at.c([int(of["law"].argmax())])
    else:
        rows = at("Slice", at("Shape", given.x), at.c([0]), at.c([1]))
        law = at("Expand", at.c(of["law"][None]), at("Concat", rows, at.c([len(of["law"])]), axis=0))
        entry = pick_in(at, law, _number(at, given.key, 0))
    scale, shift, bias = (at("Gather", at.c(of[name]), entry, axis=0) for name in ("scale", "shift", "last.b"))
    h = at("Mul", at.affine(given.x, of["first.w"], of["first.b"]), at("Add", scale, at.c(np.float32(1))))
    h = at("Relu", at("Add", h, shift))
    h = at("Relu", at.affine(h, of["middle.w"], of["middle.b"]))
    return at("Add", at("MatMul", h, at.c(of["last.w"])), bias)


#: by the kind of a policy, as in :data:`.heads.HEADS`
HEADS: Mapping[str, Callable[[Nodes, Drawing, Meta, Arrays], str]] = {
    "independent": _rows, "chain": _rows, "students": _students, "conventions": _conventions}


def passed_in(at: Nodes, x: str, allowed: str, meta: Meta, arrays: Arrays) -> str:
    """Those of the allowed actions ``[B, A]`` that may be taken."""
    layers = layers_of(arrays, "filter")
    if not layers:
        return allowed
    logits = masked_in(at, at.perceptron(x, layers), allowed)
    beneath = at("Sub", logits, at("ReduceMax", logits, at.c([1]), keepdims=1))
    return at("And", allowed, at("GreaterOrEqual", beneath, at.c(np.float32(meta["filter_least"]))))


def masked_in(at: Nodes, logits: str, allowed: str) -> str:
    """Logits ``[B, A]``, the least there is for what is not allowed."""
    clipped = at("Clip", logits, at.c(np.float32(-FAR)), at.c(np.float32(FAR)))
    return at("Where", allowed, clipped, at.c(np.float32(LEAST)))


def drawn_in(at: Nodes, logits: str, key: str, meta: Meta) -> str:
    """Actions ``[B]`` by the agent's own number of the key, from the policies that masked logits mean."""
    probs = at("Softmax", logits, axis=1)
    if "beta" in meta:
        survives = at("Cast", at("Greater", probs, at.c(np.float32(meta["beta"]))), to=at.kind(np.float32))
        weight = at("Mul", probs if meta["beta_mode"] == "ratio" else at("Exp", probs), survives)
        total = at("ReduceSum", weight, at.c([1]), keepdims=1)
        best = at("Equal", at("ArgMax", probs, axis=1, keepdims=1), at.c(np.arange(meta["n_actions"])))
        tiny = at.c(np.finfo(np.float32).tiny)
        probs = at("Where", at("Greater", total, at.c(np.float32(0))), at("Div", weight, at("Max", total, tiny)),
                   at("Cast", best, to=at.kind(np.float32)))
    return pick_in(at, at.double(probs), _number(at, key, meta["agent"]))


def pick_in(at: Nodes, shares: str, number: str) -> str:
    """Entries ``[B]`` at which the cumulated shares ``[B, c]`` pass numbers ``[B, 1]``, as ``key.pick`` finds them."""
    edges = at("CumSum", shares, at.c(1))
    end = at("Slice", edges, at.c([-1]), at.c([2**62]), at.c([1]))
    passed = at("Cast", at("LessOrEqual", edges, at("Mul", number, end)), to=at.kind(np.int64))
    index = at("ReduceSum", passed, at.c([1]), keepdims=0)
    some = at("Cast", at("Greater", shares, at.c(np.float64(0))), to=at.kind(np.int32))
    last = at("ArgMax", some, axis=1, keepdims=0, select_last_index=1)
    return at("Min", index, last)


def _number(at: Nodes, key: str, column: int) -> str:
    """One column of the keys, ``[B, 1]``."""
    return at("Slice", key, at.c([column]), at.c([column + 1]), at.c([1]))
