"""Random legal configurations of all methods and games, each to its end: finite results, or a sentence."""

from __future__ import annotations

import inspect
import logging
import math
import random
from pathlib import Path
from types import NoneType
from typing import Any

from helpers import ENV_FILES, OUR_ENVS, easy_recipe

from epymarl_cpa import envs
from epymarl_cpa.config import FOLDER, keys_of, resolve
from epymarl_cpa.errors import UserError
from epymarl_cpa.modules.encoders import REGISTRY as ENCODERS
from epymarl_cpa.run import run
from epymarl_cpa.settings.schema import Key, item_kinds_of, kinds_of

from .forked import Tally, each, note
from .reading import fault_of, quiet
from .scenes import preload

PROMISE = "Whatever configuration is legal runs to a finite result, or is refused in a sentence"
GUARDS = ("contract/test_configs.py", "contract/test_learners.py", "contract/test_envs.py",
          "property/test_config_words.py", "unit/test_schema.py")
ALGS = sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml"))
#: what keeps runs short and files where they belong
FIXED = ("seed", "name", "runner", "mac", "learner", "env", "env_args", "dataset", "recipes", "datasets_path", "t_max",
         "local_results_path", "checkpoint_path", "load_step", "evaluate", "render", "record_to", "record_from",
         "record_steps", "record_epsilons", "record_episodes", "save_model", "use_cuda", "torch_threads", "teacher",
         "observers", "use_tensorboard", "runner_log_interval", "log_interval", "buffer_size", "student_t_max",
         "resume")
#: the most that whole numbers may be, where more takes long; else MOST
SIZES = {"hidden_dim": 17, "batch_size": 33, "test_nepisode": 9, "n_layers": 3, "plans": 5, "pool_size": 9}
MOST = 12
#: texts without choices in the schema
TEXTS = {"agent": [*ENCODERS]}
#: smaller games than those of the files, for the sake of speed
ARGS = {"aloha": {"episode_limit": [3, 10], "rows": [1, 2], "cols": [2, 3], "arrival_rate": [0.0, 0.6, 1.0],
                  "max_backlog": [1, 5], "observation": ["state", "local"]},
        "sensor": {"episode_limit": [2, 10], "rows": [1, 3], "cols": [2, 5], "n_preys": [1, 2],
                   "reward": ["linear", "flat"], "observation": ["state", "local"]},
        "bridge": {"episode_limit": [1, 8], "observation": ["state", "local"]},
        "xor": {"n_agents": [2, 3, 5], "episode_limit": [1, 3], "bb_reward": [-1.0, 1e6]},
        "permutation": {"n_agents": [2, 3], "episode_limit": [1, 2]},
        "dpomdp": {"episode_limit": [1, 3], "problem": ["tiger", "recycling"]}}


def words_of(luck: random.Random) -> tuple[str, str, list[str]]:
    """A method, a game, and legal values for some of their keys."""
    alg, env = luck.choice(ALGS), luck.choice(OUR_ENVS)
    recipe = luck.choice([*ENV_FILES[env]["recipes"], easy_recipe(env)])
    words = [f"dataset={recipe}", f"recipes.{recipe}.episodes={luck.choice([1, 8, 40])}"]
    known = inspect.signature(envs.REGISTRY[ENV_FILES[env]["env"]]).parameters
    args = {"episode_limit": [20], **ARGS.get(env, {})}
    for name, values in args.items():
        if name in known and (luck.random() < 0.4 or name in ("episode_limit", "rows", "cols")):
            words.append(f"env_args.{name}={luck.choice(values)}")
    keys = keys_of(resolve(alg, env))
    free = [name for name in keys if name not in FIXED]
    for name in luck.sample(free, luck.randint(0, 7)):
        words.append(f"{name}={_said(value_of(name, keys[name], luck))}")
    drawn = {word.partition("=")[0] for word in words}
    short = {"batch_size": "8", "hidden_dim": "8", "test_nepisode": "4", "pool_hidden": "8", "head_hidden": "8",
             "plans": "3", "buffer_size": "40"}
    words += [f"{name}={value}" for name, value in short.items() if name in keys and name not in drawn]
    words += [f"{name}={luck.choice([1, 3, 6])}" for name in ("t_max", "student_t_max") if name in keys]
    return alg, env, [*words, "seed=1", "save_model=false"]


def value_of(name: str, key: Key, luck: random.Random) -> Any:
    """A value that the key allows."""
    kind = luck.choice([kind for kind in kinds_of(key.type) if kind is not dict])
    if key.choices and kind is not NoneType:
        return luck.choice([choice for choice in key.choices if type(choice) is kind] or key.choices)
    if kind is bool:
        return luck.random() < 0.5
    if kind is NoneType:
        return None
    if kind is list:
        items = item_kinds_of(key.type) or (int,)
        return [value_of(name, Key(items[0]), luck) for _ in range(luck.randint(0, 3))]
    if kind is str:
        return luck.choice(TEXTS.get(name, [""]))
    low = max(key.low, -10.0)
    if kind is int:
        return luck.choice([int(low), luck.randint(int(low), max(int(low), int(min(key.high, SIZES.get(name, MOST)))))])
    high = min(key.high, luck.choice([1.0, 10.0, 1e4]))
    small, large = max(low, 1e-9), max(high, low, 1e-8)
    return luck.choice([low, high, luck.uniform(low, max(low, high)),
                        math.exp(luck.uniform(math.log(small), math.log(large)))])


def _said(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else \
        f"{value!r}" if isinstance(value, list) else str(value)


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """``count`` configurations."""
    preload()
    console = logging.getLogger("attack")
    console.setLevel("CRITICAL")

    def case(number: int) -> tuple[str, str]:
        alg, env, words = words_of(random.Random(f"{seed} configuration {number}"))
        note(line := f"--config={alg} --env-config={env} with {' '.join(words)}")
        try:
            with quiet():
                config = resolve(alg, env, [*words, f"local_results_path={work}/results", f"datasets_path={work}/data"])
                result = run(config, None, console)
        except UserError as error:
            fault = fault_of(str(error))
            return "refused in a sentence", fault and f"{line}: {fault}"
        left = [key for key, value in _numbers(result) if not math.isfinite(value)]
        return "ran to a result", f"{line}: not finite: {', '.join(left)}" if left else ""

    return each(count, case, workers, 60, 6 * 2**30)


def _numbers(tree: Any, name: str = "") -> list[tuple[str, float]]:
    if isinstance(tree, dict):
        return [found for key, inner in tree.items() for found in _numbers(inner, f"{name}.{key}")]
    if isinstance(tree, list | tuple):
        return [found for inner in tree for found in _numbers(inner, name)]
    return [(name, float(tree))] if isinstance(tree, int | float) else []
