"""Exported agents with conventions: each alone does what its controller would have it do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from outcome import Outcome

from epymarl_cpa.agreement.key import AgreementKey
from epymarl_cpa.deploy.__main__ import main
from epymarl_cpa.deploy.demo import play
from epymarl_cpa.deploy.policy import Policy, PolicyError

pytestmark = pytest.mark.thorough

Run = Callable[..., Outcome]
Export = Callable[..., tuple[Path, str]]
ALOHA = ("env_args.observation=local", "env_args.rows=1", "env_args.cols=3", "env_args.episode_limit=8",
         "policy_input=obs", "improvement=imitation", "pool_size=4", "student_t_max=60", "student_lr=0.02",
         "entry_floor=0", "law_temperature=10", "recipes.medium.episodes=60")
BRIDGE = ("env_args.observation=local", "policy_input=obs", "improvement=imitation", "pool_size=4",
          "student_t_max=40", "student_lr=0.02", "entry_floor=0", "law_temperature=10")
GRID = ("env_args.problem=gridsmall", "improvement=table", "plans=3", "pool_size=4", "ascents=10", "student_t_max=60",
        "student_lr=0.02", "law_temperature=10", "entry_floor=0", "dataset=good", "recipes.good.episodes=100",
        "recipes.medium.episodes=")
REMEMBERING = [["use_rnn=true", "agent=rnn", "obs_last_action=true"],
               ["use_rnn=true", "agent=rnn_ns", "obs_last_action=true", "obs_agent_id=true"],
               ["use_rnn=false"],
               ["use_rnn=true", "agent=rnn", "repeat_limit=1"],
               ["use_rnn=false", "repeat_limit=2"],
               ["use_rnn=true", "agent=rnn_ns", "obs_last_action=true", "test_greedy=true", "repeat_limit=3"]]
RECYCLING = ["use_rnn=true", "repeat_limit=1", "env_args.problem=recycling", "env_args.episode_limit=5"]


@pytest.fixture
def exported(tiny_run: Run, tmp_path: Path) -> Export:
    """Trains a tiny team and exports it: the policies' folder and the model's."""

    def make(env: str, *words: str) -> tuple[Path, str]:
        outcome = tiny_run(*words, alg="cpa_pa", env=env)
        assert main(["export", str(outcome.models), f"--out={tmp_path / 'agents'}"]) == 0
        return tmp_path / "agents", str(outcome.models)

    return make


@pytest.mark.parametrize("words", REMEMBERING, ids=" ".join)
def test_separate_processes_play_the_controllers_joint_actions(words: list[str], exported: Export) -> None:
    folder, model = exported("aloha", *ALOHA, *words)
    played = play(folder, [3], 60, model)
    assert played.agreed == played.steps >= 60 and played.distinct > 1


@pytest.mark.parametrize("words", [["agent=rnn"], ["agent=rnn_ns", "obs_last_action=true"], RECYCLING], ids=" ".join)
def test_planned_conventions_can_be_exported(words: list[str], exported: Export) -> None:
    folder, model = exported("dpomdp", *GRID, *words)
    played = play(folder, [3], 60, model)
    assert played.agreed == played.steps >= 60 and played.distinct > 1


@pytest.mark.slow
@pytest.mark.parametrize("words", REMEMBERING, ids=" ".join)
def test_they_do_so_for_a_thousand_steps(words: list[str], exported: Export) -> None:
    folder, model = exported("bridge", *BRIDGE, *words)
    played = play(folder, [3], 1000, model)
    assert played.agreed == played.steps >= 1000 and len(played.returns) >= 20


def test_the_limit_is_what_makes_the_difference(exported: Export) -> None:
    """The same networks do something else with it, so the agreement above is not one of agents that ignore it."""
    folder, _ = exported("bridge", *BRIDGE, "use_rnn=false", "repeat_limit=1", "test_greedy=true")
    policy = Policy.load(folder / "agent_0.npz")
    assert policy.meta["repeat_limit"] == 1
    policy.agree(0)
    seen = np.zeros(policy.meta["n_seen"])
    actions = [policy.act(seen, None, episode=0, step=t) for t in range(5)]
    assert sorted(actions) == [0, 1, 2, 3, 4], "every action once before any again"
    assert policy.act(seen, None, episode=1, step=0) == actions[0], "an episode begins with nothing done"
    with pytest.raises(PolicyError, match="remembers and cannot act at step 3 of episode 1"):
        policy.act(seen, None, episode=1, step=3)


def test_an_episode_has_one_convention_and_the_next_one_another(exported: Export) -> None:
    folder, _ = exported("aloha", *ALOHA, "use_rnn=true", "obs_last_action=true")
    policy = Policy.load(folder / "agent_1.npz")
    assert policy.meta["key_per"] == "episode" and policy.meta["conventions"]
    assert policy.agree(4) == AgreementKey(4, "episode").commitment()
    law = policy._head._arrays["law"]  # type: ignore[attr-defined]
    assert law.shape == (4,) and law.sum() == pytest.approx(1)
    seen = np.array([[0.4], [0.6], [0.2], [1.0], [0.0], [0.4], [0.2], [0.8]])
    episodes = {tuple(policy.act(seen[t], None, episode=e, step=t) for t in range(8)) for e in (*range(40), *range(40))}
    assert 1 <= len(episodes) <= 4, "as many as conventions, for nothing else differs"


def test_a_file_holds_no_other_agents_layers(exported: Export) -> None:
    folder, _ = exported("aloha", *ALOHA, "use_rnn=true")
    files = [np.load(folder / f"agent_{i}.npz", allow_pickle=False) for i in range(3)]
    assert {name.split(".")[0] for name in files[0].files} == {"convention", "encoder", "meta", "digest"}
    assert files[0]["convention.first.w"].shape == (8, 8)
    assert not np.array_equal(files[0]["convention.first.w"], files[1]["convention.first.w"])
    assert all(np.array_equal(files[0]["convention.law"], file["convention.law"]) for file in files)
