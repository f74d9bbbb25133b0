"""Damage to a .dpomdp file is told, or leaves a sound model; nothing else happens."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from epymarl_cpa.envs.dpomdp.parse import parse
from epymarl_cpa.errors import UserError

TEXT = """\
agents: 2
discount: 0.9
values: reward
states: a b
start: 0.5 0.5
actions:
x y
2
observations:
2
u v
T: * :
identity
T: x 0 : a :
0.25 0.75
T: 3
uniform
O: * : * :
0.1 0.2 0.3 0.4
O: y 1 : b : 0 u : 0.1
R: * : a : * : * : -2.5
R: x * : b : a : * : 1
R: 0 : b :
1 2 3 4
5 6 7 8
"""
WORDS = st.sampled_from(["", ":", "*", "0", "-1", "1e9", "1e999", "nan", "uniform", "identity", "start", "T:", "\n",
                         " ", "agents: 2", "states: 99999999", "#", "\x00", "٣", "a a", "T: * : * : * : * :", "1_0"])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), WORDS | st.text(max_size=4)), max_size=4))
def test_damage_is_told_or_harmless(changes: list[tuple[int, int, str]]) -> None:
    text = TEXT
    for place, removed, put in changes:
        text = text[:place] + put + text[place + removed:]
    try:
        model = parse(text, "x.dpomdp")
    except UserError as error:
        assert str(error).startswith("x.dpomdp") and str(error).endswith(".")
        return
    for law in (model.transition, model.observation, model.start):
        assert law.min() >= 0 and abs(law.sum(-1) - 1).max() < 1e-6
    assert np.isfinite(model.reward).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(TEXT) - 1))
def test_a_file_that_was_cut_off_is_told_or_sound(end: int) -> None:
    try:
        parse(TEXT[:end], "x.dpomdp")
    except UserError:
        pass
