"""A run: what it evaluates, logs, saves and shows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcome import Outcome, equal

Run = Callable[..., Outcome]
TESTS = {"test_return_mean", "test_return_std", "test_ep_length_mean", "test_regret_mean"}


def no_constants(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def test_it_evaluates_before_training_at_intervals_and_at_the_end(tiny_run: Run) -> None:
    series = tiny_run("t_max=10", "test_interval=4").series()
    tests = {key: points for key, points in series.items() if key.startswith("test_")}
    assert set(tests) == TESTS
    for key, points in tests.items():
        assert [t for t, _ in points] == [0, 4, 8, 10], key


def test_an_evaluation_that_falls_on_the_end_is_not_repeated(tiny_run: Run) -> None:
    assert [t for t, _ in tiny_run("t_max=8", "test_interval=4").series()["test_return_mean"]] == [0, 4, 8]


def test_evaluations_agree_with_each_other_and_the_result(tiny_run: Run) -> None:
    outcome = tiny_run(env="aloha")
    series, result = outcome.series(), outcome.result()
    assert result["return"] == series["test_return_mean"][-1][1]
    assert result["ep_length"] == series["test_ep_length_mean"][-1][1] == 20
    for (_, mean), (_, regret) in zip(series["test_return_mean"], series["test_regret_mean"], strict=True):
        assert mean + regret == pytest.approx(result["optimum"])


def test_aloha_counts_its_messages(tiny_run: Run) -> None:
    series = tiny_run(env="aloha").series()
    assert set(series) >= TESTS | {"test_messages_sent_mean"}
    assert [t for t, _ in series["test_messages_sent_mean"]] == [0, 4, 6]


def test_records_are_valid_json_that_others_can_plot(tiny_run: Run) -> None:
    """The facts that EPyMARL's plotting script needs."""
    outcome = tiny_run("learner_log_interval=2")
    assert outcome.sacred == Path("results/sacred/ar_bc/xor/1")
    for name in ("config", "run", "info", "metrics"):
        json.loads((outcome.sacred / f"{name}.json").read_text(), parse_constant=no_constants)
    config, metrics, info = (outcome.record(name) for name in ("config", "metrics", "info"))
    assert config["name"] == "ar_bc"
    assert config["env"] == "xor"
    assert config["env_args"]["map_name"] == "xor"
    assert config["common_reward"] is True
    assert config["reward_scalarisation"] == "sum"
    assert config["seed"] == 1
    assert "test_return_mean" in metrics
    for key, entry in metrics.items():
        assert len(entry["steps"]) == len(entry["values"]) == len(entry["timestamps"])
        assert all(isinstance(value, float) and math.isfinite(value) for value in entry["values"]), key
        assert all(isinstance(t, int) for t in entry["steps"])
        assert entry["steps"] == sorted(entry["steps"])
        assert info[key] == entry["values"]
        assert info[f"{key}_T"] == entry["steps"]
    assert outcome.record("run")["status"] == "COMPLETED"


def test_seeds_differ_in_nothing_but_the_seed(tiny_run: Run) -> None:
    """EPyMARL's plots average runs whose configurations are otherwise equal."""
    one, two = (tiny_run(f"seed={seed}").record("config") for seed in (1, 2))
    assert {key for key in one if one[key] != two[key]} == {"seed"}


def test_learner_statistics_come_at_their_interval(tiny_run: Run) -> None:
    series = tiny_run("t_max=7", "learner_log_interval=3").series()
    assert [t for t, _ in series["policy_loss"]] == [1, 4, 7]


def test_summaries_come_at_their_interval(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run("t_max=7", "log_interval=3")
    out = capsys.readouterr().out
    assert [line.rpartition("] ")[2] for line in out.splitlines() if "t_env" in line] == [
        "t_env 3, episode 24", "t_env 6, episode 48"]


@pytest.mark.parametrize(("words", "steps"), [
    (["save_model_interval=0"], [6]), (["save_model_interval=4"], [4, 6]), (["save_model_interval=3"], [3, 6]),
    (["save_model=false", "save_model_interval=2"], [6]), (["t_max=0"], [0])])
def test_when_it_saves(words: list[str], steps: list[int], tiny_run: Run) -> None:
    assert tiny_run(*words).steps() == steps


def test_no_updates_at_all(tiny_run: Run) -> None:
    series = tiny_run("t_max=0").series()
    assert [t for t, _ in series["test_return_mean"]] == [0]
    assert set(series) == TESTS


def final(outcome: Outcome) -> dict[str, Any]:
    """A run's result; of its curve the last point, as a run that only evaluates has no other."""
    result: dict[str, Any] = outcome.result()
    return {**result, "curve": result["curve"][-1]}


@pytest.mark.parametrize("greedy", ["true", "false"])
@pytest.mark.parametrize("env", ["bridge", "aloha"])
def test_evaluating_a_checkpoint_repeats_the_final_evaluation_exactly(env: str, greedy: str, tiny_run: Run) -> None:
    words = ("seed=7", f"test_greedy={greedy}", "test_interval=2")
    trained = tiny_run(*words, env=env)
    repeated = tiny_run(*words, "evaluate=true", f"checkpoint_path={trained.models}", "dataset=not there", env=env)
    assert repeated.models is None, "nothing was trained, nothing is saved"
    for key, points in repeated.series().items():
        assert points == trained.series()[key][-1:], key
    assert final(repeated) == final(trained)


def test_a_checkpoint_brings_its_seed_along(tiny_run: Run) -> None:
    trained = tiny_run("seed=7", env="aloha")
    repeated = tiny_run("seed=", "evaluate=true", f"checkpoint_path={trained.models}", env="aloha")
    assert repeated.record("config")["seed"] == 7
    assert final(repeated) == final(trained)


@pytest.mark.parametrize(("step", "loaded"), [(0, 6), (2, 2), (3, 2), (99, 6)])
def test_load_step(step: int, loaded: int, tiny_run: Run) -> None:
    trained = tiny_run("save_model_interval=2", env="aloha")
    got = tiny_run("evaluate=true", f"checkpoint_path={trained.models}", f"load_step={step}", env="aloha")
    (t, _), = got.series()["test_return_mean"]
    assert t == loaded
    one = tiny_run("evaluate=true", f"checkpoint_path={trained.models}/{loaded}", env="aloha")
    assert one.series() == got.series(), "one checkpoint may be named itself"


@pytest.mark.parametrize(("words", "env", "sentence"), [
    (["env_args.n_agents=3"], "xor", "was trained with env_args.n_agents=2, but this run plays env_args.n_agents=3"),
    ([], "bridge", "was trained with game=xor, but this run plays game=bridge"),
    (["hidden_dim=9"], "xor", "was trained with hidden_dim=8, but this run has hidden_dim=9"),
    (["checkpoint_path=altered"], "xor", "altered/6/run.th is missing or was altered; the checkpoint cannot be used")])
def test_checkpoints_that_do_not_fit(words: list[str], env: str, sentence: str, tiny_run: Run,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run()
    assert trained.models is not None
    (Path("altered") / "6").mkdir(parents=True)
    for file in (trained.models / "6").iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= file.name == "run.th"
        (Path("altered/6") / file.name).write_bytes(bytes(content))
    capsys.readouterr()
    tiny_run(f"checkpoint_path={trained.models}", *words, env=env, status=2)
    err = capsys.readouterr().err.strip()
    assert sentence in err
    assert "\n" not in err


def test_networks_of_another_shape_are_refused(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where only the learner knows what decides the shape."""
    trained = tiny_run(alg="cpa_ar")
    capsys.readouterr()
    tiny_run(f"checkpoint_path={trained.models}", "weight=per_agent", alg="cpa_ar", status=2)
    err = capsys.readouterr().err.strip()
    assert "does not fit the networks of this run" in err
    assert "\n" not in err


def test_rendering_shows_one_episode_and_logs_no_other(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run(env="aloha")
    capsys.readouterr()
    shown = tiny_run("evaluate=true", "render=true", f"checkpoint_path={trained.models}", env="aloha")
    out = capsys.readouterr().out
    states = [line for line in out.splitlines() if line.startswith("step ")]
    assert len(states) == 21, "twenty steps and the state after them"
    assert [t for t, _ in shown.series()["test_return_mean"]] == [6]
    quiet = tiny_run("evaluate=true", f"checkpoint_path={trained.models}", env="aloha")
    assert shown.series() == quiet.series()


def test_evaluating_without_a_checkpoint_warns(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run("evaluate=true")
    assert "evaluating an untrained controller" in capsys.readouterr().out


def test_without_a_gpu_it_warns_and_runs(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert tiny_run("use_cuda=true").steps() == [6]
    assert "no GPU is available: running on the CPU" in capsys.readouterr().out


def test_a_batch_may_be_larger_than_the_data(tiny_run: Run) -> None:
    assert tiny_run("batch_size=100", "recipes.medium.episodes=3").series()["policy_loss"][-1][0] == 6


@pytest.mark.parametrize(("scalarisation", "share"), [("sum", 0.5), ("mean", 1.0)])
def test_individual_rewards_train_alike_and_are_logged_by_epymarls_names(scalarisation: str, share: float,
                                                                         tiny_run: Run) -> None:
    common = tiny_run(alg="cpa_ar")
    own = tiny_run("common_reward=false", f"reward_scalarisation={scalarisation}", alg="cpa_ar")
    assert equal(common.state(), own.state()), "equal shares of the same team reward"
    series = own.series()
    team = series["test_return_mean"]
    assert team == common.series()["test_return_mean"]
    for agent in range(2):
        assert series[f"test_agent_{agent}_return_mean"] == [(t, share * value) for t, value in team]
    assert series["test_total_return_mean"] == [(t, 2 * share * value) for t, value in team]
    assert "test_total_return_std" in series
    assert not any("total" in key for key in common.series())


def test_the_online_runner_trains(tiny_run: Run) -> None:
    outcome = tiny_run("runner=episode", "t_max=30", "buffer_size=12", "runner_log_interval=10", "test_interval=10",
                       "lr_final=1")
    series = outcome.series()
    assert [t for t, _ in series["test_return_mean"]] == [0, 10, 20, 30]
    assert [t for t, _ in series["return_mean"]] == [1, 11, 21]
    assert [t for t, _ in series["ep_length_mean"]] == [1, 11, 21]
    assert series["policy_loss"][0][0] == 8, "as soon as the buffer holds batch_size episodes"
    assert len(series["policy_loss"]) == 30 - 8 + 1, "one update per episode from then on"
    assert outcome.steps() == [30]


@pytest.mark.parametrize("scalarisation", ["sum", "mean"])
def test_the_online_runner_knows_individual_rewards(scalarisation: str, tiny_run: Run) -> None:
    words = ("runner=episode", "t_max=60", "buffer_size=8", "batch_size=2", "runner_log_interval=20")
    common = tiny_run(*words, env="aloha")
    own = tiny_run(*words, "common_reward=false", f"reward_scalarisation={scalarisation}", env="aloha")
    for key in ("return_mean", "messages_sent_mean", "collisions_mean", "ep_length_mean"):
        for (t, value), (other_t, other) in zip(own.series()[key], common.series()[key], strict=True):
            assert t == other_t
            assert value == pytest.approx(other), key
    assert [t for t, _ in own.series()["total_return_mean"]] == [20, 40, 60]


def test_online_training_may_start_from_an_offline_checkpoint(tiny_run: Run) -> None:
    trained = tiny_run()
    tuned = tiny_run("runner=episode", "t_max=12", "buffer_size=8", f"checkpoint_path={trained.models}")
    assert tuned.series()["test_return_mean"][0] == (0, trained.series()["test_return_mean"][-1][1])
    assert tuned.steps() == [12], "its clock counts steps, not updates, and starts at 0"


def test_the_game_recorded_in_a_checkpoint(tiny_run: Run) -> None:
    outcome = tiny_run(env="aloha")
    assert outcome.models is not None
    manifest = json.loads((outcome.models / "6/manifest.json").read_text())
    assert manifest["game"]["game"] == "aloha"
    assert manifest["config"] == outcome.record("config")
    assert len(manifest["dataset"]["digest"]) == 64


@pytest.mark.parametrize("env, told", [
    ("aloha", {"is_end": True, "reason": "no recorded episode ended before its 20 steps"}),
    ("bridge", {"is_end": False, "reason": "40 of 40 recorded episodes ended before its 50 steps"})])
def test_what_the_data_tell_of_the_limit_is_told_and_recorded(env: str, told: dict[str, Any], tiny_run: Run,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tiny_run("dataset=good", "recipes.medium.episodes=", "recipes.good.episodes=40", alg="cpa_ar", env=env)
    assert outcome.models is not None
    words = "ends the game" if told["is_end"] else "only cuts episodes off, so that values are those of any time"
    assert capsys.readouterr().out.count(f"the episode limit {words}: {told['reason']}") == 1
    assert json.loads((outcome.models / "6/manifest.json").read_text())["limit"] == told
    other = tiny_run("limit_ends=true", alg="cpa_ar", env=env)
    assert other.models is not None
    assert "limit" not in json.loads((other.models / "6/manifest.json").read_text()), "nobody asked"


def test_an_unwritable_model_folder_is_told_at_the_end(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("results").mkdir()
    Path("results/models").write_text("a file in the way")
    tiny_run(status=2)
    assert "Error: the model cannot be saved to results/models/" in capsys.readouterr().err
