"""Which modules may be imported because a file names them.

What the command line names, and what a program passes to a game, is the user's own word.  A string in a file is not: a
configuration or a model folder may come from anywhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from ..errors import UserError, one_line
from .external import ExternalGame
from .makers import is_standard
from .registry import REGISTRY

#: environment variable: further modules that files may name, with commas between them
LISTED = "EPYMARL_CPA_MODULES"
#: packages of environments that files may name, with the extra of ours that installs them
KNOWN: Mapping[str, str] = {"epymarl_cpa": "", "gymnasium": "", "lbforaging": "tasks", "mpe2": "tasks",
                            "pettingzoo": "", "pyspiel": "hanabi", "rware": "tasks", "vmas": "vmas"}


def check_key(env: str, env_args: Mapping[str, Any], source: str, remedy: str, own_path: bool = False) -> None:
    """Refuses an environment of another package that a file names, unless its module is known or listed.

    Args:
        env: name of the game.
        env_args: its arguments.
        source: the file, for the message.
        remedy: what to write to name it oneself, "add ..."
        own_path: whether modules in folders that PYTHONPATH lists count as listed.

    Raises:
        UserError: the module is neither; it says how to name it.
    """
    game, key = REGISTRY[env], str(env_args.get("key", ""))
    if not key or not issubclass(game, ExternalGame):
        return
    module = game.module_of_key(key)
    if module is None:
        return
    top = module.partition(".")[0]
    if is_standard(module):
        raise UserError(f"{source} names env_args.key={key}, but {module} is a module of Python itself and holds no "
                        "environment.")
    if module in listed() or top in listed() or (top in KNOWN and game.is_plain(key)):
        return
    if own_path and _on_own_path(top):
        return
    raise UserError(f"{source} names env_args.key={key}, for which {module or 'a module'} would be imported; a file "
                    f"alone does not decide what runs here: if you trust it, {remedy}, or list the module: "
                    f"{LISTED}={top or '<module>'}.")


def check_files(env: str, env_args: Mapping[str, Any], source: str) -> None:
    """Refuses a game that would read a file of any kind because another file names it.

    Args:
        env, env_args: of the game.
        source: the file that names it, for the message.

    Raises:
        UserError: the file is no ``.dpomdp`` file by its name.
    """
    file = REGISTRY[env].file_of(env_args)
    if file and Path(file).suffix != ".dpomdp":
        raise UserError(f"{source} names the file {file} as its game, which is not read: its name does not end in "
                        ".dpomdp.")


def named_again(env: str, env_args: Mapping[str, Any]) -> list[str]:
    """The ``env_args.NAME=VALUE`` words without which no command plays a game that only a record names."""
    try:
        check_key(env, env_args, "", "")
        check_files(env, env_args, "")
    except UserError:
        return [f"env_args.{name}={env_args[name]}" for name in ("key", "problem") if name in env_args]
    return []


def listed() -> set[str]:
    """The modules that the user lists."""
    return {word.strip() for word in os.environ.get(LISTED, "").split(",") if word.strip()}


def _on_own_path(top: str) -> bool:
    """Whether a module is found in a folder that the user's PYTHONPATH names."""
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    try:
        found = PathFinder.find_spec(top, folders)
    except (ImportError, ValueError):
        return False
    return found is not None


def missing(key: str, error: ImportError | None, module: str) -> UserError:
    """What to say where a module of a key cannot be imported, or one that it needs."""
    name = getattr(error, "name", None) or module.partition(".")[0]
    top, own = name.partition(".")[0], module.partition(".")[0]
    if top in KNOWN and top not in sys.modules:
        return UserError(f"env_args.key={key} needs the package {top}, which is not installed: {how_to_install(top)}.")
    if own and name == own:
        return UserError(f"env_args.key={key}: Python finds no module {own}; {_how_to_find(own)}.")
    if module and (module == name or module.startswith(f"{name}.")):
        return UserError(f"env_args.key={key} cannot be imported: there is no {name}.")
    said = one_line(error) if error else "Python finds it, and cannot load it"
    return UserError(f"env_args.key={key} cannot be imported ({said}); install what it needs.")


def how_to_install(package: str) -> str:
    """How to install one of the packages that are known."""
    return f"pip install '{f'epymarl-cpa[{KNOWN[package]}]' if KNOWN[package] else package}'"


def _how_to_find(module: str) -> str:
    """How to make a module importable; its name on a package index may be that of somebody else's package."""
    here = Path.cwd()
    if (here / f"{module}.py").is_file() or (here / module).is_dir():
        return f"it lies in this folder, where Python looks if the command begins with PYTHONPATH={here}"
    return ("if it is your own file, name its folder in PYTHONPATH; if it is part of a package, install that package "
            "as its authors say")
