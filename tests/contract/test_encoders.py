"""An encoder with a memory goes through training, acting, evaluation, saving, resuming and export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recurrent
import torch as th
from helpers import Built
from outcome import Outcome, equal

from epymarl_cpa.build import Team
from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.deploy import policy
from epymarl_cpa.deploy.export import StudentTeam, export
from epymarl_cpa.deploy.policy import Policy
from epymarl_cpa.errors import UserError
from epymarl_cpa.evaluation.play import evaluate

pytestmark = pytest.mark.thorough

#: methods with what keeps them small; students learn at once, from a teacher that has learned nothing
METHODS = {"bc": "t_max=4", "cpa_ar": "t_max=4 policy_start=0", "oryx": "t_max=4", "bcq": "t_max=4",
           "alberdice": "t_max=4 policy_start=0", "maicq": "t_max=4",
           "cpa_pa": "t_max=0 student_t_max=4 pool_hidden=8",
           "cpa_pa policy_input=obs": "t_max=0 student_t_max=9 pool_hidden=8 improvement=imitation"}


def make(alg: str) -> Built:
    name, *more = alg.split()
    return Built(name, "bridge", "use_rnn=true", "agent=running", "hidden_dim=8", *more, *METHODS[alg].split())


@pytest.mark.parametrize("alg", METHODS)
def test_episodes_encoded_at_once_are_those_lived_step_by_step(alg: str) -> None:
    built = make(alg)
    batch = built.played(6)
    whole = built.mac.encode(batch)
    built.mac.init_hidden(batch_size=6)
    for t in range(4):
        rows = np.arange(6)[: 6 - t]  # some episodes end early
        assert th.allclose(built.mac.observe(batch, t, rows), whole[rows, t], atol=1e-6)
    assert not th.equal(whole[:, 3], built.mac.encoder(built.mac.seen(batch)[:, 3:4])[:, 0]), "the past matters"


@pytest.mark.parametrize("alg", METHODS)
def test_training_reaches_the_encoder(alg: str) -> None:
    built = make(alg)
    batch, keep = built.played(6), built.mac.encoder.keep
    before = keep.detach().clone()
    for t in range(1, 5):
        built.run.train(batch, t, t)
    assert not th.equal(before, keep)


def test_a_memory_tells_what_the_state_does_not() -> None:
    """In data of XOR over two rounds all play A first and then B; the state is the same in both."""
    def last_actions(*words: str) -> list[Any]:
        built = Built("bc", "xor", "env_args.episode_limit=2", *words, "lr=0.02", "t_max=150")
        batch = built.played(8)
        for t in (0, 1):
            batch.update({"actions": np.full((8, 2, 1), t)}, ts=t)
        for t in range(1, 151):
            built.run.train(batch, t, t)
        played: EpisodeBatch = built.batch(3)
        evaluate(built.game, built.mac, played, 0, 0)
        actions: list[Any] = played["actions"][:, :2, :, 0].tolist()
        return actions

    assert last_actions("use_rnn=true", "agent=running") == [[[0, 0], [1, 1]]] * 3
    assert last_actions() != [[[0, 0], [1, 1]]] * 3


@pytest.mark.parametrize("alg", ["bc", "cpa_ar", "cpa_pa", "qmix"])
def test_runs_are_saved_resumed_and_evaluated(alg: str, tiny_run: Callable[..., Outcome]) -> None:
    words = {"cpa_pa": ["t_max=2", "student_t_max=4", "pool_hidden=8"], "qmix": ["t_max=120", "batch_size=2"]}
    interval = 50 if alg == "qmix" else 3
    line = ["use_rnn=true", "agent=running", f"save_model_interval={interval}", f"test_interval={interval}",
            *words.get(alg, ["t_max=6"])]
    whole = tiny_run(*line, alg=alg, env="bridge")
    resumed = tiny_run(*line, f"checkpoint_path={whole.models}", f"load_step={interval}", alg=alg, env="bridge")
    assert len(whole.steps()) > 1 and resumed.steps()[0] > interval
    assert equal(whole.state(), resumed.state())
    assert whole.result()["curve"] == resumed.result()["curve"]
    told = tiny_run(*line, f"checkpoint_path={whole.models}", "evaluate=True", alg=alg, env="bridge")
    assert told.result()["return"] == whole.result()["return"]
    assert Team(str(whole.models)).mac.encoder.state_dict()["keep"] == whole.state()["mac"]["encoder"]["keep"]


@pytest.mark.parametrize("seen", ["state", "obs"])
def test_exported_agents_remember_what_the_team_does(seen: str, tiny_run: Callable[..., Outcome], tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    limit = ["repeat_limit=1"] if seen == "obs" else []
    run = tiny_run("use_rnn=true", "agent=running", f"policy_input={seen}", "t_max=1", "student_t_max=30",
                   "pool_hidden=8", "student_lr=0.02", *limit, alg="cpa_pa", env="bridge")
    agents = [Policy.load(file) for file in sorted(export(str(run.models), tmp_path / "agents"))]
    team = StudentTeam(str(run.models))
    team.mac.seed_with(7)
    for agent in agents:
        agent.agree(7)
    rng, chosen = np.random.default_rng(0), []
    for episode in range(3):
        batch, state = team.empty_batch(), team.game.initial(1, rng)
        team.mac.init_hidden(batch_size=1)
        for step in range(6):
            team.seen(state, batch, step)
            actions = team.mac.select_actions(batch, step, 0, test_mode=True)[0].tolist()
            shown = team.game.observe(state)[0] if seen == "obs" else [team.game.global_state(state)[0]] * 2
            assert actions == [agent.act(shown[i], episode=episode, step=step) for i, agent in enumerate(agents)]
            batch.update({"actions": np.array(actions)[None, :, None]}, ts=step, mark_filled=False)
            chosen.append(tuple(actions))
            state = team.game.transition(state, np.array([actions]), rng).state
    assert len(set(chosen)) > 1
    monkeypatch.delitem(policy.ENCODERS, "running")
    with pytest.raises(UserError, match=r"trained with agent=running, which has no counterpart in sight\.py; those "
                                        r"that can be exported are: memoryless, gru"):
        export(str(run.models), tmp_path / "none")


def test_an_unknown_encoder_is_told() -> None:
    assert recurrent.Running.exported == "running"
    with pytest.raises(UserError, match=r"unknown agent 'runing' \(did you mean 'running'\?\)"):
        Built("bc", "xor", "agent=runing")
