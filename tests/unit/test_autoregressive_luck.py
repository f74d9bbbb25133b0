"""The shared-seed chain: every agent walks it alone, and all walk the same one."""

from __future__ import annotations

import numpy as np
import pytest
import torch as th
from helpers import Built

from epymarl_cpa.evaluation.play import evaluate

WORDS = ("hidden_dim=8", "test_greedy=false", "beta=0.05", "env_args.episode_limit=4")


def test_two_agents_with_the_same_seed_walk_the_same_chain() -> None:
    """Whatever they were asked before, and in whatever company."""
    one, other = (Built("cpa_ar", "permutation", *WORDS, "shared_seed=true", "seed=3") for _ in range(2))
    batch = one.played(6)
    for mac in (one.mac, other.mac):
        mac.seed_tests()
        mac.init_hidden(6)
    other.mac.select_actions(batch, 3, 0, test_mode=True)
    other.mac.select_actions(batch, 0, 0)  # training's luck is another one
    for t in (2, 0):
        whole = one.mac.select_actions(batch, t, 0, test_mode=True)
        parts = [other.mac.select_actions(batch, t, 0, bs=[row], test_mode=True) for row in (5, 0, 1, 2, 3, 4)]
        assert th.equal(th.cat(parts)[[1, 2, 3, 4, 5, 0]], whole)


def test_other_seeds_walk_other_chains() -> None:
    first, second = (Built("cpa_ar", "permutation", *WORDS, "shared_seed=true", "seed=3") for _ in range(2))
    second.mac.seed_with(4)
    batch = first.played(50)
    assert not th.equal(first.mac.select_actions(batch, 0, 0, test_mode=True),
                        second.mac.select_actions(batch, 0, 0, test_mode=True))


@pytest.mark.parametrize("shared", ["true", "false"])
def test_both_kinds_of_luck_follow_the_law(shared: str) -> None:
    built = Built("cpa_ar", "xor", "hidden_dim=8", "test_greedy=false", "beta=0.05", f"shared_seed={shared}")
    batch = built.batch(4000)
    evaluate(built.game, built.mac, batch, 0, 0)
    law = built.mac.joint_law(batch, th.tensor([0]), th.tensor([0]), 16)
    played = batch["actions"][:, 0, :, 0].numpy()
    for actions, probability in zip(law.actions[0].numpy(), law.probs[0].numpy(), strict=True):
        share = (played == actions).all(1).mean()
        assert abs(share - probability) < 4 * np.sqrt(0.25 / 4000)
