"""One agent's policy as an ONNX graph, made of the same facts and arrays as its policy file.

Graphs are put together here, operator by operator, instead of traced from PyTorch: the vocabulary is small, a graph
takes milliseconds, does not change with PyTorch's exporter, and needs the package ``onnx`` alone.  One graph per agent,
not per team, for agents run apart.  All of it is batched: ``B`` agents in as many games at once.

Inputs: ``seen`` [B, S] float32 and ``available`` [B, A] bool in any case; ``key`` [B, K] float64 where the agent draws
or agrees, ``before`` [B, N'] int64 where it acts after N' others.  All other inputs are memory: they begin an episode
as zeros (with no steps, where the length is free), and each has an output ``next_<name>`` for the next step.  Outputs
beside these: ``action`` [B] int64 and ``logits`` [B, A] float32, the least there is for forbidden actions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .graph_heads import HEADS, Drawing, drawn_in, masked_in, passed_in
from .graph_nodes import Nodes
from .policy_file import digest, kind_of

Arrays = Mapping[str, NDArray[Any]]
OPSET, IR = 21, 10  # of 2024: runtimes from onnxruntime 1.18 on read it, and nothing here needs more
GIVEN = ("seen", "available", "key", "before")  # inputs that are no memory


def graph_of(meta: Mapping[str, Any], arrays: Arrays) -> bytes:
    """The ONNX file of one agent; its facts are the text ``policy`` of the file's metadata.

    Raises:
        UserError: ``onnx`` is not installed, or nobody wrote how the agent's encoder looks in ONNX.
    """
    onnx = require("onnx")
    if meta["encoder"] not in ENCODERS:
        raise UserError(f"there is no ONNX graph of the encoder '{meta['encoder']}'; those that have one are: "
                        f"{', '.join(ENCODERS)}. Export with --format=numpy, or add it to deploy/graph.py.")
    at = Nodes(onnx, meta["n_actions"])
    seen = at.input("seen", np.float32, "B", meta["n_seen"])
    allowed = at.input("available", np.bool_, "B", meta["n_actions"])
    some = at("Greater", at("ReduceMax", at("Cast", allowed, to=at.kind(np.int32)), at.c([1]), keepdims=1),
              at.c(np.int32(0)))
    first = at.c(np.arange(meta["n_actions"])[None] == 0)
    allowed = at("Or", allowed, at("And", at("Not", some), first))  # as Policy.act does
    if meta["repeat_limit"]:
        allowed = _unworn(at, seen, allowed, meta)
    x = ENCODERS[meta["encoder"]](at, _look(at, seen, meta), meta, _own(arrays, "encoder."))
    key = at.input("key", np.float64, "B", meta["key_numbers"]) if meta["key_numbers"] else ""
    before = at.input("before", np.int64, "B", meta["before"]) if meta["before"] else ""
    raw = HEADS[kind_of(meta)](at, Drawing(x, key, before), meta, arrays)
    allowed = passed_in(at, x, allowed, meta, arrays)
    logits = masked_in(at, raw, allowed)
    action = drawn_in(at, logits, key, meta) if meta["draws"] else at("ArgMax", logits, axis=1, keepdims=0)
    at.output("action", action, np.int64, "B")
    at.output("logits", logits, np.float32, "B", meta["n_actions"])
    _remember(at, seen, action, meta)
    text = json.dumps({**meta, "digest": digest(meta, arrays)})
    return at.file({"policy": text}, f"{meta['method']} agent {meta['agent']}", OPSET, IR)


def require(name: str) -> Any:
    """A library of the extra ``onnx``.

    Raises:
        UserError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)  # one of two names, both written in this package
    except ImportError:
        raise UserError(f"ONNX needs the package {name}, which is not installed; install it with: "
                        "pip install 'epymarl-cpa[onnx]'") from None


def _own(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


# --- what is seen ---
def _look(at: Nodes, seen: str, meta: Mapping[str, Any]) -> str:
    """What the encoder gets: what is seen, spread if training saw it so, own last action, own number."""
    parts, levels = [seen], meta["state_levels"]
    if levels:
        level = at("Cast", at("Clip", at("Round", seen), at.c(np.float32(0)), at.c(np.float32(levels - 1))),
                   to=at.kind(np.int64))
        hot = at("Equal", at("Unsqueeze", level, at.c([2])), at.c(np.arange(levels)))
        parts = [at("Reshape", at("Cast", hot, to=at.kind(np.float32)), at.c([-1, meta["n_seen"] * levels]))]
    if meta["obs_last_action"]:
        parts.append(at.input("last_action", np.float32, "B", meta["n_actions"]))
    if meta["obs_agent_id"]:
        number = (np.arange(meta["n_agents"]) == meta["agent"]).astype(np.float32)
        rows = at("Slice", at("Shape", seen), at.c([0]), at.c([1]))
        parts.append(at("Expand", at.c(number[None]), at("Concat", rows, at.c([meta["n_agents"]]), axis=0)))
    return at("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _memoryless(at: Nodes, seen: str, meta: Mapping[str, Any], arrays: Arrays) -> str:
    return seen


def _gru(at: Nodes, seen: str, meta: Mapping[str, Any], arrays: Arrays) -> str:
    """``torch.nn.GRU``'s equations, as :class:`.sight.Gru` has them."""
    width = len(arrays["back.w"])
    hidden = at.input("hidden", np.float32, "B", width)
    x = at("Relu", at.affine(seen, arrays["first.w"], arrays["first.b"]))
    sizes = at.c([width] * 3)
    reset, update, new = at.several("Split", 3, at.affine(x, arrays["inward.w"], arrays["inward.b"]), sizes, axis=1)
    was = at.several("Split", 3, at.affine(hidden, arrays["back.w"], arrays["back.b"]), sizes, axis=1)
    reset, update = (at("Sigmoid", at("Add", gate, old)) for gate, old in ((reset, was[0]), (update, was[1])))
    new = at("Tanh", at("Add", new, at("Mul", reset, was[2])))
    after = at("Add", new, at("Mul", update, at("Sub", hidden, new)))
    at.output("next_hidden", after, np.float32, "B", width)
    return after


#: by the name in a policy file, as in :data:`.sight.ENCODERS`
ENCODERS = {"memoryless": _memoryless, "gru": _gru}


# --- what was done ---
def _unworn(at: Nodes, seen: str, allowed: str, meta: Mapping[str, Any]) -> str:
    """Of the allowed actions those done least often at what is seen now, as :class:`.sight.Habits` counts."""
    past = at.input("past_seen", np.float32, "B", "T", meta["n_seen"])
    acts = at.input("past_actions", np.float32, "B", "T", meta["n_actions"])
    same = at("Cast", at("Equal", past, at("Unsqueeze", seen, at.c([1]))), to=at.kind(np.float32))
    again = at("ReduceMin", same, at.c([2]), keepdims=1)
    done = at("Cast", at("ReduceSum", at("Mul", again, acts), at.c([1]), keepdims=0), to=at.kind(np.int64))
    worn = at("Div", done, at.c(meta["repeat_limit"]))
    least = at("ReduceMin", at("Where", allowed, worn, at.c(2**62)), at.c([1]), keepdims=1)
    return at("And", allowed, at("LessOrEqual", worn, least))


def _remember(at: Nodes, seen: str, action: str, meta: Mapping[str, Any]) -> None:
    """What the next step must know of this one, but for hidden states."""
    if not (meta["obs_last_action"] or meta["repeat_limit"]):
        return
    hot = at("Cast", at("Equal", at("Unsqueeze", action, at.c([1])), at.c(np.arange(meta["n_actions"]))),
             to=at.kind(np.float32))
    if meta["obs_last_action"]:
        at.output("next_last_action", hot, np.float32, "B", meta["n_actions"])
    if meta["repeat_limit"]:
        for name, now, width in (("past_seen", seen, meta["n_seen"]), ("past_actions", hot, meta["n_actions"])):
            at.output(f"next_{name}", at("Concat", name, at("Unsqueeze", now, at.c([1])), axis=1), np.float32,
                      "B", "U", width)
