"""EPyMARL's command line with our configuration in it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .. import config, envs
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..recording.parts import seed_of
from ..records.options import parted
from ..settings import CORE
from ..settings.base import KEPT
from ..utils.files import reason
from ..utils.registry import nearest
from .checkout import Checkout
from .names import Names, shared_env_args

MARK = "# Written by 'epymarl-cpa install'"  # first words of our YAML files in a checkout
OPTIONS = {"--config": "algs", "--env-config": "envs"}
RECORD = "record_"


class CommandLine:
    """The words after EPyMARL's ``main.py``, with algorithms and environments of ours among the choices.

    EPyMARL merges its ``default.yaml``, the environment's file and the algorithm's, and Sacred refuses
    keys that none of them has.  Ours are therefore resolved here, as our own command line does it, and
    handed over as two complete files.  A name that EPyMARL has is EPyMARL's; but an algorithm of ours
    plays environments of ours only, as our own files have them (``gymma``, which both have, too).

    Args:
        checkout: where EPyMARL is.
        names: what our classes are called there.
    """

    def __init__(self, checkout: Checkout, names: Names) -> None:
        self.checkout, self.names = checkout, names

    def rewrite(self, words: Sequence[str]) -> list[str]:
        """The words for EPyMARL.

        Raises:
            UserError: an unknown name, or a bad key or value of ours.
        """
        rest = list(words)
        alg, env = (config.take_option(rest, option) for option in OPTIONS)
        if not alg or not env:
            raise UserError("--config and --env-config are both needed.")
        place = rest.index("with") if "with" in rest else len(rest)
        options, updates = parted(rest[place + 1:])
        options = [*rest[:place], *options]
        ours = self._of_ours("algs", alg)
        if ours is None:
            files, updates = self._their_algorithm(alg, env, updates)
        else:
            files, updates = self._our_algorithm(ours, env, updates)
        return [*files, *options, *(["with", *updates] if updates else [])]

    def _our_algorithm(self, alg: str, env: str, updates: Sequence[str]) -> tuple[list[str], list[str]]:
        """The options and the ``key=value`` words for an algorithm of ours."""
        kept, own = self._sorted(updates)
        if self._of_ours("envs", env) is None and env not in envs.REGISTRY:
            raise UserError(f"our methods play the environments {', '.join(envs.REGISTRY)}, not --env-config={env} of "
                            "EPyMARL.")
        whole = config.resolve(alg, self._of_ours("envs", env) or env, own)
        whole["env_args"] = shared_env_args(whole["env"], whole["env_args"])
        if whole["seed"] is None and whole["runner"] == "record":
            whole["seed"] = seed_of(whole["record_to"])
        if whole["observers"]:
            raise UserError(f"observers={whole['observers']} watch runs in our own host; inside EPyMARL its logger "
                            "does: leave them out.")
        if whole["save_model_interval"] is None:  # at each evaluation, in words that EPyMARL's loop understands
            whole["save_model_interval"] = whole["test_interval"]
            whole["models_kept"] = whole["models_kept"] or KEPT
        self.checkout.keep_apart(Path(whole["datasets_path"]))
        whole = self._named(whole)
        said = [f"{key}={whole[key]!r}" for key in config.parse_overrides(own) if key in whole]
        section = {key: whole.pop(key) for key in ("env", "env_args")}
        return [f"--config={_written('alg', whole)}", f"--env-config={_written('env', section)}"], [*said, *kept]

    def _their_algorithm(self, alg: str, env: str, updates: Sequence[str]) -> tuple[list[str], list[str]]:
        """The same for an algorithm of EPyMARL's, which can play our environments, too."""
        ours, kept = self._of_ours("envs", env), list(updates)
        if (lost := [word for word in updates if word.startswith(RECORD)]) and "runner=record" not in updates:
            _record_settings(updates)  # what is wrong with them comes first
            raise UserError(f"{lost[0]} has no effect without runner=record.")
        if ours is not None and not self._is_theirs_too(env):
            game, env_args, _ = config.read_env(ours, [word for word in updates if word.startswith("env_args.")])
            kept = [word for word in kept if not word.startswith("env_args.")]
            env_args = {"map_name": envs.REGISTRY[game].label(env_args), **env_args}
            section = {"env": game, "env_args": shared_env_args(game, env_args)}
        elif _records(updates):
            section = yaml.safe_load(self.checkout.config_file("envs", env).read_text(encoding="utf-8"))
        else:
            return [f"--config={alg}", f"--env-config={env}"], kept
        if _records(updates):
            settings = _record_settings(updates)
            kept = [word for word in kept if not word.startswith(RECORD)]
            if settings["seed"] is not None and not any(word.startswith("seed=") for word in kept):
                kept.append(f"seed={settings['seed']}")
            section |= {key: value for key, value in settings.items() if key != "seed"}
        return [f"--config={alg}", f"--env-config={_written('env', section)}"], kept

    def _of_ours(self, kind: str, name: str) -> str | None:
        """What our configuration is asked for if the file ``name`` is ours: a name or a path; else None.

        Raises:
            UserError: nobody has it.
        """
        file = self.checkout.config_file(kind, name)
        if file.is_file():
            return str(file) if self._is_ours(kind, file) else None
        theirs = [other for other in self.checkout.names(kind)
                  if not self._is_ours(kind, self.checkout.config_file(kind, other))]
        try:
            config.find_config(kind, name)
        except UserError as error:
            raise UserError(f"{error} EPyMARL has{nearest(name, theirs)}: {', '.join(theirs)}.") from None
        return name

    def _is_ours(self, kind: str, file: Path) -> bool:
        """Whether a file that EPyMARL would find is written for us."""
        if file.is_relative_to(self.checkout.source):
            return file.read_text(encoding="utf-8", errors="replace").startswith(MARK)
        content = config.read_yaml(file)  # of the user
        if kind == "envs":
            return content.get("env") in self.names.envs
        return "extends" in content or content.get("learner") in LEARNERS

    def _is_theirs_too(self, env: str) -> bool:
        """Whether a user's own file is of an environment that EPyMARL has by the same name."""
        file = self.checkout.config_file("envs", env)
        if not file.is_file() or file.is_relative_to(self.checkout.source):
            return False
        game = config.read_yaml(file).get("env")
        return isinstance(game, str) and self.names.envs.get(game, game) != game

    def _sorted(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """``key=value`` words about keys that only EPyMARL has, and the others."""
        theirs = yaml.safe_load((self.checkout.source / "config/default.yaml").read_text(encoding="utf-8"))
        alone = {key for key in theirs if key not in CORE or "wandb" in key}  # it has a logger of its own for that
        kept = [word for word in words if word.partition("=")[0] in alone]
        return kept, [word for word in words if word not in kept]

    def _named(self, whole: dict[str, Any]) -> dict[str, Any]:
        """A resolved configuration with EPyMARL's names; an unset seed is Sacred's to draw."""
        for key, names in (("mac", self.names.macs), ("learner", self.names.learners),
                           ("runner", self.names.runners)):
            if whole[key] not in names:
                raise UserError(f"{key}={whole[key]} does not run inside EPyMARL, which has its own; "
                                f"use one of its algorithms with our environments.")
            whole[key] = names[whole[key]]
        return {key: value for key, value in whole.items() if key != "seed" or value is not None}


def _records(words: Sequence[str]) -> bool:
    return any(word == "runner=record" or word.startswith(RECORD) for word in words)


def _record_settings(words: Sequence[str]) -> dict[str, Any]:
    """All keys ``record_*``, checked, and the ``seed`` of an unfinished recording (or None)."""
    defaults = config.read_yaml(config.FOLDER / "default.yaml")
    keys = [key for key in CORE if key.startswith(RECORD)]
    given = config.parse_overrides(word for word in words if word.startswith(RECORD))
    for key in given:
        if key not in keys:
            raise UserError(f"unknown config key '{key}'{nearest(key, keys)}.")
    settings = {key: CORE[key].check(key, given.get(key, defaults[key])) for key in keys}
    return {**settings, "seed": seed_of(settings["record_to"])}


def _written(name: str, content: Mapping[str, Any]) -> str:
    """A YAML file that lives as long as this process, as EPyMARL wants it: without its ending."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="epymarl-cpa-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
    except OSError as error:
        raise UserError(f"the settings for EPyMARL cannot be written to the folder of temporary files "
                        f"({reason(error)}); choose another with TMPDIR=<folder>.") from None
    return str(folder / name)
