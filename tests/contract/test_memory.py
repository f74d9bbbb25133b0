"""Every method with agents that remember, and with critics that do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recall
import torch as th
from helpers import Built
from outcome import Outcome, equal

from epymarl_cpa.config import FOLDER, resolve
from epymarl_cpa.controllers import REGISTRY as MACS
from epymarl_cpa.controllers.base import Controller
from epymarl_cpa.controllers.independent_controller import BasicMAC
from epymarl_cpa.errors import UserError
from epymarl_cpa.evaluation.play import evaluate
from epymarl_cpa.modules.encoders import REGISTRY as ENCODERS
from epymarl_cpa.modules.encoders import Encoder
from epymarl_cpa.modules.encoders.memoryless import Memoryless
from epymarl_cpa.modules.followed import Followed

pytestmark = pytest.mark.thorough

AGENTS = ["rnn", "rnn_ns"]
#: every method; students learn at once, from a teacher that has learned nothing; those of the paper see the state alone
ALGS = [*sorted({file.stem for file in (FOLDER / "algs").glob("*.yaml")} - {"kd", "cpa_pa", "cpa_pa_printed"}),
        "kd t_max=0", "cpa_pa t_max=0"]
#: what falls on a batch that is learned again and again, where it is not the temporal difference
FALLS = {"alberdice": "marginal_loss", "cpa_ar": "critic_loss", "cpa_ar_printed": "critic_loss",
         "omiga": "critic_loss", "maicq": "critic_loss", "maicq_tuned": "critic_loss",
         "oryx": "critic_loss", "kd": "pool_loss", "cpa_pa": "fit_loss",
         "bc": "policy_loss", "ar_bc": "policy_loss", "cql": "cql_loss", "cfcql": "cf_loss"}
SMALL = {"hidden_dim": "8", "learner_log_interval": "1", "t_max": "50", "policy_start": "0.0", "pool_hidden": "8",
         "lr": "0.005", "student_lr": "0.005", "env_args.episode_limit": "6",
         "improvement": "imitation", "fit_even": "0"}
SEEN = ("policy_input=obs", "obs_last_action=true", "obs_agent_id=true")


def make(alg: str, *words: str, env: str = "bridge") -> Built:
    name, *more = alg.split()
    known = resolve(name, env)
    chosen = {**SMALL, **dict(word.split("=", 1) for word in (*more, *words))}
    return Built(name, env, *(f"{key}={value}" for key, value in chosen.items() if key.partition(".")[0] in known))


def changed(built: Built, net: str, learn: Callable[[], Any]) -> bool:
    params = list(built.learner.nets[net].parameters())
    before = [param.detach().clone() for param in params]
    learn()
    return any(not th.equal(a, b) for a, b in zip(before, params, strict=True))


# ---------------------------------------------------------------------------------------------- what is seen
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("seen", "action", "number"),
                         [*itertools.product(["state", "obs"], ["true", "false"], ["true", "false"])])
@pytest.mark.parametrize("levels", [0, 3])
def test_episodes_encoded_at_once_are_those_lived_step_by_step(agent: str, seen: str, action: str, number: str,
                                                               levels: int) -> None:
    built = make("bc", "use_rnn=true", f"agent={agent}", f"policy_input={seen}", f"obs_last_action={action}",
                 f"obs_agent_id={number}", f"state_levels={levels}")
    batch, mac = built.played(6), built.mac
    whole = mac.encode(batch)
    alike = (seen, action, number, agent) == ("state", "false", "false", "rnn")
    assert mac.all_alike is alike
    assert whole.shape == (6, 7, 1 if alike else 2, 8)
    mac.init_hidden(batch_size=6)
    for t in range(4):
        rows = np.arange(6)[: 6 - t]  # some episodes end early
        assert th.allclose(mac.observe(batch, t, rows), whole[rows, t], atol=1e-6)
    places = th.tensor([0, 5, 2]), th.tensor([0, 3, 6])
    assert th.equal(mac.encode_at(batch, *places), whole[places])


def test_own_last_action_and_number_stand_behind_what_is_observed() -> None:
    built = make("bc", *SEEN, "state_levels=3")
    batch, size, actions = built.played(5), built.info.obs_shape, built.info.n_actions
    seen = built.mac.seen(batch)
    assert th.equal(seen[..., :size], batch["obs"])
    assert not seen[:, 0, :, size:size + actions].any()
    assert th.equal(seen[:, 1:, :, size:size + actions], batch["actions_onehot"][:, :-1])
    assert th.equal(seen[..., size + actions:], th.eye(2).expand(5, 7, 2, 2))
    rows, times = th.tensor([3, 0, 4]), th.tensor([0, 2, 6])
    assert th.equal(built.mac.seen(batch, rows, times), seen[rows, times])
    assert all(th.equal(built.mac.seen(batch, [1, 3], t), seen[[1, 3], t]) for t in range(3))
    spread = built.mac.encode(batch)
    assert spread.shape[-1] == 3 * size + actions + 2 == built.mac.encoder.n_out
    assert th.equal(spread[..., 3 * size:], seen[..., size:]), "only what is observed has levels"


def test_a_network_for_each_agent_is_what_a_network_shared_by_one_would_be() -> None:
    own, shared = (ENCODERS[name](make("bc").mac.encoder.sight, 8) for name in ("rnn_ns", "rnn"))
    seen = th.randn(4, 5, 2, own.sight.n_observed)
    for agent in (0, 1):
        mine = own.arrays_of(agent)
        with th.no_grad():
            for name, weight, bias in (("first", shared.first.weight, shared.first.bias),
                                       ("inward", shared.gru.weight_ih_l0, shared.gru.bias_ih_l0),
                                       ("back", shared.gru.weight_hh_l0, shared.gru.bias_hh_l0)):
                weight.copy_(mine[f"{name}.w"].T)
                bias.copy_(mine[f"{name}.b"])
            assert th.allclose(own(seen)[:, :, agent], shared(seen[:, :, agent:agent + 1])[:, :, 0], atol=1e-6)
        assert all(th.equal(value, mine[name]) for name, value in shared.arrays_of(agent).items())


@pytest.mark.parametrize("agent", AGENTS)
def test_who_else_is_in_the_batch_makes_no_difference(agent: str) -> None:
    built = make("bc", "use_rnn=true", f"agent={agent}", *SEEN)
    batch, mac = built.played(9), built.mac
    alone = batch[[2, 5]]
    together, apart = mac.encode(batch), mac.encode(alone)
    assert th.allclose(together[[2, 5]], apart, atol=1e-6)
    mac.init_hidden(batch_size=9)
    several = [mac.select_actions(batch, t, 0, test_mode=True) for t in range(5)]
    mac.init_hidden(batch_size=2)
    assert all(th.equal(several[t][[2, 5]], mac.select_actions(alone, t, 0, test_mode=True)) for t in range(5))


# ------------------------------------------------------------------------------------------------ learning
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("alg", ALGS)
def test_every_method_learns(alg: str, agent: str) -> None:
    built = make(alg, "use_rnn=true", f"agent={agent}", *SEEN)
    batch, losses = built.played(6), []
    assert changed(built, "encoder", lambda: losses.extend(built.run.train(batch, t, t) for t in range(1, 41)))
    name = FALLS.get(alg.split()[0], "td_loss")
    assert np.mean([each[name] for each in losses[-3:]]) < np.mean([each[name] for each in losses[:3]])
    evaluate(built.game, built.mac, built.batch(4), 0, 0)


@pytest.mark.parametrize("alg", ["bc", "qmix_offline", "cpa_ar alpha=0.1", "alberdice"])
def test_what_stands_behind_the_end_of_an_episode_changes_nothing(alg: str) -> None:
    built = make(alg, "use_rnn=true", *SEEN, *(["critic_input=history"] if alg != "bc" else []))
    batch = built.played(4)
    batch["filled"][:2, 4:] = 0  # two episodes end early
    th.manual_seed(0)
    before = built.learner.losses(built.learner.steps(batch))[0]
    for key in ("obs", "state"):
        batch[key][:2, 4:] = 7.0
    th.manual_seed(0)
    after = built.learner.losses(built.learner.steps(batch))[0]
    assert all(th.allclose(before[name], after[name]) for name in before)


def test_targets_see_by_the_targets_of_encoders() -> None:
    built = make("qmix_offline", "use_rnn=true", "critic_input=history")
    learner, batch = built.learner, built.played(4)
    for name, online in (("encoder", built.mac.encoder), ("critic_encoder", learner.state_encoder)):
        assert isinstance(learner.nets[name], Followed) and learner.nets[name].online is online
    step = learner.steps(batch)
    assert th.equal(step.next_inputs, step.lagged.next_inputs) and not step.lagged.next_inputs.requires_grad
    goals = learner.goals(step)
    with th.no_grad():
        for net in ("encoder", "critic_encoder"):
            for param in learner.nets[net].target.parameters():
                param.add_(0.5)
    shifted = learner.steps(batch)
    assert th.equal(shifted.next_inputs, step.next_inputs) and th.equal(shifted.state, step.state)
    assert not th.equal(learner.goals(shifted), goals)
    far = [param.clone() for param in learner.nets["encoder"].target.parameters()]
    built.run.train(batch, 1, 1)
    assert all(not th.equal(a, b) for a, b in zip(far, learner.nets["encoder"].target.parameters(), strict=True))


@pytest.mark.parametrize("alg", ["cpa_ar", "cpa_ar weight=prefix", "cpa_ar weight=joint policy_loss=weighted", "maicq",
                                 "cpa_ar weight=per_agent", "oryx", "omiga", "alberdice", "qmix_offline", "cfcql"])
def test_critics_remember_what_policies_do_not_see(alg: str) -> None:
    built = make(alg, "critic_input=history", "state_levels=0")
    learner, batch = built.learner, built.played(4)
    assert type(built.mac.encoder) is Memoryless
    step = learner.steps(batch)
    assert step.state.requires_grad and not step.inputs.requires_grad
    assert th.equal(step.inputs[:, 0], step.recorded_state)
    batch["actions"][:, 0], batch["actions_onehot"][:, 0] = 0, th.eye(built.info.n_actions)[0]
    other = learner.steps(batch)
    assert not th.equal(other.state[step.time == 1], step.state[step.time == 1]), "joint actions are in the history"
    assert th.equal(other.inputs, step.inputs)
    assert changed(built, "critic_encoder", lambda: built.run.train(batch, 1, 1))


def test_alberdices_marginals_leave_the_policies_memory_alone() -> None:
    built = make("alberdice", "use_rnn=true")
    losses = built.learner.losses(built.learner.steps(built.played(4)))[0]
    losses["marginal_loss"].backward()
    assert all(param.grad is None for param in built.mac.encoder.parameters())


# ------------------------------------------------------------------------------------------ what needs it
@pytest.fixture
def dark(tmp_path: Path) -> Iterator[str]:
    """The environment file of a game that shows at first what is to be done at last."""
    with recall.known(tmp_path) as file:
        yield file


def learned(alg: str, env: str, updates: int, *words: str, told: bool = False) -> float:
    """The return after learning from random play, in which the last action is right if ``told``."""
    built = Built(alg, env, "hidden_dim=16", f"t_max={updates}", "batch_size=64", *words)
    batch, rng = built.played(256), np.random.default_rng(0)
    if told:
        batch.update({"actions": batch["state"][:, 0].argmax(-1)[:, None, None].expand(-1, 2, 1)}, ts=3)
    for t in range(1, updates + 1):
        built.run.train(batch[rng.choice(256, 64, replace=False).tolist()], t, t)
    return float(evaluate(built.game, built.mac, built.batch(100), 0, 0)["return"].mean())


def test_cloning_what_needs_a_memory_needs_one(dark: str) -> None:
    assert learned("bc", dark, 150, "lr=0.01", told=True) < 0.7
    for agent in AGENTS:
        assert learned("bc", dark, 150, "lr=0.01", "use_rnn=true", f"agent={agent}", "policy_input=obs", told=True) == 1


@pytest.mark.parametrize("alg", ["qmix_offline", "cpa_ar"])
def test_learning_what_needs_a_memory_from_random_play_needs_it_in_the_critic_too(alg: str, dark: str) -> None:
    words = ["lr=0.005", "target_update_interval_or_tau=0.05", "policy_input=obs"]
    assert learned(alg, dark, 250, *words, "use_rnn=true", "critic_input=history") == 1
    assert learned(alg, dark, 250, *words, "critic_input=history") < 0.7


# ------------------------------------------------------------------------------------------ files, refusals
@pytest.mark.parametrize(("alg", "agent"), [("bc", "rnn"), ("cpa_ar", "rnn_ns"), ("cpa_pa", "rnn_ns"), ("vdn", "rnn"),
                                            ("cql", "rnn_ns")])
def test_a_resumed_run_goes_on_bit_for_bit(alg: str, agent: str, tiny_run: Callable[..., Outcome]) -> None:
    words = {"cpa_pa": ["t_max=2", "student_t_max=4", "pool_hidden=8"], "vdn": ["t_max=24", "batch_size=2"]}
    interval = 12 if alg == "vdn" else 3
    line = ["use_rnn=true", f"agent={agent}", *SEEN, f"save_model_interval={interval}", f"test_interval={interval}",
            *(["critic_input=history"] if alg not in ("bc", "vdn", "cpa_pa") else []), "env_args.episode_limit=4",
            *words.get(alg, ["t_max=6"])]
    whole = tiny_run(*line, alg=alg, env="bridge")
    resumed = tiny_run(*line, f"checkpoint_path={whole.models}", f"load_step={interval}", alg=alg, env="bridge")
    assert len(whole.steps()) > 1
    assert equal(whole.state(), resumed.state())
    assert whole.result()["curve"] == resumed.result()["curve"]


def test_other_memories_are_other_networks(tiny_run: Callable[..., Outcome],
                                           capsys: pytest.CaptureFixture[str]) -> None:
    whole = tiny_run("use_rnn=true", alg="bc")
    tiny_run(f"checkpoint_path={whole.models}", alg="bc", status=2)
    assert "was trained with use_rnn=True, but this run has use_rnn=False" in capsys.readouterr().err


def test_a_teacher_that_remembers_is_refused(tiny_run: Callable[..., Outcome], capsys: pytest.CaptureFixture[str],
                                             ) -> None:
    teacher = tiny_run("use_rnn=true", alg="cpa_ar")
    tiny_run("use_rnn=true", f"teacher={teacher.models}", "student_t_max=2", alg="cpa_pa", status=2)
    assert "students need a teacher that sees the present state and no more, with use_rnn=False" in \
        capsys.readouterr().err


def test_the_teacher_of_students_that_remember_is_the_one_of_students_that_do_not() -> None:
    plain, remembering = (make("cpa_pa", *words) for words in (
        ["improvement=auto", "fit_even=0.3"], ["use_rnn=true", *SEEN]))
    assert equal(plain.mac.teacher.agent.state_dict(), remembering.mac.teacher.agent.state_dict())
    assert remembering.mac.teacher.sees_state_alone and not remembering.mac.all_alike
    assert plain.learner.nets.keys() == remembering.learner.nets.keys() - {"encoder"}


def test_students_learn_from_every_step_where_states_do_not_tell_what_they_see() -> None:
    built = make("kd t_max=0", "policy_input=obs")
    step = built.learner.steps(built.played(6))
    few = len(built.learner._distinct(step)[0])
    assert few < len(step.reward)
    step.inputs[step.time == 0] = th.randn_like(step.inputs[step.time == 0])  # all begin in few states
    rows, first, count = built.learner._distinct(step)
    assert th.equal(first, th.arange(len(step.reward))) and bool((count == 1).all()) and len(rows.unique()) == few


@pytest.mark.parametrize("words", [["policy_input=obs"], ["obs_last_action=true"], ["obs_agent_id=true"],
                                   ["use_rnn=true", "agent=rnn_ns"]])
def test_what_students_do_not_see_alike_cannot_be_their_key_or_encoding(words: list[str]) -> None:
    with pytest.raises(UserError, match="key=cvae_index reads the key together with the state"):
        resolve("cpa_pa", "bridge", [*words, "key=cvae_index"])
    with pytest.raises(UserError, match="selection=encoder compares entries with an encoding of the state"):
        resolve("cpa_pa", "bridge", [*words, "selection=encoder"])
    resolve("cpa_pa", "bridge", ["use_rnn=true", "key=cvae_index", "selection=encoder"])


def test_an_unknown_memory_is_refused_with_a_sentence() -> None:
    with pytest.raises(UserError, match=r"unknown agent 'rnm' \(did you mean 'rnn'\?\); the choices are: .*rnn_ns"):
        resolve("bc", "xor", ["agent=rnm"])


def test_a_controller_without_a_memory_says_so() -> None:
    class Blind(BasicMAC):
        def new_encoder(self) -> Encoder:
            return Memoryless(super().new_encoder().sight, 8)

    MACS["blind_mac"] = Blind
    try:
        assert isinstance(make("bc", "mac=blind_mac").mac, Controller)
        with pytest.raises(UserError, match="use_rnn=true has no effect on mac=blind_mac, whose agents have no memory"):
            make("bc", "mac=blind_mac", "use_rnn=true")
    finally:
        del MACS["blind_mac"]
