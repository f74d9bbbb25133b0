"""Every learner and controller that a YAML file names keeps EPyMARL's contract."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch as th
from helpers import EXTERNAL_ENVS, OUR_ENVS, Built, needing_its_package

from epymarl_cpa.config import FOLDER, resolve
from epymarl_cpa.errors import UserError

#: every method; and students that learn at once, from a teacher that has learned nothing
ALGS = [*sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml")), "cpa_pa t_max=0"]
ENVS = [*OUR_ENVS, *map(needing_its_package, EXTERNAL_ENVS)]
#: what keeps a run small, as far as the method knows the key
SMALL = {"hidden_dim": "8", "learner_log_interval": "1", "t_max": "10", "policy_start": "0.0", "pool_hidden": "8"}


def make(alg: str, env: str, **words: str) -> Built:
    """Controller and learner of a small run; behind the name of ``alg`` may stand words of its own."""
    name, *more = alg.split()
    known = resolve(name, env)
    chosen = {**SMALL, **dict(word.split("=") for word in more), **words}
    return Built(name, env, *(f"{key}={value}" for key, value in chosen.items() if key in known))


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("env", ENVS)
def test_training_changes_the_policy_and_logs(alg: str, env: str) -> None:
    built = make(alg, env)
    before = [p.clone() for p in built.mac.parameters()]
    batch = built.played(4)
    told: set[str] = set()
    for t in range(3):
        told |= built.run.train(batch, t, t).keys()
    assert any(not th.equal(a, b) for a, b in zip(before, built.mac.parameters(), strict=True))
    assert all(th.isfinite(p).all() for p in built.mac.parameters())
    assert any(name.endswith("_loss") for name in told)


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("greedy", ["true", "false"])
def test_only_available_actions_are_chosen(alg: str, greedy: str) -> None:
    built = make(alg, "sensor", test_greedy=greedy)
    batch = built.played(16)
    batch["avail_actions"][:, 0, :, :] = 0
    only = th.randint(0, built.game.n_actions, (16, built.game.n_agents, 1), generator=th.Generator().manual_seed(0))
    batch["avail_actions"][:, 0].scatter_(2, only, 1)
    for test_mode in (False, True):
        actions = built.mac.select_actions(batch, t_ep=0, t_env=0, test_mode=test_mode)
        assert th.equal(actions, only[..., 0])


@pytest.mark.parametrize("alg", ALGS)
def test_actions_have_the_shape_of_the_chosen_episodes(alg: str) -> None:
    built = make(alg, "aloha")
    batch = built.played(5)
    built.mac.init_hidden(batch_size=5)
    assert built.mac.select_actions(batch, t_ep=1, t_env=0).shape == (5, 10)
    some = built.mac.select_actions(batch, t_ep=1, t_env=0, bs=[0, 3], test_mode=True)
    assert some.shape == (2, 10)
    assert some.dtype == th.long
    logits = built.mac.forward(batch, t=1)
    assert logits.shape == (5, 10, 2)


@pytest.mark.parametrize("alg", ALGS)
def test_test_mode_draws_nothing_from_training(alg: str) -> None:
    one, two = (make(alg, "sensor", test_greedy="false") for _ in range(2))
    batch = one.played(8)
    global_before = th.get_rng_state()
    for _ in range(3):
        one.mac.select_actions(batch, t_ep=0, t_env=0, test_mode=True)
    assert th.equal(th.get_rng_state(), global_before)
    assert th.equal(one.mac.select_actions(batch, t_ep=1, t_env=0), two.mac.select_actions(batch, t_ep=1, t_env=0))


@pytest.mark.parametrize("alg", ALGS)
def test_state_goes_through_files_and_training_goes_on_alike(alg: str, tmp_path: Path) -> None:
    one, two = (make(alg, "bridge", seed=str(seed)) for seed in (0, 1))
    batch = one.played(4)
    one.run.train(batch, 0, 0)
    one.run.save_models(str(tmp_path))
    two.run.load_models(str(tmp_path))
    for built in (one, two):
        th.manual_seed(9)  # some methods draw at random in an update; a run saves that generator, too
        built.run.train(batch, 1, 1)
    for mine, other in zip(one.run.learners, two.run.learners, strict=True):
        for name, net in mine.nets.items():
            for key, value in net.state_dict().items():
                assert th.equal(value, other.nets[name].state_dict()[key]), (name, key)
    copy.deepcopy(one.mac)


@pytest.mark.parametrize("alg", ALGS)
def test_divergence_stops_the_run_with_a_sentence_and_changes_nothing(alg: str) -> None:
    built = make(alg, "xor")
    batch = built.played(4)
    batch["state"][:] = float("nan")
    before = [p.clone() for p in built.mac.parameters()]
    with pytest.raises(UserError, match="not finite at t_env 7"):
        built.run.train(batch, 7, 7)
    assert all(th.equal(a, b) for a, b in zip(before, built.mac.parameters(), strict=True))


@pytest.mark.parametrize("alg", ALGS)
def test_a_batch_without_a_complete_step_is_refused_with_a_sentence(alg: str) -> None:
    built = make(alg, "xor")
    with pytest.raises(UserError, match="holds no step whose outcome is known"):
        built.run.train(built.batch(3), 0, 0)
