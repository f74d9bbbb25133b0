"""Scenarios of the real VMAS, and EPyMARL's keys for them and for PettingZoo's environments."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import needing_its_package
from outcome import Outcome, equal

from epymarl_cpa.config import resolve
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.errors import UserError
from epymarl_cpa.render.painters.external import photographed

Run = Callable[..., Outcome]
needs_vmas = needing_its_package("vmas").marks[0]
needs_mpe = pytest.mark.skipif(find_spec("mpe2") is None, reason="needs mpe2")
QUICK = ("env_args.time_limit=6", "recipes.random.episodes=24", "t_max=4", "test_interval=2", "test_nepisode=4")


def played(game: Game, episodes: int = 3, seed: int = 0) -> list[Any]:
    """All that is seen and paid in random episodes."""
    rng = np.random.default_rng(seed)
    state, found = game.initial(episodes, rng), []
    while len(state):
        actions = game.random_actions(state, rng)
        step = game.transition(state, actions, rng)
        found.append((actions.tolist(), game.observe(step.state).tolist(), step.reward.tolist(), step.done.tolist()))
        state = step.state[~step.done]
    return found


@needs_vmas
def test_learning_from_data_is_the_same_twice(tiny_run: Run) -> None:
    one, two = (tiny_run(*QUICK, "policy_start=0.0", alg="cpa_ar", env="vmas") for _ in range(2))
    assert equal(one.state(), two.state()) and one.result()["headline_optimum"] is None
    assert one.series()["test_return_mean"] == two.series()["test_return_mean"]
    assert "test_agent_0_pos_rew_mean" in one.series()  # what the scenario says of its agents
    assert one.models is not None and "vmas-give_way" in str(one.models)


@needs_vmas
def test_a_batch_plays_what_vmas_plays() -> None:
    import vmas  # type: ignore[import-not-found, import-untyped, unused-ignore]

    game = make_game("vmas", key="give_way", time_limit=4, kwargs={"mirror_passage": True})
    rng = np.random.default_rng(3)
    seed = int(np.random.default_rng(3).integers(2**31, size=5)[0])
    raw = vmas.make_env("give_way", 5, continuous_actions=False, seed=0, mirror_passage=True)
    state, seen = game.initial(5, rng), th.stack(raw.reset(seed=seed), 1).numpy()
    for _ in range(4):
        np.testing.assert_array_equal(game.observe(state), seen)
        np.testing.assert_array_equal(game.global_state(state), seen.reshape(5, -1))
        actions = rng.integers(9, size=(5, 2))
        step = game.transition(state, actions, rng)
        observed, paid, _, _ = raw.step([th.tensor(actions[:, agent]) for agent in range(2)])
        seen, state = th.stack(observed, 1).numpy(), step.state
        assert step.rewards is not None
        np.testing.assert_allclose(step.rewards, th.stack(paid, 1).numpy())
        np.testing.assert_allclose(step.reward, th.stack(paid, 1).numpy().sum(1), rtol=1e-6)
    assert step.done.all() and step.truncated is not None and step.truncated.all()


@needs_vmas
def test_a_scenario_that_is_over_has_ended_and_was_not_cut_off() -> None:
    game = make_game("vmas", key="reverse_transport", time_limit=3)
    rng = np.random.default_rng(0)
    state, ended, cut = game.initial(30, rng), 0, 0
    while len(state):  # some packages lie at their goal
        step = game.transition(state, np.zeros((len(state), game.n_agents), dtype=np.int64), rng)
        assert step.truncated is not None and not (step.terminated & step.truncated).any()
        ended, cut = ended + int(step.terminated.sum()), cut + int(step.truncated.sum())
        state = step.state[~step.done]
    assert ended > 0 and cut > 0 and ended + cut == 30


@needs_vmas
def test_games_do_not_disturb_each_other_nor_the_luck_of_anybody_else() -> None:
    alone = [played(make_game("vmas", key="discovery", time_limit=5), seed=seed) for seed in (0, 1)]
    one, two = (make_game("vmas", key="discovery", time_limit=5) for _ in range(2))
    luck, numpys = th.random.get_rng_state(), np.random.get_state()[1]
    states = [game.initial(3, np.random.default_rng(seed)) for seed, game in enumerate((one, two))]
    for t in range(5):
        for seed, game in enumerate((one, two)):
            actions, seen, reward, _ = alone[seed][t]
            step = game.transition(states[seed], np.array(actions), np.random.default_rng())
            assert game.observe(step.state).tolist() == seen and step.reward.tolist() == reward
            states[seed] = step.state
    assert th.equal(luck, th.random.get_rng_state())
    np.testing.assert_array_equal(numpys, np.random.get_state()[1])


@needs_vmas
def test_episodes_that_began_together_go_on_together() -> None:
    game, rng = make_game("vmas", key="give_way", time_limit=3), np.random.default_rng(0)
    state = game.initial(3, rng)
    stay = np.zeros((2, 2), dtype=np.int64)
    with pytest.raises(UserError, match="move in step: play all of them on"):
        game.transition(state[:2], stay, rng)
    game.release(state[2:])
    assert game.transition(state[:2], stay, rng).state[:, 0].tolist() == [1, 1]
    with pytest.raises(UserError, match="action 9 of 'agent_1'"):
        game.transition(game.initial(1, rng), np.array([[0, 9]]), rng)


@needs_vmas
@pytest.mark.parametrize(("key", "kwargs", "told"), [
    ("transportt", {}, "did you mean 'transport'"),
    ("/tmp/evil", {}, "VMAS has no scenario '/tmp/evil'"),
    ("../examples/rllib", {}, "VMAS has no scenario"),
    ("transport.py", {}, "VMAS has no scenario"),
    ("simple_tag", {}, "play against each other"),
    ("football", {"ai_red_agents": False}, "play against each other"),
    ("transport", {"n_agent": 3}, "cannot be built with .*n_agent"),
    ("transport", {"num_envs": 3}, "kwargs.num_envs of vmas-transport cannot be set"),
    ("road_traffic", {"map_file_path": "map.xml"}, "kwargs.map_file_path .* reads no files")])
def test_what_cannot_be_played_is_refused(key: str, kwargs: dict[str, Any], told: str) -> None:
    for env, named in (("vmas", key), ("gymma", f"vmas-{key}")):
        with pytest.raises(UserError, match=told):
            make_game(env, key=named, time_limit=5, kwargs=kwargs)


@needs_vmas
def test_how_long_episodes_are() -> None:
    assert make_game("vmas", key="wheel", kwargs={"max_steps": 7}).episode_limit == 7
    assert make_game("vmas", key="wheel", time_limit=5, kwargs={"max_steps": 7}).episode_limit == 5
    with pytest.raises(UserError, match=r"set env_args\.time_limit"):
        make_game("vmas", key="wheel")


@needs_vmas
def test_a_picture() -> None:
    game = make_game("vmas", key="give_way", time_limit=3, kwargs={"render_mode": "rgb_array"})
    state = game.initial(2, np.random.default_rng(0))
    try:
        image = photographed(game, state[1])
    except UserError as error:  # where there is no graphics library
        pytest.skip(str(error))
    assert image.ndim == 3 and image.shape[2] == 3 and image.std() > 1
    game.close()


@needs_vmas
def test_epymarls_key_is_the_same_game() -> None:
    games = [make_game("vmas", key="give_way", time_limit=4), make_game("vmas", key="vmas-give_way", time_limit=4),
             make_game("gymma", key="vmas-give_way", time_limit=4)]
    assert played(games[0]) == played(games[1]) == played(games[2])
    assert games[0].spec() == games[1].spec() and games[0].rules() == games[2].rules()


@needs_mpe
def test_epymarls_key_of_an_environment_of_pettingzoo() -> None:
    """Simple spread moved from ``pettingzoo.mpe`` to a package of its own; the key is still the same."""
    named = make_game("gymma", key="pz-mpe-simple-spread-v3", time_limit=10, kwargs={"N": 2})
    ours = make_game("pettingzoo", key="mpe2.simple_spread_v3", time_limit=10, kwargs={"N": 2})
    assert played(named) == played(ours) and named.rules() == ours.rules()
    assert named.label({"key": "pz-mpe-simple-spread-v3"}) == "pz-mpe-simple-spread-v3"
    state = named.initial(2, np.random.default_rng(0))  # with EPyMARL the state is what all see
    np.testing.assert_array_equal(named.global_state(state), named.observe(state).reshape(2, -1))


@pytest.mark.parametrize(("key", "told"), [
    ("pz-classic-rps-v9", "did you mean 'pz-classic-rps-v2'"), ("pz-", "names no environment of PettingZoo"),
    ("pz-os-path-v1", "names no environment of PettingZoo"), ("pz-classic.rps-v2", "names no environment"),
    ("pz-classic-tictactoe-v3", "act in turn")])
def test_what_is_no_key_of_epymarls(key: str, told: str) -> None:
    if "tictactoe" in key:
        pytest.importorskip("pygame")
    with pytest.raises(UserError, match=told):
        make_game("gymma", key=key, time_limit=5)


def test_files_may_name_them(tmp_path: Path) -> None:
    """Both packages are known, and a key is only ever one of theirs."""
    for env, key in (("vmas", "../evil"), ("gymma", "vmas-../evil"), ("gymma", "pz-mpe-simple-spread-v3"),
                     ("gymma", "pz-os-system-v1")):
        file = tmp_path / "own.yaml"
        file.write_text(f"env: {env}\nenv_args: {{key: {key}, time_limit: 5, kwargs: {{}}}}\n"
                        "dataset: random\nrecipes: {random: {episodes: 4, mixture: {random: 1.0}}}\n")
        assert resolve("bc", str(file), [])["env_args"]["key"] == key


@needs_vmas
def test_a_value_that_is_not_finite_is_told_where_an_episode_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    from epymarl_cpa.envs.vmas_crowd import VmasCrowd

    crowd = VmasCrowd("give_way", 2, {"max_steps": 3})
    crowd.reset(0)
    crowd.playing = {1}
    ordinary = crowd.env.step

    def step(moves: Any) -> Any:
        observations, *rest = ordinary(moves)
        observations[1][place] = float("nan")
        return observations, *rest

    monkeypatch.setattr(crowd.env, "step", step)
    place = 0  # where the episode is over
    crowd.step({1: np.zeros(2, np.int64)})
    place = 1
    with pytest.raises(UserError, match="give_way shows 'agent_1' a value that is not finite"):
        crowd.step({1: np.zeros(2, np.int64)})
