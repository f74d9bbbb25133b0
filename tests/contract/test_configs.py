"""Every YAML file on disk resolves with every other one, and runs a few steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from helpers import ENV_FILES, EXTERNAL_ENVS, OUR_ENVS, easy_recipe, few_episodes
from outcome import SMALL, Outcome

from epymarl_cpa.config import FOLDER, read_yaml, resolve
from epymarl_cpa.envs import REGISTRY as GAMES

ALGS = sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml"))
#: every recipe of our games
RECIPES = [(env, quality) for env in OUR_ENVS for quality in ENV_FILES[env]["recipes"]]
#: every method on the smallest game, and on one of the others in turn, so that every game has several methods
PAIRS = sorted({(alg, env) for i, alg in enumerate(ALGS) for env in ("xor", OUR_ENVS[i % len(OUR_ENVS)])})


def three_updates(alg: str, env: str) -> list[str]:
    """Words for a run of three updates; methods in two stages have some of each, others play before they learn."""
    config = resolve(alg, env)
    if config["runner"] == "episode":
        return ["t_max=3", "batch_size=1", "buffer_size=3"]
    return ["t_max=1", "student_t_max=2"] if "student_t_max" in config else ["t_max=3"]


@pytest.mark.parametrize(("alg", "env"), PAIRS)
def test_every_method_trains_and_evaluates(alg: str, env: str, tiny_run: Callable[..., Outcome]) -> None:
    few, data = few_episodes(env), easy_recipe(env)
    outcome = tiny_run(*few, f"dataset={data}", *three_updates(alg, env), "test_interval=2", alg=alg,
                       env=env)
    series = outcome.series()
    times = [t for t, _ in series["test_return_mean"]]
    losses = [points for key, points in series.items() if key.endswith("_loss")]
    assert losses
    if resolve(alg, env)["runner"] == "offline":
        assert times == [0, 2, 3]
        assert {t for points in losses for t, _ in points} == {1, 2, 3}
        assert outcome.steps() == [3]
    else:  # a whole episode at a time
        assert times[0] == 0
        assert times[-1] == outcome.steps()[-1] >= 3
    chosen = {**SMALL, "dataset": data, "test_interval": 2,
              **dict(word.split("=") for word in three_updates(alg, env))}
    words = [f"{key}={value}" for key, value in chosen.items()]
    assert outcome.record("config") == resolve(alg, env, [word for word in words if "recipes" not in word] + few)


@pytest.mark.parametrize("env", ENV_FILES)
@pytest.mark.parametrize("alg", ALGS)
def test_every_pair_resolves(alg: str, env: str) -> None:
    assert resolve(alg, env)["name"] == alg


@pytest.mark.parametrize(("env", "quality"), RECIPES)
def test_every_recipe_makes_data_to_learn_from(env: str, quality: str, tiny_run: Callable[..., Outcome]) -> None:
    assert tiny_run(*few_episodes(env), f"dataset={quality}", "t_max=1", alg=ALGS[0], env=env).steps() == [1]


@pytest.mark.parametrize("alg", ALGS)
def test_an_algorithms_file_is_named_like_its_method(alg: str) -> None:
    """Folders and plots go by ``name``, the command line by the file."""
    assert read_yaml(FOLDER / "algs" / f"{alg}.yaml")["name"] == alg


@pytest.mark.parametrize("env", ENV_FILES)
def test_an_environments_file_names_a_game_and_all_its_arguments(env: str) -> None:
    """So that every argument can be seen, and changed with ``env_args``."""
    content = {"env_args": {}, **ENV_FILES[env]}
    # An argument that came after rows were published is left out, since the arguments of its file name a row.
    later = {"observation"} if env == "bridge" else set()
    known = set(inspect.signature(GAMES[content["env"]]).parameters) - later
    if env in OUR_ENVS:
        assert known <= set(content["env_args"]) | {"map_name", "seed"} <= known | {"map_name", "seed"}
        assert content["recipes"]
    else:  # filed under the key; only of single tasks does anybody know how to play well
        assert set(content["env_args"]) == known
        assert set(content["recipes"]) == ({"random"} if env in EXTERNAL_ENVS else {"teams", "clean", "random"})
