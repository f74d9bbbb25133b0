"""Same seed, same bits: whole runs, and runs that were divided."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch as th
from outcome import Outcome, equal

from epymarl_cpa.config import FOLDER, resolve

Run = Callable[..., Outcome]
OFFLINE = ("t_max=60", "test_interval=25", "learner_log_interval=7", "lr=0.01", "recipes.medium.episodes=50")
#: a game of chance, small enough to be solved at once
ALOHA = ("env_args.rows=1", "env_args.cols=2", "env_args.episode_limit=5")
ALGS = sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml"))
ONLINE = (*OFFLINE, "runner=episode", "buffer_size=10", "runner_log_interval=20")


def later(outcome: Outcome, t_env: int) -> dict[str, list[tuple[int, float]]]:
    """All points after ``t_env``."""
    series = {key: [point for point in points if point[0] > t_env] for key, points in outcome.series().items()}
    return {key: points for key, points in series.items() if points}


@pytest.mark.parametrize("words", [OFFLINE, ONLINE], ids=["offline", "online"])
@pytest.mark.parametrize("greedy", ["true", "false"])
def test_the_same_seed_gives_the_same_bits(words: tuple[str, ...], greedy: str, tiny_run: Run) -> None:
    one, two, other = (tiny_run(*words, f"test_greedy={greedy}", f"seed={seed}") for seed in (5, 5, 6))
    assert one.series() == two.series()
    assert equal(one.state(), two.state())
    assert one.series() != other.series()
    assert not equal(one.state()["mac"]["agent"], other.state()["mac"]["agent"])


@pytest.mark.parametrize("words", [OFFLINE, ONLINE], ids=["offline", "online"])
@pytest.mark.parametrize("greedy", ["true", "false"])
def test_more_evaluation_changes_no_weight(words: tuple[str, ...], greedy: str, tiny_run: Run) -> None:
    some = tiny_run(*words, f"test_greedy={greedy}")
    more = tiny_run(*words, f"test_greedy={greedy}", "test_interval=1", "test_nepisode=9")
    assert len(more.series()["test_return_mean"]) > len(some.series()["test_return_mean"])
    a, b = some.state(), more.state()
    assert equal({**a, "mac": a["mac"]["agent"]}, {**b, "mac": b["mac"]["agent"]})


@pytest.mark.parametrize(("alg", "greedy"), [
    *((alg, "false") for alg in ALGS),
    *(pytest.param(alg, "true", marks=[] if alg in ("bc", "cpa_pa") else [pytest.mark.slow]) for alg in ALGS)])
def test_a_continued_run_is_the_uninterrupted_one(alg: str, greedy: str, tiny_run: Run) -> None:
    """Train 60 = train 30, load, train to 60: weights, optimisers, counters, generators and later metrics."""
    words = (*OFFLINE, *ALOHA, f"test_greedy={greedy}", "save_model_interval=30")
    if "student_t_max" in resolve(alg, "aloha"):
        words = (*words, "t_max=20", "student_t_max=40", "pool_hidden=8")
    whole = tiny_run(*words, alg=alg, env="aloha")
    assert whole.steps() == [30, 60]
    resumed = tiny_run(*words, f"checkpoint_path={whole.models}", "load_step=30", alg=alg, env="aloha")
    assert resumed.steps() == [60]
    assert equal(resumed.state(), whole.state())
    assert later(resumed, 30) == later(whole, 30)
    assert [t for t, _ in resumed.series()["test_return_mean"]] == [30, 50, 60]


@pytest.mark.parametrize("together", [1, 4])
def test_a_continued_online_run_is_the_uninterrupted_one(together: int, tiny_run: Run) -> None:
    """Also the replay buffer, the environment's luck, and statistics not logged yet."""
    words = (*ONLINE, *ALOHA, "t_max=200", "save_model_interval=100", "runner_log_interval=45",
             f"batch_size_run={together}")
    whole = tiny_run(*words, env="aloha")
    assert whole.steps() == [100, 200]
    resumed = tiny_run(*words, f"checkpoint_path={whole.models}", "load_step=100", env="aloha")
    assert equal(resumed.state(), whole.state())
    assert later(resumed, 100) == later(whole, 100)
    assert "return_mean" in later(whole, 100)


def test_a_run_may_be_divided_by_t_max(tiny_run: Run) -> None:
    """With a constant learning rate; a falling one depends on t_max."""
    whole = tiny_run(*OFFLINE, "lr_final=1")
    half = tiny_run(*OFFLINE, "lr_final=1", "t_max=30")
    rest = tiny_run(*OFFLINE, "lr_final=1", f"checkpoint_path={half.models}")
    assert equal(rest.state(), whole.state())
    assert later(rest, 30) == later(whole, 30)


def test_everything_else_in_a_checkpoint_is_equal_too(tiny_run: Run) -> None:
    whole = tiny_run(*ONLINE, "save_model_interval=30")
    resumed = tiny_run(*ONLINE, "save_model_interval=30", f"checkpoint_path={whole.models}", "load_step=30")
    assert whole.models is not None
    assert resumed.models is not None
    states = [th.load(models / "60/run.th", weights_only=True) for models in (whole.models, resumed.models)]
    curves = [state.pop("curve") for state in states]
    assert curves[1] == sorted([*curves[0], curves[1][2]]), "a continued run evaluates where it begins, too"
    assert curves[1][2][0] == 30
    assert equal(*states)
    assert set(states[0]) == {"runner", "episode", "torch", "buffer"}


def test_the_global_generator_goes_on_too(tiny_run: Run) -> None:
    """Learners may draw from it; another seed shows that the state is loaded and not made again."""
    half = tiny_run(*ONLINE, "t_max=30")
    rest = tiny_run(*ONLINE, "t_max=30", "seed=9", f"checkpoint_path={half.models}")
    assert half.models is not None
    assert rest.models is not None
    states = [th.load(models / "30/run.th", weights_only=True)["torch"] for models in (half.models, rest.models)]
    assert equal(*states)


def test_other_data_are_noticed(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A smaller data set could not even be indexed with the old order of episodes."""
    half = tiny_run(*OFFLINE, "t_max=30")
    capsys.readouterr()
    tiny_run(*OFFLINE, f"checkpoint_path={half.models}", "recipes.medium.episodes=9")
    assert "the checkpoint was trained on other data" in capsys.readouterr().out


def test_other_settings_are_noticed(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    half = tiny_run(*OFFLINE, "t_max=30")
    capsys.readouterr()
    tiny_run(*OFFLINE, "test_interval=9", f"checkpoint_path={half.models}")
    assert "with other settings" not in capsys.readouterr().out
    tiny_run(*OFFLINE, "lr=0.02", f"checkpoint_path={half.models}")
    assert "with other settings: lr=0.02 (was 0.01)\n" in capsys.readouterr().out


def test_wall_clock_and_folders_leave_no_trace_in_the_weights(tiny_run: Run) -> None:
    one, two = tiny_run(*OFFLINE), tiny_run(*OFFLINE, "name=other", "local_results_path=elsewhere")
    assert two.sacred is None, "results are elsewhere"
    folder, = Path("elsewhere/models").iterdir()
    assert equal(th.load(folder / "60/learner.th", weights_only=True), one.state())
    assert json.loads((folder / "60/manifest.json").read_text())["config"]["name"] == "other"
