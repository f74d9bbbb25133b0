"""The second part of a ``.dpomdp`` file: ``T:``, ``O:`` and ``R:``, of which later ones overrule earlier ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ..game import FloatArray, IntArray
from .blocks import WHOLE, Block
from .header import TOLERANCE, Header
from .model import joint_names


def joint(block: Block, written: str, names: Sequence[Sequence[str]], what: str) -> IntArray:
    """Numbers of joint actions or observations: one word for all, or one for each agent; ``*`` is any."""
    words, sizes = written.split(), [len(each) for each in names]
    if words == ["*"]:
        return np.arange(math.prod(sizes))
    if len(words) == 1 and WHOLE.fullmatch(words[0]):
        return np.array([block.whole(words[0], 0, math.prod(sizes) - 1, f"the number of a joint {what}")])
    if len(words) != len(names):
        block.fail(f"a joint {what} must be a number or a {what} for each of the {len(names)} agents, "
                   f"not '{written[:60]}'")
    each = [block.pick(word, own, what) for word, own in zip(words, names, strict=True)]
    return np.array([int(np.ravel_multi_index(chosen, sizes)) for chosen in itertools.product(*each)])


def laws(head: Header, found: Sequence[Block], key: str) -> FloatArray:
    """``T`` as ``[J, S, S']`` or ``O`` as ``[J, S', O]``, made laws.

    Raises:
        UserError: an entry cannot be read, or probabilities are missing, negative or do not sum to 1.
    """
    j, s, o = head.sizes
    table, line = np.zeros((j, s, s if key == "T" else o)), np.zeros((j, s), dtype=np.int64)
    for block in found:
        parts, words = _split(block, 3)
        actions = joint(block, parts[0], head.actions, "action")
        states = block.pick(parts[1], head.states, "state") if len(parts) > 1 else np.arange(s)
        if len(parts) == 3:
            ends = block.pick(parts[2], head.states, "state") if key == "T" else \
                joint(block, parts[2], head.observations, "observation")
            table[np.ix_(actions, states, ends)] = _probabilities(block, words, ())
        else:
            shape = table.shape[2:] if len(parts) == 2 else table.shape[1:]
            table[np.ix_(actions, states)] = _probabilities(block, words, shape)
        line[np.ix_(actions, states)] = block.line
    total = table.sum(2)
    for a, b in np.argwhere(abs(total - 1) > TOLERANCE):
        what = f"the probabilities of {key} for action '{' '.join(joint_names(head.actions, a))}' and " \
               f"{'' if key == 'T' else 'next '}state '{head.states[b]}'"
        head.text.fail(int(line[a, b]), f"{what} sum to {total[a, b]:.6g}, not to 1" if line[a, b] else
                       f"{what} are missing")
    table /= total[:, :, None]
    return table


def expected_reward(head: Header, found: Sequence[Block], transition: FloatArray, observation: FloatArray,
                    ) -> FloatArray:
    """What a joint action pays in a state on average, ``[J, S]``; 0 where the file says nothing.

    Raises:
        UserError: an entry cannot be read.
    """
    j, s, o = head.sizes
    by_action: list[list[tuple[tuple[IntArray, ...], FloatArray]]] = [[] for _ in range(j)]
    for block in found:
        actions, places, paid = _paid(head, block)
        for a in actions:
            by_action[a].append((places, paid))
    reward = np.zeros((j, s))
    for a, entries in enumerate(by_action):
        # as small a table as holds what this action's pay depends on
        by_end = any(len(places[1]) < s or paid.size > 1 for places, paid in entries)
        by_seen = any(len(places[2]) < o or paid.size > 1 for places, paid in entries)
        full = np.zeros((s, s if by_end or by_seen else 1, o if by_seen else 1))
        for (states, ends, seen), paid in entries:
            ends = ends if full.shape[1] == s else np.zeros(1, dtype=np.int64)  # which stands for all
            seen = seen if full.shape[2] == o else np.zeros(1, dtype=np.int64)
            full[np.ix_(states, ends, seen)] = paid
        mean = np.einsum("sto,to->st", full, observation[a]) if full.shape[2] > 1 else full[:, :, 0]
        reward[a] = (transition[a] * mean).sum(1)  # [S, 1] is the same for every next state
    return head.sign * reward


def _paid(head: Header, block: Block) -> tuple[IntArray, tuple[IntArray, ...], FloatArray]:
    """Joint actions of an ``R:`` entry, and the places and pay that it sets, ``[states, ends, seen]`` or one number."""
    (_, s, o), (parts, words) = head.sizes, _split(block, 4)
    if len(parts) < 2:
        block.fail("'R:' needs a joint action and a state at least")
    actions, states = joint(block, parts[0], head.actions, "action"), block.pick(parts[1], head.states, "state")
    ends = block.pick(parts[2], head.states, "state") if len(parts) > 2 else np.arange(s)
    seen = joint(block, parts[3], head.observations, "observation") if len(parts) > 3 else np.arange(o)
    shape = ((s, o), (o,), ())[len(parts) - 2]
    return actions, (states, ends, seen), block.numbers(words, shape, "the pay")


def _split(block: Block, most: int) -> tuple[list[str], list[str]]:
    """What an entry is of, and the words that stand for its numbers: after its last colon, or on the lines below."""
    parts, below = list(block.parts), [word for row in block.rows for word in row]
    if len(parts) > most + 1:
        block.fail(f"'{block.key}:' has too many colons")
    same_line = len(parts) == most + 1 or (len(parts) > 1 and (not parts[-1] or not below))
    words = [*parts.pop().split(), *below] if same_line else below
    if not all(parts):
        block.fail(f"nothing stands after '{block.key}:' or between two colons")
    if not words:
        block.fail(f"the numbers of this '{block.key}:' are missing")
    return parts, words


def _probabilities(block: Block, words: list[str], shape: tuple[int, ...]) -> FloatArray:
    """Numbers from 0 to 1 of this shape, which the words ``uniform`` and ``identity`` can stand for."""
    if words == ["uniform"] and shape:
        return np.full(shape, 1 / shape[-1])
    if words == ["identity"] and block.key == "T" and len(shape) == 2:
        return np.eye(shape[0])
    found = block.numbers(words, shape, "the probabilities")
    if found.min() < 0 or found.max() > 1 + TOLERANCE:
        block.fail("probabilities must lie between 0 and 1")
    return found
