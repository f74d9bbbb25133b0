"""The first part of a ``.dpomdp`` file: agents, states, start, actions and observations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..game import FloatArray
from .blocks import LARGEST, WHOLE, Block, Text

TOLERANCE = 1e-3  # published files are rounded; what is nearer than this to 1 is taken for a law
MOST_AGENTS = 16
KEYS = ("agents", "discount", "values", "states", "start", "actions", "observations")
STARTS = ("start", "start include", "start exclude")


@dataclass(frozen=True)
class Header:
    """What the entries are read by.

    Attributes:
        text: the file.
        sign: -1 where values are costs.
        states: names.
        actions, observations: names, for each agent.
        start: ``[S]``.
    """

    text: Text
    sign: float
    states: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]
    observations: tuple[tuple[str, ...], ...]
    start: FloatArray

    @property
    def sizes(self) -> tuple[int, int, int]:
        """J, S and O."""
        return math.prod(map(len, self.actions)), len(self.states), math.prod(map(len, self.observations))


def header(text: Text, found: Sequence[Block]) -> Header:
    """Reads the blocks that are no entries, in any order.

    Raises:
        UserError: one is missing, comes twice or says what it must not; the problem is too large to hold.
    """
    given: dict[str, Block] = {}
    for block in found:
        key = "start" if block.key in STARTS else block.key
        if key not in KEYS:
            block.fail(f"'{block.key[:40]}:' is not a key of this format; its keys are T, O, R, {', '.join(KEYS)}")
        if key in given:
            block.fail(f"'{key}:' comes a second time, after line {given[key].line}")
        if key not in ("actions", "observations") and len(block.parts) > 1:
            block.fail(f"'{key}:' must not have a second colon")
        given[key] = block
    if missing := [key for key in KEYS if key not in given and key not in ("discount", "values")]:
        text.fail(0, f"the file has no '{missing[0]}:'; it is not a .dpomdp file, or was cut off")
    if "discount" in given:
        _discount(given["discount"])
    n_agents = len(_names(given["agents"], given["agents"].words, "agent", MOST_AGENTS))
    if n_agents < 2:
        given["agents"].fail("there must be two or more agents")
    states = _names(given["states"], given["states"].words, "state", LARGEST)
    actions, observations = (_each(given[key], n_agents, key[:-1]) for key in ("actions", "observations"))
    head = Header(text, _sign(given), states, actions, observations, _start(given["start"], states))
    j, s, o = head.sizes
    if max(j * s * s, j * s * o, s * s * o) > LARGEST:
        text.fail(0, f"{s} states, {j} joint actions and {o} joint observations are too many to hold as tables")
    return head


def _names(block: Block, words: Sequence[str], what: str, most: int) -> tuple[str, ...]:
    """Names, or as many as a number says."""
    listed = [name for word in words for name in word.split(",") if name]
    if not listed:
        block.fail(f"{what}s are missing: a number, or names")
    if len(listed) == 1 and listed[0].isdecimal():
        return tuple(map(str, range(block.whole(listed[0], 1, most, f"the number of {what}s"))))
    if len(listed) > most:
        block.fail(f"{len(listed)} {what}s are too many")
    known: set[str] = set()
    for name in listed:
        if name in known or name == "*":
            block.fail(f"'{name[:40]}' cannot be the name of a second {what}")
        known.add(name)
    return tuple(listed)


def _each(block: Block, n_agents: int, what: str) -> tuple[tuple[str, ...], ...]:
    """Names for each agent, a line for each."""
    rows = ([tuple(block.parts[-1].split())] if block.parts[-1] else []) + list(block.rows)
    if len(block.parts) > 1 or len(rows) != n_agents:
        block.fail(f"'{block.key}:' needs a line for each of the {n_agents} agents, not {len(rows)}")
    return tuple(_names(block, row, what, 4096) for row in rows)


def _discount(block: Block) -> None:
    words = block.words
    if len(words) != 1 or not 0 <= block.number(words[0]) <= 1:
        block.fail("'discount:' must be a number from 0 to 1")


def _sign(given: Mapping[str, Block]) -> float:
    if "values" not in given:
        return 1.0
    words = given["values"].words
    if words not in (["reward"], ["cost"]):
        given["values"].fail("'values:' must be reward or cost")
    return 1.0 if words == ["reward"] else -1.0


def _start(block: Block, states: Sequence[str]) -> FloatArray:
    """The law of the first state: uniform, one state, some or all but some, or numbers."""
    words, law = block.words, np.zeros(len(states))
    if not words:
        block.fail("'start:' says nothing")
    if block.key != "start":
        law[[k for word in words for k in block.pick(word, states, "state")]] = 1.0
        law = law if block.key == "start include" else 1.0 - law
        if not law.any():
            block.fail("no state is left to start in")
    elif words == ["uniform"]:
        law[:] = 1.0
    elif len(words) == 1 and (words[0] in states or (WHOLE.fullmatch(words[0]) and len(states) > 1)):
        law[block.pick(words[0], states, "state")] = 1.0
    else:
        law = block.numbers(words, law.shape, "'start:'")
        if law.min() < 0 or abs(law.sum() - 1) > TOLERANCE:
            block.fail(f"the probabilities of 'start:' must not be negative, and sum to 1, not {law.sum():.6g}")
    law /= law.sum()
    return law
