"""What every recipe of every environment file must hold to; a new recipe is found and tested by being in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epymarl_cpa import __version__, config
from epymarl_cpa.data import OfflineDataset, load_dataset
from epymarl_cpa.data.arrays import OPTIONAL
from epymarl_cpa.data.generate import GENERATOR, cache_file, cached, generate
from epymarl_cpa.data.validate import LAYOUT, check_game, check_states
from epymarl_cpa.envs import Game, make_game, ours
from epymarl_cpa.errors import UserError

OURS = set(ours())  # before a test has registered a game
ENVS = {file.stem: config.load_env(file.stem) for file in sorted((config.FOLDER / "envs").glob("*.yaml"))
        if config.read_yaml(file)["env"] in OURS}
RECIPES = [(env, quality) for env, (_, recipes) in ENVS.items() for quality in recipes]
EPISODES = 40


@pytest.fixture(params=RECIPES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[Game, dict[str, Any], str]:
    """A game, one of its recipes with few episodes, and that recipe's name."""
    env, quality = request.param
    game, recipes = ENVS[env]
    return game, {**recipes[quality], "episodes": EPISODES}, quality


def test_every_game_has_recipes() -> None:
    assert {game.name for game, _ in ENVS.values()} == OURS
    for env, (_, recipes) in ENVS.items():
        assert recipes, env


def test_arrays_and_provenance(case: tuple[Game, dict[str, Any], str]) -> None:
    game, recipe, quality = case
    data = generate(game, recipe, 3, quality)
    lead = (EPISODES, game.episode_limit + 1)
    shapes = {"state": (*lead, game.state_dim), "actions": (*lead, game.n_agents), "reward": lead,
              "avail_actions": (*lead, game.n_agents, game.n_actions), "terminated": lead, "filled": lead,
              "behaviour": lead[:1]}
    for key, shape in shapes.items():
        assert getattr(data, key).shape == shape and getattr(data, key).dtype == LAYOUT[key][0]
    assert data.obs is None and data.agent_reward is None
    names = list(recipe["mixture"])
    assert data.meta == {"spec": game.spec(), "recipe": recipe, "quality": quality, "seed": 3, "behaviours": names,
                         "generator": GENERATOR, "version": __version__, "rules": game.rules()}
    assert json.loads(json.dumps(data.meta)) == data.meta
    assert game.name in data.source and quality in data.source
    count = [int((data.behaviour == k).sum()) for k in range(len(names))]
    assert count == ([0] * len(names) if recipe.get("per") == "step" else
                     [round(share * EPISODES) for share in recipe["mixture"].values()])
    check_game(data, game)
    check_states(data, game)


def test_episodes_end_as_the_rules_say(case: tuple[Game, dict[str, Any], str]) -> None:
    game, recipe, quality = case
    data = generate(game, recipe, 4, quality)
    last = data.steps.sum(1) - 1
    ended = data.terminated[np.arange(EPISODES), last]
    assert (ended | (last + 1 == game.episode_limit)).all() and data.terminated.sum() == ended.sum()
    np.testing.assert_array_equal(data.filled.sum(1), last + 2)
    for key in ("state", "actions", "reward"):
        assert (getattr(data, key)[~data.filled] == 0).all()


def test_rewards_are_those_of_the_rules(case: tuple[Game, dict[str, Any], str]) -> None:
    """As far as the game can tell its state from what was seen."""
    game, recipe, quality = case
    data = generate(game, recipe, 5, quality)
    state = game.decode(data.state[data.steps])
    if state is None:
        return
    state[:, 0] = np.nonzero(data.steps)[1]
    np.testing.assert_array_equal(game.global_state(state), data.state[data.steps])
    step = game.transition(state, data.actions[data.steps], np.random.default_rng(0))
    np.testing.assert_array_equal(step.reward.astype(np.float32), data.reward[data.steps])
    np.testing.assert_array_equal(step.terminated, data.terminated[data.steps])


def test_seed_decides_everything(case: tuple[Game, dict[str, Any], str]) -> None:
    game, recipe, quality = case
    first, again = generate(game, recipe, 6, quality), generate(game, recipe, 6, quality)
    for key in (*LAYOUT, "meta"):
        one, two = getattr(first, key), getattr(again, key)
        assert one == two if key in ("meta", *OPTIONAL) else one.tobytes() == two.tobytes()
    assert first.digest == again.digest
    other = generate(game, recipe, 7, quality)
    assert (other.actions != first.actions).any() and other.digest != first.digest
    assert generate(game, recipe, 6, "another").digest != first.digest


def test_made_once_and_then_read(case: tuple[Game, dict[str, Any], str], tmp_path: Path,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    game, recipe, quality = case
    folder = tmp_path / "new" / "folder"
    made = load_dataset(quality, game, {quality: recipe}, 8, folder)
    path = cache_file(game, recipe, 8, quality, folder)
    assert [*folder.iterdir()] == [path]
    monkeypatch.setattr("epymarl_cpa.data.generate.generate", lambda *args: pytest.fail("made a second time"))
    for name in (quality, str(path)):
        read = load_dataset(name, game, {quality: recipe}, 8, folder)
        assert read.digest == made.digest and read.meta == made.meta and read.source == str(path)
        for key in LAYOUT:
            np.testing.assert_array_equal(getattr(read, key), getattr(made, key))
            assert key in OPTIONAL or getattr(read, key).dtype == getattr(made, key).dtype
    others = {cache_file(game, recipe, 9, quality, folder), cache_file(game, recipe, 8, "other", folder),
              cache_file(game, {**recipe, "episodes": 41}, 8, quality, folder), path}
    assert len(others) == 4


def test_digest_covers_every_array(case: tuple[Game, dict[str, Any], str]) -> None:
    game, recipe, quality = case
    data = generate(game, recipe, 10, quality)
    arrays = data.arrays
    for key, change in (("state", 1e-3), ("reward", 1e-3), ("behaviour", None), ("avail_actions", None)):
        copy = arrays[key].copy()
        if change:
            copy.flat[0] += change
        elif key == "behaviour":
            copy[0] = -1 if copy[0] >= 0 else 0
        else:
            copy[-1, -1] ^= True
            copy[-1, -1, :, 0] = True
        assert OfflineDataset(**{**arrays, key: copy}, meta=data.meta).digest != data.digest, key
    assert OfflineDataset(**arrays, meta={**data.meta, "seed": 11}).digest != data.digest
    extra = np.zeros((*data.actions.shape, 1), np.float32)
    others = {OfflineDataset(**arrays, meta=data.meta, obs=extra).digest,
              OfflineDataset(**arrays, meta=data.meta, agent_reward=extra[..., 0]).digest}
    assert len(others | {data.digest}) == 3


def test_other_variants_have_other_files(tmp_path: Path) -> None:
    recipe = {"episodes": 3, "mixture": {"random": 1.0}}
    games = [make_game("sensor"), make_game("sensor", reward="flat"), make_game("bridge")]
    assert len({cache_file(game, recipe, 0, "poor", tmp_path) for game in games}) == 3
    cached(games[0], recipe, 0, "poor", tmp_path).save(tmp_path / "mine.npz")
    with pytest.raises(UserError, match=r"recorded with env_args\.reward=linear.*plays env_args\.reward=flat"):
        load_dataset(str(tmp_path / "mine.npz"), games[1], {}, 0, tmp_path)


def test_unknown_names_list_the_recipes(tmp_path: Path) -> None:
    game, recipes = ENVS["xor"]
    with pytest.raises(UserError, match=r"no recipe and no file 'mediun' \(did you mean 'medium'\?\); "
                                        r"the recipes of xor are: good, medium, poor\."):
        load_dataset("mediun", game, recipes, 0, tmp_path)
    with pytest.raises(UserError, match="the recipes of xor are: none"):
        load_dataset(str(tmp_path / "x.npz"), game, {}, 0, tmp_path)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    game, recipes = ENVS["xor"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="choose another folder with datasets_path=<folder>"):
        load_dataset("good", game, recipes, 0, tmp_path / "file")


def test_damaged_cache_is_told(tmp_path: Path) -> None:
    game, recipes = ENVS["xor"]
    load_dataset("good", game, recipes, 0, tmp_path)
    path = cache_file(game, recipes["good"], 0, "good", tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"is damaged or not an \.npz file.*delete it if a recipe makes it"):
        load_dataset("good", game, recipes, 0, tmp_path)


@pytest.mark.parametrize(("game", "recipe", "told"), [
    ("xor", {"mixture": {"random": 1.0}}, "needs 'episodes'"),
    ("xor", {"episodes": 0, "mixture": {"random": 1.0}}, "at least 1, not 0"),
    ("xor", {"episodes": "5", "mixture": {"random": 1.0}}, "not '5'"),
    ("xor", {"episodes": 5}, "needs 'mixture'"),
    ("xor", {"episodes": 5, "mixture": {"random": 0.5}}, "sum to 1"),
    ("xor", {"episodes": 5, "mixture": {"random": 1.5, "optimal": -0.5}}, "shares from 0 to 1"),
    ("xor", {"episodes": 5, "mixture": {"random": "all"}}, "'mixture'"),
    ("xor", {"episodes": 5, "mixture": {"random": 1.0}, "per": "day"}, "episode or step"),
    ("xor", {"episodes": 5, "mixture": {"random": 1.0}, "share": 1}, "only"),
    ("xor", {"episodes": 5, "mixture": {"randm": 1.0}}, r"unknown behaviour 'randm' of xor \(did you mean 'random'"),
    ("xor", {"episodes": 5, "mixture": {"crossing": 1.0}}, "optimal, optimal_or_first, random"),
    ("bridge", {"episodes": 5, "mixture": {"sensor/eager": 1.0}}, "unknown behaviour 'sensor/eager' of bridge"),
    ("aloha", {"episodes": 5, "mixture": {"optimal": 1.0}}, "does not tabulate")])
def test_bad_recipes(game: str, recipe: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        generate(make_game(game), recipe, 0, "mine")


def test_negative_seed() -> None:
    with pytest.raises(UserError, match="must not be negative, but is -1"):
        generate(make_game("xor"), {"episodes": 5, "mixture": {"random": 1.0}}, -1)
