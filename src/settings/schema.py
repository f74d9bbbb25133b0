"""What a configuration key may hold and what it decides; values live in the YAML files only."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

from ..errors import UserError, clipped
from ..utils.files import is_writable
from ..utils.registry import nearest

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "a mapping",
         list: "a list", type(None): "null"}


LONGEST = 4000  # letters of a text, such as a path
NAME = 150  # bytes of a name, to which folders of models add some fifty
#: what keys of ours are called elsewhere
ELSEWHERE = {"learning_rate": "lr", "actor_lr": "lr", "critic_lr": "lr", "discount": "gamma",
             "discount_factor": "gamma", "epochs": "t_max", "n_steps": "t_max", "num_steps": "t_max",
             "max_steps": "t_max", "total_timesteps": "t_max",
             "hidden_size": "hidden_dim", "rnn_hidden_dim": "hidden_dim", "num_layers": "n_layers",
             "n_hidden_layers": "n_layers", "eval_interval": "test_interval", "eval_freq": "test_interval",
             "eval_episodes": "test_nepisode", "n_eval_episodes": "test_nepisode", "cuda": "use_cuda",
             "device": "use_cuda", "load_path": "checkpoint_path", "model": "checkpoint_path", "data": "dataset",
             "data_path": "dataset", "max_grad_norm": "grad_norm_clip", "grad_clip": "grad_norm_clip",
             "tau": "target_update_interval_or_tau", "target_update_interval": "target_update_interval_or_tau",
             "random_seed": "seed", "log_dir": "local_results_path", "output_dir": "local_results_path",
             "threads": "torch_threads", "num_threads": "torch_threads", "temperature": "alpha"}


class Decides(Enum):
    """What a configuration key decides; all that follows from it is said here and nowhere else.

    ``LEARNING`` and ``EXTENT`` decide what is learned and ``TESTING`` what is measured of it, so these three name
    a row of a table.  A run that is continued is told when it goes on with another value of a ``LEARNING`` key.
    """

    LEARNING = "what is learned"
    EXTENT = "where a run begins and ends"
    TESTING = "what is measured"
    WATCHING = "what is shown and kept on the way"
    FILES = "where files lie, and what recordings write to them"


class _Unset(Enum):
    UNSET = "no value"


UNSET = _Unset.UNSET


@dataclass(frozen=True)
class Key:
    """Type and range of one key, and what it decides.

    Attributes:
        type: a type or a union of types; a float key takes integers too.
        low, high: inclusive bounds, if any.
        choices: the allowed values, if they are few.
        is_name: whether a text becomes the name of a folder.
        decides: see :class:`Decides`.
        before: for a key that came after the first published rows, the value at which nothing has changed: rows that
            were made before keep their names.
        doc: what it means, in a phrase; it makes no key another one.
    """

    type: Any
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[Any, ...] = ()
    is_name: bool = False
    decides: Decides = Decides.LEARNING
    before: Any = UNSET
    doc: str = field(default="", compare=False)

    @property
    def names_rows(self) -> bool:
        """Whether rows with different values of it are different rows."""
        return self.decides in (Decides.LEARNING, Decides.EXTENT, Decides.TESTING)

    def check(self, name: str, value: Any) -> Any:
        """The value, converted to float where the key is one.

        Raises:
            UserError: wrong type, out of range, or not among the choices.
        """
        kinds = kinds_of(self.type)
        if float in kinds and type(value) is int:
            value = float(value) if abs(value) < 1e300 else math.inf
        if isinstance(value, Mapping):
            value = {_plain(name, key): inner for key, inner in value.items()}
        if type(value) not in kinds:  # not isinstance: "true" is no number
            raise UserError(f"config key '{name}' must be {' or '.join(WORDS[kind] for kind in kinds)}, not "
                            f"{clipped(repr(value))}.")
        items = item_kinds_of(self.type)
        for item in value if isinstance(value, list) and items else ():
            if type(item) not in items:
                wanted = " or ".join(WORDS[kind] for kind in items)
                raise UserError(f"config key '{name}' must be a list in which each entry is {wanted}, not {item!r}.")
        if self.choices and value not in self.choices:
            raise UserError(f"config key '{name}' must be {' or '.join(map(str, self.choices))}, not {value!r}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"config key '{name}' must be a finite number, not {value}.")
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            bound = f"at least {self.low}" if value < self.low else f"at most {self.high}"
            raise UserError(f"config key '{name}' must be {bound}, not {clipped(value)}.")
        if isinstance(value, str) and not is_writable(value):
            raise UserError(f"config key '{name}' has a letter that is only half a character.")
        if self.is_name and (not value.strip(". ") or re.search(r"[/\\\0]", value)):
            raise UserError(f"config key '{name}' names a folder and must be a word without slashes, not {value!r}.")
        if self.is_name and len(value.encode()) > NAME:
            raise UserError(f"config key '{name}' names folders and may have {NAME} bytes, not {len(value.encode())}.")
        if isinstance(value, str) and (len(value) > LONGEST or "\0" in value):
            what = f"has {len(value)} letters, {LONGEST} at most are possible" if len(value) > LONGEST else "has a NUL"
            raise UserError(f"config key '{name}' {what}.")
        return value


@dataclass(frozen=True)
class Need:
    """Keys that are read only where at least one of some others has one of some values.

    It does not name a key whose values but one are refused elsewhere: who is told there to change it must be able to.

    Attributes:
        keys: those that are read.
        where: those values, by the names of the others.
    """

    keys: tuple[str, ...]
    where: Mapping[str, tuple[Any, ...]]


def in_words(key: Key) -> str:
    """What values a key may have: its type, range and choices, in a phrase."""
    if key.choices:
        return "one of " + ", ".join("null" if choice is None else str(choice) for choice in key.choices)
    kinds = [kind for kind in kinds_of(key.type) if kind is not type(None)]
    items = [kind for kind in item_kinds_of(key.type) if kind in WORDS]
    words = " or ".join(WORDS.get(kind, getattr(kind, "__name__", str(kind))) for kind in kinds)
    if items:
        words += f" in which each entry is {' or '.join(WORDS[kind] for kind in items)}"
    if bounds := [f"at {word} {bound:g}" for word, bound in (("least", key.low), ("most", key.high))
                  if abs(bound) < 1e15]:
        words += f" of {' and '.join(bounds)}"
    return words + (" (a word without slashes)" if key.is_name else "") + \
        (" or null" if type(None) in kinds_of(key.type) else "")


def nearest_key(name: str, keys: Iterable[str]) -> str:
    """As :func:`nearest`, which also knows what other programs call a key."""
    known = list(keys)
    other = ELSEWHERE.get(name.lower().replace("-", "_"))
    return f" (did you mean '{other}'?)" if other in known else nearest(name, known)


def kinds_of(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type; a mapping is one whatever is in it."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return tuple(get_origin(part) or part for part in parts)


def item_kinds_of(annotation: Any) -> tuple[Any, ...]:
    """The types that the entries of a list may have, none for any; a float may be a whole number."""
    kinds = get_args(annotation) if get_origin(annotation) is list else ()
    return (*kinds, int) if float in kinds else kinds


def _plain(name: str, key: Any) -> str:
    """A key below ``name``, which must survive Sacred's dotted paths and its databases."""
    if not isinstance(key, str) or not re.fullmatch(r"[\w-]+", key):
        raise UserError(f"below config key '{name}', '{key}' must be made of letters, digits, - and _ only.")
    return key


def check(config: Mapping[str, Any], keys: Mapping[str, Key], place: Callable[[str], str] = lambda name: "",
          ) -> dict[str, Any]:
    """Checks every key of a resolved configuration.

    Args:
        config: values by name.
        keys: what is known of each.
        place: the file that gives a key; empty where none does.

    Raises:
        UserError: an unknown or missing key (with the nearest known one), or a bad value.
    """
    def told(name: str, sentence: object) -> UserError:
        return UserError(f"{file}: {sentence}" if (file := place(name)) else str(sentence))

    for name in config:
        if name not in keys:
            raise told(name, f"unknown config key '{clipped(name)}'{nearest_key(name, keys)}.")
    for name in keys:
        if name not in config:
            raise UserError(f"config key '{name}' is missing; give it a value in the algorithm's YAML file.")
    checked: dict[str, Any] = {}
    for name, value in config.items():
        try:
            checked[name] = keys[name].check(name, value)
        except UserError as error:
            raise told(name, error) from None
    for name, recipe in checked["recipes"].items():
        checked["recipes"][name] = Key(dict).check(f"recipes.{name}", recipe)
    return checked
