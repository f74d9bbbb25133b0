"""What ``explain`` says of a method or a game, as its file and its class tell it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from ..settings import CORE
from ..settings.env_args import env_args_of
from ..settings.schema import in_words
from .about_keys import ARGS, INDENT, default_of
from .catalogue import GameFile, Method, about, defaults, given, head_of, remarks
from .listing import mixture_of
from .tables import paragraph, table
from .wording import assigned, in_yaml


def about_method(each: Method) -> Iterator[str]:
    """About a method: how it acts, its keys, and what it sets for all runs and for single games."""
    said = remarks(each.path)
    yield from paragraph(f"{each.name}: {' '.join(head_of(each.path)) or about(each.path)}")
    bases = [path.stem for path, _ in each.chain[:-1]]
    yield from table([("acts", each.acts), ("parts", assigned(each.config, ("learner", "mac", "runner"))),
                      *([("extends", ", ".join(bases))] if bases else []),
                      ("try", f"epymarl-cpa train {given(each.path)} xor")], indent=INDENT)
    own = [(name, in_yaml(each.config[name]), _remarked(key.doc, said.get(name)))
           for name, key in each.keys.items() if name not in CORE and name in each.config]
    if own:
        yield from ["", "Its own keys, with their values:", *table(own, indent=INDENT)]
    others = [(name, in_yaml(value), _remarked(CORE[name].doc, said.get(name))) for name, value in each.own.items()
              if name in CORE and value != defaults()[name] and name not in ("name", "mac", "learner", "runner")]
    if others:
        yield from ["", "What it sets otherwise than default.yaml:", *table(others, indent=INDENT)]
    if each.per_env:
        yield from ["", "For single games:",
                    *table([(game, assigned(values, values)) for game, values in each.per_env.items()], indent=INDENT)]


def _remarked(meaning: str, remark: str | None) -> str:
    return f"{meaning} (here: {remark})" if remark else meaning


def about_game(each: GameFile) -> Iterator[str]:
    """About a game: its rules as its class tells them, its arguments, what it sets, and its data."""
    yield from paragraph(f"{each.name}: {' '.join(head_of(each.path)) or about(each.path)}")
    yield from table([("agents x actions", each.sizes), ("needs", each.needs),
                      ("try", f"epymarl-cpa train cpa_ar {given(each.path)}")], indent=INDENT)
    yield from ["", *paragraph(_rules(each.cls), INDENT)]
    args = [(name, in_yaml(default_of(each, each.cls, name)), in_words(key), key.doc)
            for name, key in env_args_of(each.cls).items()]
    yield from ["", f"Its arguments ({ARGS}KEY=VALUE), with their values:", *table(args, indent=INDENT)]
    said = remarks(each.path)
    keys = [(name, in_yaml(value), _remarked(CORE[name].doc, said.get(name)))
            for name, value in each.content.items() if name in CORE and name not in ("env", "env_args", "recipes")]
    if keys:
        yield from ["", "What it sets otherwise than default.yaml:", *table(keys, indent=INDENT)]
    recipes = each.content.get("recipes") or {}
    yield from ["", "Its data sets (dataset=NAME):",
                *table([(name, f"{recipe.get('episodes')} episodes", mixture_of(recipe))
                        for name, recipe in recipes.items()], indent=INDENT)]


def _rules(cls: type) -> str:
    """What the docstring of a game says before its arguments, without markup."""
    text = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:")[0]
    return re.sub(r"``|:\w+:`[.~]*(\w+)`", r"\1", " ".join(text.split()))
