"""``limit_ends``: whether what happens at the episode limit teaches anything, and what values know of the time."""

from __future__ import annotations

import dataclasses

import pytest
import torch as th
from helpers import Built

from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.components.transitions import transitions
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.sweeps.grid import read_grid

SMALL = ("hidden_dim=8", "batch_size=4", "policy_start=0", "alpha=0.05", "critic_time=false")


@pytest.mark.parametrize("limit_ends", [True, False])
def test_the_step_at_the_limit(limit_ends: bool) -> None:
    built = Built("cpa_ar", "bridge", *SMALL, f"limit_ends={limit_ends}")
    batch, last = built.played(4), built.info.episode_limit - 1
    before = built.learner.losses(built.learner.steps(batch))[0]
    assert batch["filled"][:, last].any()
    batch["reward"][:, last] += 7.0
    batch["actions"][:, last] = (batch["actions"][:, last] + 1) % built.info.n_actions
    after = built.learner.losses(built.learner.steps(batch))[0]
    for name in ("behaviour_loss", "critic_loss", "policy_loss"):
        assert (before[name] == after[name]).item() is not limit_ends, name


METHODS = ["maicq", "maicq_tuned", "omiga", "oryx", "alberdice", "cql", "bcq", "cfcql", "qmix_offline"]


def losses_of(built: Built, batch: EpisodeBatch) -> dict[str, float]:
    th.manual_seed(5)  # AlberDICE and Oryx draw
    return {name: float(value.detach()) for name, value in built.learner.losses(built.learner.steps(batch))[0].items()}


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_values_can_leave_the_limit_out_too(method: str) -> None:
    small = ("hidden_dim=8", "batch_size=4")
    built, cut = (Built(method, "bridge", *small, *words) for words in ((), ("limit_ends=false",)))
    ends = Built(method, "bridge", *small, "limit_ends=true")
    batch, last = built.played(4), built.info.episode_limit - 1
    assert losses_of(ends, batch) == losses_of(built, batch), "our games say that the limit is an end"
    batch["terminated"][:, last] = 0  # as an environment does that was only cut off
    assert losses_of(ends, batch) != losses_of(built, batch)
    step = cut.learner.steps(batch)
    assert int(step.time.max()) == last - 1 and int(built.learner.steps(batch).time.max()) == last
    before = losses_of(cut, batch)
    for each in (batch["reward"], batch["terminated"]):
        each[:, last] += 1
    assert losses_of(cut, batch) == before, "what happens there teaches nothing"
    moved = dataclasses.replace(step, time=step.time + 1)
    th.manual_seed(5)
    if not getattr(cut.learner.args, "td_lambda", 0.0) and method != "maicq":  # returns follow steps in time
        found = {name: float(value.detach()) for name, value in cut.learner.losses(moved)[0].items()}
        assert found == before, "no time is seen"


def test_what_is_left_are_the_other_steps_in_their_order() -> None:
    built = Built("cpa_ar", "bridge", *SMALL)
    batch = built.played(4)
    step = transitions(batch, batch["state"])
    left = step[step.time < 3]
    assert left.time.tolist() == [0, 1, 2] * 4
    assert left.episode.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert th.equal(left.state, step.state[step.time < 3])


@pytest.mark.parametrize("method", ["cpa_ar", "omiga"])
def test_games_of_one_step_have_nothing_else(method: str) -> None:
    with pytest.raises(UserError, match=r"xor have no other; set limit_ends=true\.$"):
        Built(method, "xor", "limit_ends=false")


def test_rows_made_before_the_key_keep_their_names() -> None:
    (spec, *_) = read_grid("printed")
    older = {key: value for key, value in spec.config.items() if key != "limit_ends"}
    assert spec.config["limit_ends"] is True
    assert dataclasses.replace(spec, config=older).id == spec.id
    assert dataclasses.replace(spec, config={**spec.config, "limit_ends": False}).id != spec.id
    assert dataclasses.replace(spec, config={**spec.config, "critic_time": None}).id != spec.id
