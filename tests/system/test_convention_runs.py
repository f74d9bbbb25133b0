"""Runs of conventions: the same bits however they are divided, what they report, and what they refuse."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accord import Accord, known
from known import known_game
from outcome import Outcome, equal

from epymarl_cpa.conventions.stage_planner import StagePlanner
from epymarl_cpa.conventions.table_planner import TablePlanner
from epymarl_cpa.data.behaviours import REGISTRY as BEHAVIOURS
from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.envs.game import Game, Step
from epymarl_cpa.errors import UserError

pytestmark = pytest.mark.thorough

Run = Callable[..., Outcome]
#: fit until 20, plan in update 21, teach until 40
TABLE = ("student_t_max=40", "fit_share=0.5", "ascents=4", "plans=2", "pool_size=3", "test_interval=20",
         "recipes.good.episodes=60", "dataset=good", "recipes.medium.episodes=", "learner_log_interval=7",
         "env_args.episode_limit=2")
ALOHA = ("env_args.rows=1", "env_args.cols=2", "env_args.episode_limit=4", "env_args.observation=local",
         "policy_input=obs", "use_rnn=true", "obs_last_action=true", "plans=2", "pool_size=3", "fit_share=0.5")
#: the teacher until 10, fit until 20, plan in update 21, teach until 30
STAGES = (*ALOHA, "improvement=stages", "t_max=10", "student_t_max=20", "model_t_max=10", "scenarios=8",
          "test_interval=15")
STATIONARY = (*ALOHA, "fit_share=0.67", "improvement=stationary", "student_t_max=30", "model_t_max=10",
              "test_interval=15")
IMITATION = (*ALOHA, "improvement=imitation", "student_t_max=30", "fit_temperature=5", "test_interval=15")
KINDS = {"table": ("dpomdp", TABLE), "stages": ("aloha", STAGES), "stationary": ("aloha", STATIONARY),
         "imitation": ("aloha", IMITATION)}


def later(outcome: Outcome, t_env: int) -> dict[str, Any]:
    """All points after ``t_env``."""
    series = {key: [point for point in points if point[0] > t_env] for key, points in outcome.series().items()}
    return {key: points for key, points in series.items() if points}


@pytest.mark.parametrize("greedy", ["false", pytest.param("true", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits(kind: str, greedy: str, tiny_run: Run) -> None:
    env, words = KINDS[kind]
    one, two, other = (tiny_run(*words, f"test_greedy={greedy}", f"seed={seed}", alg="cpa_pa", env=env)
                       for seed in (5, 5, 6))
    assert one.series() == two.series() and equal(one.state(), two.state())
    assert not equal(one.state()["mac"]["agent"], other.state()["mac"]["agent"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_continued_run_is_the_uninterrupted_one(kind: str, tiny_run: Run) -> None:
    """From a checkpoint of every part: the teacher, the fit, just before planning, and the teaching."""
    env, words = KINDS[kind]
    whole = tiny_run(*words, "save_model_interval=5", alg="cpa_pa", env=env)
    end = whole.steps()[-1]
    for step in (5, 15, 20, 25):
        resumed = tiny_run(*words, "save_model_interval=1000", f"checkpoint_path={whole.models}", f"load_step={step}",
                           alg="cpa_pa", env=env)
        assert resumed.steps() == [end]
        assert equal(resumed.state(), whole.state()), step
        assert later(resumed, step) == later(whole, step)
    planned = [bool(whole.state(step)["stages"]["students"]["plan"]) for step in (20, 25)]
    assert planned == [False, kind != "imitation"]


@pytest.mark.parametrize(("kind", "planner"), [("table", TablePlanner), ("stages", StagePlanner)])
def test_a_run_that_is_stopped_while_it_plans_goes_on_as_if_nothing_had_been(
        kind: str, planner: Any, tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    env, words = KINDS[kind]
    plan = planner.plan

    def stopped(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return plan(*args)

    with monkeypatch.context() as patched:
        patched.setattr(planner, "plan", stopped)
        cut = tiny_run(*words, alg="cpa_pa", env=env, status=130)
    assert cut.steps() == [21] and cut.state()["stages"]["students"]["plan"]
    whole = tiny_run(*words, alg="cpa_pa", env=env)
    with monkeypatch.context() as patched:
        patched.setattr(planner, "plan", lambda *args: pytest.fail("it has planned already"))
        resumed = tiny_run(*words, f"checkpoint_path={cut.models}", alg="cpa_pa", env=env)
    assert equal(resumed.state(), whole.state())


@pytest.mark.parametrize("kind", ["table", "imitation"])
def test_evaluation_needs_no_data(kind: str, tiny_run: Run) -> None:
    env, words = KINDS[kind]
    whole = tiny_run(*words, "save_model_interval=10", alg="cpa_pa", env=env)
    for step in (10, whole.steps()[-1]):
        only = tiny_run(*words, "evaluate=true", f"checkpoint_path={whole.models}", f"load_step={step}",
                        "dataset=nowhere.npz", alg="cpa_pa", env=env)
        assert only.models is None
        assert [t for t, _ in only.series()["test_return_mean"]] == [step]
    assert only.series()["test_return_mean"][0] == whole.series()["test_return_mean"][-1]


@pytest.mark.parametrize("kind", KINDS)
def test_diversity_is_that_of_the_key_and_beside_a_teacher_only_where_there_is_one(kind: str, tiny_run: Run) -> None:
    env, words = KINDS[kind]
    outcome = tiny_run(*words, "test_greedy=false", "entry_floor=0", "law_temperature=10", alg="cpa_pa", env=env)
    result, series = outcome.result(), outcome.series()
    assert {"joint_entropy", "marginal_entropy", "modes"} <= result.keys() and result["unlisted"] == 0
    assert ("tv" in result) is ("teacher_modes" in result) is (kind == "stages")
    assert 1 <= result["modes"] <= 3
    assert {"fit_loss", "conventions_used", "sharpness", "temperature"} <= series.keys()
    assert ("reconstruction" in series) is ("value_estimate" in series) is ("teach_loss" in series) \
        is (kind != "imitation")
    heat = [value for _, value in series["temperature"]]
    assert heat == sorted(heat, reverse=True) and max(heat) <= 5
    assert heat[-1] == 0 or kind != "imitation"  # the even beginning is over


# ------------------------------------------------------------------------------------------------- refusals
LOCAL = ("policy_input=obs", "env_args.observation=local", "use_rnn=true")
ONLINE = ("runner=episode", "buffer_size=32", "reward_scale=1.0", "offline_selection=false")


@pytest.mark.parametrize(("env", "words", "sentence"), [
    ("dpomdp", ["plans=9", "pool_size=8", "improvement=table"],
     "plans=9 conventions need as many entries, but pool_size=8."),
    # told at once: the fit would take an hour
    ("bridge", [*LOCAL, "improvement=table", "student_t_max=100000", "fit_share=0.9", "plans=2"],
     "improvement=table is not possible here: the histories of 50 steps are too many; set improvement=imitation."),
    ("sensor", [*LOCAL, "improvement=table", "student_t_max=2", "fit_share=0.1", "plans=2"],
     "joint observations are too many; set improvement=imitation."),
    ("dpomdp", [*ONLINE, "improvement=imitation"],
     "conventions are learned from recorded episodes as a whole; use runner=offline."),
    ("dpomdp", [*ONLINE],
     "conventions are learned from recorded episodes as a whole; use runner=offline."),
    ("dpomdp", ["key=cvae_index"], "key=cvae_index reads the key together with the state"),
    ("dpomdp", ["fit_share=1"], "fit_share=1 leaves improvement=auto no time"),
    ("dpomdp", ["critic_input=history"], "critic_input=history has no effect on cpa_pa, which by these settings"),
    ("dpomdp", ["improvement=tables"], "improvement")])
def test_what_cannot_be_is_refused_with_a_sentence(env: str, words: list[str], sentence: str, tiny_run: Run,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(*words, alg="cpa_pa", env=env, status=2)
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said


def changed_data(tiny_run: Run, change: Callable[[dict[str, Any]], None]) -> str:
    """A data set of Aloha with something else in it; the file's name."""
    tiny_run(*IMITATION, "student_t_max=1", alg="cpa_pa", env="aloha")
    source, = Path("datasets").glob("aloha-*.npz")
    data = OfflineDataset.load(source)
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    change(fields)
    OfflineDataset(**fields).save(Path("changed.npz"))
    return "changed.npz"


@pytest.mark.parametrize("improvement", ["stages", "stationary"])
def test_data_that_planners_cannot_use_are_refused_before_the_teacher_learns(
        improvement: str, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def masked(fields: dict[str, Any]) -> None:
        mask = fields["avail_actions"].copy()
        idle = fields["actions"] == 0
        mask[..., 1] &= ~idle
        fields["avail_actions"] = mask

    def continuous(fields: dict[str, Any]) -> None:
        noise = np.random.default_rng(0).random(fields["state"].shape).astype(np.float32)
        fields["state"] = fields["state"] + 1e-3 * noise

    words = [*(word for word in STAGES if improvement == "stages" or "scenarios" not in word),
             f"improvement={improvement}", "t_max=100000000"]
    words = list({word.partition("=")[0]: word for word in words}.values())
    for change, sentence in ((masked, "need data in which the available actions never change"),
                             (continuous, "set improvement=imitation")):
        file = changed_data(tiny_run, change)
        capsys.readouterr()
        tiny_run(*words, f"dataset={file}", alg="cpa_pa", env="aloha", status=2)
        said = capsys.readouterr().err
        assert sentence in said and "Traceback" not in said


def test_a_teacher_that_is_given_guides_as_one_that_learns_first(tiny_run: Run) -> None:
    """A plan follows from data, teacher and seed; how far the fit has come changes nothing."""
    both = tiny_run(*STAGES, alg="cpa_pa", env="aloha")
    teacher = tiny_run("t_max=10", *ALOHA[:3], alg="cpa_ar", env="aloha")
    given = tiny_run(*STAGES, f"teacher={teacher.models}", alg="cpa_pa", env="aloha")
    assert both.steps() == [30] and given.steps() == [20]
    one, other = (outcome.state()["stages"]["students"]["plan"] for outcome in (both, given))
    assert one and equal(one, other)


def test_data_without_observations_are_refused_where_these_do_not_follow_from_the_state(
        tiny_run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(game: Accord, seen: Any) -> Any:
        raise UserError("what the agents see does not follow from its state: data of it must hold 'obs', too.")

    with known(tmp_path) as file:
        words = ("policy_input=obs", "student_t_max=3", "improvement=imitation", "dataset=", "pool_size=2")
        tiny_run(*words, "recipes.medium.episodes=", alg="cpa_pa", env=file)
        monkeypatch.setattr(Accord, "view", nobody_knows)
        monkeypatch.setattr(Accord, "obs_dim", 2)
        monkeypatch.setattr(Accord, "observe", lambda game, state: np.eye(2, dtype=np.float32)[state[:, 1:]])
        tiny_run(*words, "recipes.medium.episodes=", alg="cpa_pa", env=file, status=2)
    said = capsys.readouterr().err
    assert "does not follow from its state: data of it must hold 'obs', too." in said and "Traceback" not in said


def test_a_teacher_that_nobody_asks_is_warned_about(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tiny_run(*IMITATION, alg="cpa_pa", env="aloha")
    capsys.readouterr()
    warned = tiny_run(*IMITATION, "teacher=nowhere", alg="cpa_pa", env="aloha")
    assert "teacher=nowhere has no effect: conventions have a teacher only with" in capsys.readouterr().out
    assert equal(plain.state()["mac"]["agent"], warned.state()["mac"]["agent"])


def test_where_no_table_is_possible_the_data_are_imitated(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tiny_run(*LOCAL, "improvement=auto", "plans=2", "pool_size=3", "student_t_max=10", "fit_temperature=10",
                       "recipes.medium.episodes=20", "test_nepisode=2", alg="cpa_pa", env="bridge")
    assert "conventions are not improved beyond the data: the histories of 50 steps are too many" in \
        capsys.readouterr().out
    heat = [value for _, value in outcome.series()["temperature"]]
    assert heat == sorted(heat, reverse=True) and len(heat) == 10 and heat[-1] == 0


# ---------------------------------------------------------------------------------------------------- early ends
class Brief(Game):
    """Every agent sees its own bit and should answer with the other one; each step may be the last by chance."""

    name, action_names = "brief", ("no", "yes")

    def __init__(self, episode_limit: int = 20) -> None:
        self.n_agents = self.n_actions = self.state_dim = 2
        self.episode_limit = episode_limit

    def initial(self, batch: int, rng: np.random.Generator) -> Any:
        return np.concatenate([np.zeros((batch, 1), np.int64), rng.integers(2, size=(batch, 2))], 1)

    def transition(self, state: Any, actions: Any, rng: np.random.Generator) -> Step:
        after = self.initial(len(state), rng)
        after[:, 0] = state[:, 0] + 1
        over = (rng.random(len(state)) < 0.3) | (after[:, 0] >= self.episode_limit)
        return Step(after, (actions != state[:, 1:]).all(1) * 1.0, over, {})

    def global_state(self, state: Any) -> Any:
        return state[:, 1:].astype(np.float32)

    def view(self, seen: Any) -> Any:
        return seen.reshape(len(seen), 2, 1)

    def decode(self, seen: Any) -> Any:
        return np.concatenate([np.zeros((len(seen), 1), np.int64), seen.round().astype(np.int64)], 1)

    def draw(self, state: Any) -> str:
        return ""


def mostly(*ignored: Any) -> Any:
    """What is right, in 85 of 100 cases."""
    return lambda state, episode, rng: np.where(rng.random((len(state), 2)) < 0.85, 1 - state[:, 1:], state[:, 1:])


@pytest.fixture
def behaviour() -> Iterator[None]:
    BEHAVIOURS["brief/mostly"] = mostly
    yield
    del BEHAVIOURS["brief/mostly"]


def test_what_lies_behind_an_early_end_is_not_taught(behaviour: None, tiny_run: Run, tmp_path: Path) -> None:
    """It is zeros, which a rule without a memory would take for a sight."""
    yaml = "env: brief\nenv_args: {}\ndataset: m\nrecipes:\n  m: {episodes: 300, mixture: {mostly: 1.0}}\n"
    with known_game(Brief, yaml, tmp_path) as file:
        result = tiny_run("policy_input=obs", "improvement=stationary", "plans=1", "pool_size=1", "student_t_max=120",
                          "fit_share=0.05", "model_t_max=200", "hidden_dim=16", "pool_hidden=32", "test_greedy=true",
                          "test_nepisode=50", "batch_size=32", "recipes.medium.episodes=", "dataset=m",
                          alg="cpa_pa", env=file).result()
    assert result["return"] == result["ep_length"] > 2
