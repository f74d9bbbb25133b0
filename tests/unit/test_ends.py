"""An episode is over when every agent has terminated or been truncated, in whatever mixture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.data.ends import ends_of, known

Marks = dict[tuple[int, int], str]


def flags(steps: int, marks: Marks, stay: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two agents; marks ``(step, agent): t`` (terminated) or ``c`` (cut), which stay until the end if asked."""
    found = {kind: np.zeros((steps, 2), np.bool_) for kind in "tc"}
    for (step, agent), kind in marks.items():
        found[kind][step:steps if stay else step + 1, agent] = True
    return found["t"], found["c"]


@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize(("marks", "ended"), [
    ({(3, 0): "t", (3, 1): "t"}, True), ({(3, 0): "c", (3, 1): "c"}, False), ({(3, 0): "t", (3, 1): "c"}, False),
    ({(1, 0): "t", (3, 1): "t"}, True), ({(1, 0): "t", (3, 1): "c"}, False), ({(1, 0): "c", (3, 1): "t"}, True)])
def test_mixtures_of_ends(marks: Marks, ended: bool, stay: bool) -> None:
    one = flags(4, marks, stay)
    found = ends_of(*(np.concatenate([each, each]) for each in one))
    assert found.stop.tolist() == [4, 8] and found.ended.tolist() == [ended] * 2


def test_an_end_that_nobody_saw() -> None:
    one = flags(4, {(1, 0): "t", (3, 1): "t"}, stay=False)
    found = ends_of(*(np.concatenate([each, each[:3]]) for each in one))
    assert found.stop.tolist() == [4, 7] and found.ended.tolist() == [True, False]
    none = np.zeros((5, 2), np.bool_)
    assert ends_of(none, none).stop.tolist() == [5] and not ends_of(none, none).ended[0]


@pytest.mark.parametrize(("said", "invented"), [({}, True), ({"state": 2.0}, False), ({"mask": False}, False)])
def test_entries_behind_true_ends_are_known_unless_all_are_empty(said: dict[str, float], invented: bool) -> None:
    state, masks = np.ones((2, 4, 1), np.float32), np.ones((2, 4, 1, 2), np.bool_)
    filled, terminated = np.ones((2, 4), np.bool_), np.zeros((2, 4), np.bool_)
    filled[0, 3], terminated[0, 1], terminated[1, 2] = False, True, True
    state[0, 2:], state[1, 3] = 0.0, said.get("state", 0.0)
    masks[1, 3, 0, 1] = bool(said.get("mask", True))
    seen = known(state, masks, filled, terminated)
    assert seen.sum(1).tolist() == ([2, 3] if invented else [3, 4])
    assert (known(0 * state, masks, filled, terminated) == filled).all(), "states that are always zero"
