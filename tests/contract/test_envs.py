"""What every registered game must hold to; a new game is found and tested by being registered."""

from __future__ import annotations

import inspect
import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ENV_FILES, EXTERNAL_ENVS, OUR_GAMES, needing_its_package, settings
from numpy.typing import NDArray

from epymarl_cpa.build import build_env
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.game import IntArray, Step
from epymarl_cpa.envs.rendering import paint
from epymarl_cpa.errors import UserError
from epymarl_cpa.runners.episode_runner import EpisodeRunner
from epymarl_cpa.settings import Settings
from epymarl_cpa.utils.registry import discover

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *OUR_GAMES,
    ("xor", {"n_agents": 3, "bb_reward": -2.0, "episode_limit": 5}), ("permutation", {"n_agents": 3}),
    ("bridge", {"start": "separate", "episode_limit": 20}), ("sensor", {"reward": "flat"}),
    ("sensor", {"rows": 2, "cols": 2, "n_preys": 1}), ("aloha", {"rows": 1, "cols": 3, "episode_limit": 4})]
UNLIMITED = ("hanabi", "vmas")  # their environments have no limit of their own
EXTERNAL = [needing_its_package(env, (ENV_FILES[env]["env"], {**ENV_FILES[env]["env_args"], "time_limit": limit}))
            for env in EXTERNAL_ENVS for limit in ((7,) if env in UNLIMITED else (None, 7))]


@pytest.fixture(params=[*VARIANTS, *EXTERNAL], ids=lambda v: "-".join([v[0], *(f"{k}={x}" for k, x in v[1].items())]))
def given(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A game's name and arguments."""
    case: tuple[str, dict[str, Any]] = request.param
    return case


@pytest.fixture
def game(given: tuple[str, dict[str, Any]]) -> Game:
    return make_game(given[0], **given[1])


def play(game: Game, batch: int, seed: int) -> list[tuple[IntArray, IntArray, Step]]:
    """A batch of random episodes up to the horizon; ended games play on, which the rules must bear."""
    rng = np.random.default_rng(seed)
    state, story = game.initial(batch, rng), []
    for _ in range(game.episode_limit):
        actions = game.random_actions(state, rng)
        step = game.transition(state, actions, rng)
        story.append((state, actions, step))
        state = step.state
    return story


def test_shapes_and_types(game: Game) -> None:
    assert len(game.action_names) == game.n_actions
    story = play(game, 7, seed=0)
    width = story[0][0].shape[1]
    for t, (state, _, step) in enumerate(story):
        assert state.shape == (7, width) and state.dtype == np.int64 and (state[:, 0] == t).all()
        assert step.reward.shape == (7,) and step.reward.dtype == np.float64
        assert step.done.shape == (7,) and step.done.dtype == np.bool_
        said = {key for key in step.info if game.name == "vmas" and key.startswith("agent_")}  # by its environments
        assert set(step.info) == {*game.info_keys, *said}
        assert not (step.terminated & ~step.done).any()
        assert step.truncated is None or not (step.truncated & ~step.done).any()
        assert game.pure or step.rewards is not None
        if step.rewards is not None:
            assert step.rewards.shape == (7, game.n_agents)
            np.testing.assert_allclose(step.rewards.sum(1), step.reward)
        assert all(value.shape == (7,) and value.dtype == np.float64 for value in step.info.values())
    assert story[-1][2].done.all()
    for state in (story[0][0], story[-1][2].state):
        seen, observed, mask = game.global_state(state), game.observe(state), game.available(state)
        assert seen.shape == (7, game.state_dim) and seen.dtype == np.float32
        assert (seen >= game.state_low).all() and (seen <= game.state_high).all()
        assert observed.shape == (7, game.n_agents, game.obs_dim) and observed.dtype == np.float32
        if game.pure:
            np.testing.assert_array_equal(observed, game.view(seen))
        assert mask.shape == (7, game.n_agents, game.n_actions) and mask.dtype == np.bool_ and mask.any(2).all()


def test_inputs_are_left_alone(game: Game) -> None:
    rng = np.random.default_rng(1)
    state = game.initial(5, rng)
    actions = game.random_actions(state, rng)
    before = state.copy(), actions.copy()
    state.flags.writeable = actions.flags.writeable = False
    step = game.transition(state, actions, rng)
    game.observe(state), game.optimal_actions(state), game.draw(state[0]), paint(game, state[0], (state[0], actions[0]))
    np.testing.assert_array_equal(before[0], state)
    np.testing.assert_array_equal(before[1], actions)
    assert not np.shares_memory(step.state, state)


def test_same_seed_same_bits(game: Game, given: tuple[str, dict[str, Any]]) -> None:
    twin = make_game(given[0], **given[1])  # whose episodes can be read beside these
    for (s1, a1, step1), (s2, a2, step2) in zip(play(game, 4, 3), play(twin, 4, 3), strict=True):
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = [(a1, a2), (step1.reward, step2.reward)]
        if game.pure:
            pairs += [(s1, s2), (step1.state, step2.state)]
        for show in ("global_state", "observe", "available"):
            pairs.append((getattr(game, show)(step1.state), getattr(twin, show)(step2.state)))
        for one, two in pairs:
            assert one.tobytes() == two.tobytes()


def test_batch_equals_singles(game: Game) -> None:
    """Identical where the rules draw nothing; elsewhere one state's means over many draws agree."""
    if not game.pure:
        pytest.skip("its states cannot be played from twice")
    rng = np.random.default_rng(4)
    story = play(game, 6, seed=5)
    for state, actions, step in story[:: max(1, len(story) // 3)]:
        twice = [game.transition(state, actions, np.random.default_rng(seed)) for seed in (8, 9)]
        deterministic = np.array_equal(twice[0].state, twice[1].state)
        for b in range(len(state) if deterministic else 0):
            one = game.transition(state[b:b + 1], actions[b:b + 1], rng)
            np.testing.assert_array_equal(one.state[0], step.state[b])
            assert (one.reward[0], one.done[0]) == (step.reward[b], step.done[b])
        if not deterministic:
            n = 3000
            batch = game.transition(np.repeat(state, n, axis=0), np.repeat(actions, n, axis=0), rng)
            alone = [game.transition(state[:1], actions[:1], rng) for _ in range(n)]
            for many, single in ((batch.state[:n], np.concatenate([s.state for s in alone])),
                                 (batch.reward[:n, None], np.array([s.reward for s in alone]))):
                spread = np.sqrt((many.var(0) + single.var(0)) / n)
                assert (abs(many.mean(0) - single.mean(0)) <= 5 * spread + 1e-12).all()
            break


def test_optimum_is_reached_by_optimal_actions(game: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the game declares them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    batch, rng = 300, np.random.default_rng(6)
    state, total, alive = game.initial(batch, rng), np.zeros(batch), np.ones(batch, dtype=bool)
    choices, best, headline = game.optimal_actions(state), game.optimum(), game.headline_optimum()
    assert (best is None) == (headline is None)
    if best is None or headline is None:
        assert choices is None
        return
    assert headline >= game.random_headline() - 1e-9
    if choices is None:
        return
    for _ in range(game.episode_limit):
        choices = game.optimal_actions(state)
        assert choices is not None and len(choices) == batch
        legal = np.take_along_axis(game.available(state[:1])[0], choices[0].T, axis=1)
        assert choices[0].shape[1] == game.n_agents and legal.all()
        step = game.transition(state, np.array([joint[rng.integers(len(joint))] for joint in choices]), rng)
        total, alive, state = total + step.reward * alive, alive & ~step.done, step.state
        if not alive.any():
            break
    assert abs(total.mean() - best) < 4 * total.std() / batch ** 0.5 + 1e-9


def test_spec_tells_variants_apart(game: Game, given: tuple[str, dict[str, Any]]) -> None:
    """It survives JSON, and rebuilds the game; what agents see is not part of it: states and data are the same."""
    spec, known = game.spec(), inspect.signature(type(game)).parameters
    assert json.loads(json.dumps(spec)) == spec
    again = {**given[1], **{key: spec[key] for key in known if key in spec}}
    assert make_game(game.name, **again).spec() == spec
    assert all(spec[key] == value for key, value in given[1].items() if key in spec)


def test_rules_are_known_by_a_digest(game: Game, given: tuple[str, dict[str, Any]]) -> None:
    assert len(game.rules()) == 12 and int(game.rules(), 16) >= 0
    assert make_game(given[0], **given[1]).rules() == game.rules()
    assert game.origin().known_by and not game.origin().known_by[0].startswith("the name of")


def test_random_play_has_a_value(game: Game) -> None:
    if not game.pure:
        pytest.skip("slow, and tested with the others' estimates")
    value = game.random_headline()
    assert type(value) is float and np.isfinite(value) and game.random_headline() == value


def test_pictures(game: Game) -> None:
    story = play(game, 1, seed=7)
    start = story[0][0][0]
    after = [step.state[0] for _, _, step in story]
    images = [paint(game, start), *(paint(game, step.state[0], (state[0], actions[0]))
                                    for state, actions, step in story)]
    for image in (*images, paint_text(game, start)):
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.std() > 0
    assert {image.shape for image in images} == {images[0].shape}  # so that they make a film
    assert any((image != images[0]).any() for image in images)
    assert any(game.draw(state) != game.draw(start) for state in after)


def paint_text(game: Game, state: IntArray) -> NDArray[np.uint8]:
    """The picture of a game that defines none of its own."""
    class Plain(type(game)):  # type: ignore[misc]
        picture = Game.picture

    plain = Plain.__new__(Plain)
    plain.__dict__.update(game.__dict__)
    return paint(plain, state)


@pytest.mark.parametrize(("name", "args", "words"), [
    ("xorr", {}, "did you mean 'xor'"), ("xor", {"n_agent": 2}, "did you mean 'n_agents'"),
    ("xor", {"n_agents": 1}, "n_agents"), ("xor", {"episode_limit": 0}, "at least 1"),
    ("permutation", {"n_agents": 99}, "n_agents"), ("bridge", {"start": "left"}, "adjacent, separate"),
    ("sensor", {"rows": 10**20}, r"env_args\.rows of sensor must be at most 1000000 in size, not 1"),
    ("aloha", {"max_backlog": 10**8}, r"env_args\.max_backlog of aloha must be at most 1000000 in size, not 1"),
    ("bridge", {"episode_limit": 2.5}, "whole number"), ("sensor", {"reward": "x"}, "linear or flat"),
    ("sensor", {"rows": 1}, "rows"), ("sensor", {"n_preys": 7}, "states"),
    ("sensor", {"rows": 2, "cols": 2, "n_preys": 5}, "no cell to move to"), ("aloha", {"cols": 9}, "12 islands"),
    ("aloha", {"arrival_rate": 1.5}, "arrival_rate"), ("aloha", {"collision_reward": 1.0}, "collision_reward")])
def test_bad_arguments_are_told_in_one_sentence(name: str, args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        make_game(name, **args)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_discover_imports_every_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_games"
    package.mkdir()
    (package / "__init__.py").write_text("FOUND = []\n")
    (package / "new_game.py").write_text("from . import FOUND\nFOUND.append(__name__)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import some_games  # type: ignore[import-not-found]

    discover("some_games", some_games.__path__)
    assert some_games.FOUND == ["some_games.new_game"]
    for name in [name for name in sys.modules if name.startswith("some_games")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_game_that_the_memory_does_not_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*shape: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(np, "indices", full)
    with pytest.raises(UserError, match=r"does not hold sensor with these env_args, {'rows': 1000}; choose smaller"):
        make_game("sensor", rows=1000)


def test_an_optimum_of_far_too_many_states_is_told() -> None:
    args = settings(Settings, "iql", "aloha", "env_args.max_backlog=1000000")
    runner = EpisodeRunner(args, build_env(args), logging.getLogger("test"))
    with pytest.raises(UserError, match="the optimum of aloha cannot be computed with these env_args"):
        runner.optimum  # noqa: B018
