"""Targets, filters and masks of the Q-learning family."""

from __future__ import annotations

import dataclasses

import pytest
import torch as th
from helpers import Built

from epymarl_cpa.components.action_selectors import masked_logits
from epymarl_cpa.components.transitions import Transitions, transitions
from epymarl_cpa.modules.losses import taken

SMALL = ("hidden_dim=8", "mixing_embed_dim=4", "hypernet_embed=4", "batch_size=4")
OFFLINE = ("qmix_offline", "bcq", "cql", "cfcql")


def steps_of(built: Built, episodes: int = 4) -> Transitions:
    """Steps of random play, some masked, with an end, a cut, and encoded states."""
    batch = built.played(episodes)
    step = transitions(batch, built.mac.encoder(batch["state"]))
    generator = th.Generator().manual_seed(0)
    size = (len(step.reward), built.game.n_agents, built.game.n_actions)
    available = (th.rand(size, generator=generator) < 0.6).scatter(2, step.actions[..., None], True)
    following = th.rand(size, generator=generator) < 0.6
    following[..., -1] |= ~following.any(-1)
    done = step.done.clone()
    done[1] = 1.0
    return dataclasses.replace(step, done=done, available=available, next_available=following)


def push(built: Built, bias: float) -> None:
    """Moves targets away from the trained networks, and all values by ``bias``."""
    th.manual_seed(5)
    with th.no_grad():
        for net in (built.learner.q, built.learner.mixer):
            for param in net.target.parameters():
                param.add_(0.3 * th.randn_like(param))
        for net in (built.learner.q.online, built.learner.q.target):
            net.biases[-1].add_(bias)


@pytest.mark.parametrize("mixer", ["qmix", "vdn", "null"])
@pytest.mark.parametrize("double", ["true", "false"])
def test_targets_are_those_of_a_literal_loop(mixer: str, double: str) -> None:
    built = Built("qmix_offline", "sensor", *SMALL, f"mixer={mixer}", f"double_q={double}", "critic_time=false")
    push(built, -50.0)
    step, learner = steps_of(built), built.learner
    got = learner.goals(step)
    for m in range(0, len(step.reward), 7):
        rows = learner.q.target(step.next_state[m][None, None])[0]
        chooser = learner.q.online(step.next_state[m][None, None])[0] if double == "true" else rows
        best = []
        for i in range(built.game.n_agents):
            free = [a for a in range(built.game.n_actions) if step.next_available[m, i, a]]
            best.append(rows[i, max(free, key=lambda a: float(chooser[i, a].detach()))])
        ahead = learner.mixer.target(th.stack(best)[None], step.next_state[m][None])[0]
        literal = step.reward[m] + built.learner.args.gamma * (1 - step.done[m]) * ahead
        assert th.allclose(got[m], literal, rtol=1e-4), m


def test_an_end_is_worth_its_reward_and_a_cut_is_bootstrapped() -> None:
    built = Built("qmix_offline", "sensor", *SMALL)
    push(built, 50.0)
    step = steps_of(built)
    goals = built.learner.goals(dataclasses.replace(step, next_played=th.zeros_like(step.next_played)))
    ended = step.done == 1
    assert ended.any()
    assert th.equal(goals[ended], step.reward[ended])
    assert (goals[~ended] != step.reward[~ended]).all()


def test_several_step_targets_stop_at_cuts_and_agree_without_a_mixer() -> None:
    built = Built("qmix_offline", "sensor", *SMALL, "mixer=null", "td_lambda=0.8")
    push(built, 1.0)
    step = steps_of(built)
    step = dataclasses.replace(step, done=step.done * (1 - step.next_played))
    goals = built.learner.goals(step)
    built.learner.args = dataclasses.replace(built.learner.args, td_lambda=0.0)
    one = built.learner.goals(step)
    last = (step.next_played == 0) | (step.done == 1)
    assert th.allclose(goals[last], one[last])
    first = next(m for m in range(len(last)) if not last[m] and last[m + 1])
    gamma = built.learner.args.gamma
    ahead = (one[first] - step.reward[first]) / gamma
    assert th.allclose(goals[first], step.reward[first] + gamma * (0.2 * ahead + 0.8 * one[first + 1]), rtol=1e-4)


@pytest.mark.parametrize("alg", OFFLINE)
def test_unavailable_actions_change_no_loss(alg: str) -> None:
    """All values are negative, so that a mask of zeros would let unavailable actions win."""
    built = Built(alg, "sensor", *SMALL)
    push(built, -5.0)
    step = steps_of(built)
    never = dataclasses.replace(step, available=step.available.clone(), next_available=step.next_available.clone())
    # The last action of the first agent is neither recorded nor available anywhere.
    for mask in (never.available, never.next_available):
        mask[:, 0, -1] = False
        mask[:, 0, 0] = True
    never.actions[:, 0].clamp_(max=built.game.n_actions - 2)
    never.available.scatter_(2, never.actions[..., None], True)

    def losses() -> dict[str, float]:
        raw = {key: float(value) for key, value in built.learner.losses(never)[0].items()}
        return {key: value for key, value in raw.items() if key != "logit_loss"}  # it keeps all logits small

    before = losses()
    with th.no_grad():
        for name in ("q", "imitation", "behaviour"):
            net = built.learner.nets.get(name)
            if net is not None:
                for agents in (getattr(net, "online", net), getattr(net, "target", net)):
                    agents.biases[-1][0, 0, -1] += 1000.0
    assert losses() == pytest.approx(before, rel=1e-4)


def filtered(threshold: float, *words: str) -> tuple[Built, th.Tensor, th.Tensor, th.Tensor]:
    """A BCQ controller whose values and imitation disagree; its states, masks and shares G / max G."""
    built = Built("bcq", "sensor", *SMALL, f"bcq_threshold={threshold}", *words)
    with th.no_grad():
        built.mac.imitation.weights[-1].mul_(6)
    step = steps_of(built)
    g = masked_logits(built.mac.imitation(step.state[:, None]), step.available).softmax(-1)
    return built, step.state, step.available, g / g.amax(-1, keepdim=True)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 1.0])
def test_a_chosen_action_always_passes_the_filter(threshold: float) -> None:
    built, state, available, share = filtered(threshold)
    chosen = built.mac.choose(built.mac.values(state[:, None], available), available, 0, True)
    assert (taken(share, chosen) >= threshold - 1e-6).all()
    assert taken(available, chosen).all()
    if threshold == 1.0:
        assert th.equal(chosen, share.argmax(-1))


def test_without_the_filter_it_need_not() -> None:
    built, state, available, share = filtered(0.3, "filter_actions=false")
    chosen = built.mac.choose(built.mac.values(state[:, None], available), available, 0, True)
    assert (taken(share, chosen) < 0.3).any()
    assert taken(available, chosen).all()


def test_targets_use_the_same_filter() -> None:
    built, _, _, _ = filtered(0.3)
    step = steps_of(built)
    allowed = built.learner.next_allowed(step)
    logits = built.mac.imitation(step.next_state[:, None])
    assert th.equal(allowed, built.mac.allowed(logits, step.next_available))
    assert (allowed <= step.next_available).all()
    assert allowed.any(-1).all()
    assert (allowed.sum(-1) < step.next_available.sum(-1)).any()


def test_rows_of_padding_pass_nothing_and_break_nothing() -> None:
    built, state, available, _ = filtered(0.3)
    nothing = th.zeros_like(available)
    assert not built.mac.allowed(built.mac.imitation(state[:, None]), nothing).any()
    assert th.isfinite(built.mac.values(state[:, None], nothing)).all()


@pytest.mark.parametrize("alg", OFFLINE)
def test_targets_start_as_copies(alg: str) -> None:
    built = Built(alg, "aloha", *SMALL)
    for net in (built.learner.q, built.learner.mixer):
        for a, b in zip(net.online.parameters(), net.target.parameters(), strict=True):
            assert th.equal(a, b)
            assert not b.requires_grad


def test_bcq_keeps_its_imitation_in_files_and_copies(tmp_path: object) -> None:
    one, two = (Built("bcq", "xor", *SMALL, f"seed={seed}") for seed in (0, 1))
    one.mac.save_models(str(tmp_path))
    two.mac.load_models(str(tmp_path))
    three = Built("bcq", "xor", *SMALL, "seed=2")
    three.mac.load_state(one.mac)
    for other in (two, three):
        for a, b in zip(one.mac.parameters(), other.mac.parameters(), strict=True):
            assert th.equal(a, b)


@pytest.mark.parametrize(("t_env", "epsilon"), [(0, 0.9), (500, 0.5), (1000, 0.1), (5000, 0.1)])
def test_exploration_falls_linearly_and_tests_never_explore(t_env: int, epsilon: float) -> None:
    built = Built("qmix", "xor", "epsilon_start=0.9", "epsilon_finish=0.1", "epsilon_anneal_time=1000")
    values = th.tensor([1.0, 0.0]).expand(4000, 2, 2)
    free = th.ones(4000, 2, 2, dtype=th.bool)
    share = built.mac.choose(values, free, t_env, False).float().mean().item()
    assert share == pytest.approx(epsilon / 2, abs=0.025)  # half of the random actions are the other one
    assert not built.mac.choose(values, free, t_env, True).any()
