"""What files name is neither imported nor called unless the user names it, too."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pettingzoo import AECEnv, ParallelEnv  # type: ignore[import-untyped]

from epymarl_cpa.build import Team
from epymarl_cpa.config import read_env, resolve
from epymarl_cpa.deploy.__main__ import main as deploy
from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.makers import builds
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.sweeps.grid import read_grid
from epymarl_cpa.utils.manifest import write_manifest

KINDS = (ParallelEnv, AECEnv)
CALLED: list[str] = []


class Own(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    def __init__(self, **kwargs: Any) -> None:
        CALLED.append("Own")


class Maker:
    def __call__(self, **kwargs: Any) -> Any:
        return Own(**kwargs)


class NoEnvironment:
    def __init__(self, **kwargs: Any) -> None:
        CALLED.append("NoEnvironment")


def unannotated(**kwargs):  # type: ignore[no-untyped-def]
    return helper(**kwargs)


def helper(**kwargs: Any) -> Any:
    table = {"own": Own}
    return table["own"](**kwargs)


def promised() -> ParallelEnv[str, Any, int]:
    raise RuntimeError("no display")


def imports_it() -> Any:
    from epymarl_cpa.envs.parallel import GameParallelEnv

    return GameParallelEnv(make_game("xor"))


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args, **kwargs):  # type: ignore[no-untyped-def]
        return function(*args, **kwargs)
    return inner


def number() -> int:
    CALLED.append("number")
    return 1


def runs_a_command(**kwargs):  # type: ignore[no-untyped-def]
    import subprocess

    CALLED.append("runs_a_command")
    return subprocess.run("true", **kwargs)


command = os.system


@pytest.mark.parametrize("thing", [Own, Maker(), unannotated, helper, promised, imports_it, wrapped(helper),
                                   partial(Own, limit=3), lambda: Own(), imports_it])
def test_what_builds_environments_is_known_without_calling_it(thing: Any) -> None:
    CALLED.clear()
    assert builds(thing, KINDS) and not CALLED


@pytest.mark.parametrize("thing", [
    os.system, exec, open, NoEnvironment, NoEnvironment(), number, runs_a_command, wrapped(number), print, dict,
    partial(os.system, "true"), lambda: 1, NoEnvironment().__init__, os.path.join, "text", 3, None])
def test_what_builds_none_is_known_without_calling_it(thing: Any) -> None:
    CALLED.clear()
    assert not builds(thing, KINDS) and not CALLED


@pytest.mark.parametrize(("key", "words"), [
    ("os:system", "builds no environment"), ("posix:system", "builds no environment"), ("builtins:exec", "no env"),
    ("antigravity:x", "module of Python itself"), (f"{__name__}:runs_a_command", "builds no environment"),
    (f"{__name__}:command", "builds no environment"), (f"{__name__}:NoEnvironment", "builds a NoEnvironment, not"),
    (f"{__name__}:number", "so it is not called"), ("numpy:load", "builds no environment"), ("a..b", "no name of a"),
    ("x" * 5000, "no name of a module"), ("a\0b", "no name of a module")])
def test_nothing_else_is_called_even_if_the_user_names_it(key: str, words: str) -> None:
    CALLED.clear()
    with pytest.raises(UserError, match=words) as error:
        make_game("pettingzoo", key=key, kwargs={"command": "false"})
    assert not CALLED and len(str(error.value)) < 600 and "antigravity" not in sys.modules


@pytest.mark.parametrize("key", ["os:system", "subprocess:Popen", "antigravity:X-v0"])
def test_gymnasium_is_not_asked_to_import_pythons_own_modules(key: str) -> None:
    with pytest.raises(UserError, match="module of Python itself"):
        make_game("gymma", key=key)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(("env", "key"), [("gymma", "cpa/Xor-v0"), ("pettingzoo", "epymarl_cpa.envs.parallel")])
def test_our_adapters_take_no_key_by_way_of_arguments(env: str, key: str) -> None:
    with pytest.raises(UserError, match="must be one of aloha"):
        make_game(env, key=key, kwargs={"game": "gymma", "key": "hidden_away:X"})


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def there(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "loud_module") -> str:
    """A module that is found, and that says when it is imported."""
    (folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(folder))
    return name


@pytest.mark.parametrize("env", ["pettingzoo", "gymma"])
def test_configuration_files_name_nothing_that_is_imported(env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                           ) -> None:
    key = f"{there(tmp_path, monkeypatch)}:make"
    own = written(tmp_path / "own.yaml", f"env: {env}\nenv_args: {{key: '{key}'}}\nrecipes: {{}}\n")
    alg = written(tmp_path / "alg.yaml", f"extends: bc\nenv_args: {{key: '{key}'}}\n")
    each = written(tmp_path / "each.yaml", f"extends: bc\nper_env: {{{env}: {{env_args: {{key: '{key}'}}}}}}\n")
    told = r"names env_args\.key=loud_module:make.*add env_args\.key=loud_module:make to the command.*CPA_MODULES"
    for words in (("bc", own), (alg, env), (each, env)):
        with pytest.raises(UserError, match=told):
            resolve(*words)
        assert resolve(*words, [f"env_args.key={key}"])["env_args"]["key"] == key, "the user's own word"
    with pytest.raises(UserError, match=told):
        read_env(own)
    monkeypatch.setenv("EPYMARL_CPA_MODULES", "other, loud_module")
    assert resolve("bc", own)["env_args"]["key"] == key and "loud_module" not in sys.modules


def test_files_may_name_the_packages_that_are_known(tmp_path: Path) -> None:
    for env, key in (("pettingzoo", "mpe2.simple_spread_v3"), ("gymma", "lbforaging:Foraging-8x8-2p-3f-v3")):
        own = written(tmp_path / "own.yaml", f"env: {env}\nenv_args: {{key: '{key}'}}\nrecipes: {{}}\n")
        assert resolve("bc", own)["env_args"]["key"] == key
    own = written(tmp_path / "own.yaml", "env: pettingzoo\nenv_args: {key: 'mpe2.simple_spread_v3:anything'}\n")
    with pytest.raises(UserError, match="a file alone does not decide"):
        resolve("bc", own)


@pytest.mark.parametrize("key", ["os:system", "loud_module:make"])
def test_sweeps_name_modules_on_the_users_own_path(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there(tmp_path, monkeypatch)
    grid = written(tmp_path / "grid.yaml", "envs: [pettingzoo]\ndatasets: [random]\nseeds: [0]\nalgs: [bc]\n"
                                           f"with: ['env_args.key={key}']\n")
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(UserError, match="module of Python itself" if key == "os:system" else "put its folder on"):
        read_grid(grid)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if key != "os:system":
        assert len(read_grid(grid)) == 1 and "loud_module" not in sys.modules


def model(folder: Path, **changes: Any) -> str:
    """A model folder without networks, of a whole configuration with these changes; None takes a key out."""
    config = {**resolve("cpa_pa", "xor", ["seed=0"]), **changes}
    config = {key: value for key, value in config.items() if value is not None or key in ("reward_min",)}
    (folder / "1").mkdir(parents=True, exist_ok=True)
    write_manifest(folder / "1", 1, {"game": {"game": "xor"}, "config": config, "made_by": {}})
    return str(folder)


def test_a_model_folder_alone_has_no_environment_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    there(tmp_path, monkeypatch)
    monkeypatch.setenv("EPYMARL_CPA_MODULES", "loud_module")
    for env, key in (("pettingzoo", "os:system"), ("pettingzoo", "loud_module:make"), ("gymma", "loud_module:X-v0")):
        path = model(tmp_path / "model", env=env, env_args={"key": key, "kwargs": {"command": "true"}})
        assert deploy(["export", path, f"--out={tmp_path / 'out'}"]) == 2
        assert f"name it in the command, too: --key={key}" in capsys.readouterr().err
        assert deploy(["export", path, f"--out={tmp_path / 'out'}", "--key=mpe2.simple_spread_v3"]) == 2
        assert f"was trained on {key}, not on --key=mpe2" in capsys.readouterr().err
    assert "loud_module" not in sys.modules
    path = model(tmp_path / "model", env="pettingzoo", env_args={"key": "os:system", "kwargs": {"command": "true"}})
    with pytest.raises(UserError, match="so it is not called"):
        Team(path, "os:system")


@pytest.mark.parametrize(("changes", "words"), [
    ({"mac": "os:system"}, "unknown mac 'os:system'"), ({"mac": ["a"]}, "unknown mac"), ({"mac": None}, "'mac' is mis"),
    ({"env": ["xor"]}, "'env' must be text"), ({"env": "nothing"}, "unknown game"), ({"env_args": None}, "is missing"),
    ({"hidden_dim": 10**9}, "hidden_dim' must be at most"), ({"n_layers": 10**9}, "n_layers' must be at most"),
    ({"pool_size": "many"}, "pool_size' must be a whole number"), ({"hidden_dim": None}, "'hidden_dim' is missing"),
    ({"env_args": {"n_agents": 10**9}}, "n_agents of xor must be at most 1000000 in size"),
    ({"env_args": {"x": 1}}, "unknown config key"),
    ({"env": "dpomdp", "env_args": {"problem": "/etc/passwd"}}, "names the file /etc/passwd as its game"),
    ({"env": "dpomdp", "env_args": {"problem": "../../etc/passwd"}}, "does not end in .dpomdp")])
def test_what_a_model_folder_says_is_checked(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        Team(model(tmp_path, **changes))


def test_a_module_that_is_not_found_is_not_looked_for_on_the_package_index(tmp_path: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for env in ("pettingzoo", "gymma"):
        for key in ("smac_of_mine:make", "smac_of_mine.maps:make"):
            with pytest.raises(UserError, match="finds no module smac_of_mine; if it is your own file") as error:
                make_game(env, key=key)
            assert "pip install" not in str(error.value)
    (tmp_path / "smac_of_mine.py").write_text("def make(): ...\n")
    with pytest.raises(UserError, match=f"it lies in this folder, .*begins with PYTHONPATH={tmp_path}"):
        make_game("pettingzoo", key="smac_of_mine:make")


@pytest.mark.parametrize("key", ["", "key: null, ", "key: 3, ", "key: [a], "])
def test_a_key_that_is_none_is_not_taken_for_a_module(key: str, tmp_path: Path) -> None:
    own = written(tmp_path / "own.yaml", f"env: pettingzoo\nenv_args: {{{key}time_limit: 3}}\nrecipes: {{}}\n")
    with pytest.raises(UserError, match=r"key.* must be (given|text)|names env_args\.key"):
        make_game("pettingzoo", **{name: value for name, value in resolve("bc", own)["env_args"].items()
                                   if name != "map_name"})
