"""``python -m epymarl_cpa.data make|describe|validate|convert|merge|append|select|people``: data sets by command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from .. import config
from ..envs.game import Game
from ..envs.overcooked import Overcooked
from ..errors import UserError
from ..utils.process import told_if_interrupted
from ..utils.progress import showing
from . import OfflineDataset, load_dataset
from .chunks import split
from .describe import describe
from .fitting import fitted, remarks
from .formats import read
from .formats.mapped import append
from .generate import cache_file, generate
from .merge import merge
from .overcooked import human_pairs
from .selection import Selection, ranges, select
from .store import write_dataset
from .validate import check_game
from .words import parser_of_words


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        words: the command line; by default that of the process.

    Returns:
        Exit status: 0, or 2 after a user's mistake, which is told on standard error.
    """
    try:
        parser = parser_of_words(config.read_yaml(config.FOLDER / "default.yaml")["datasets_path"])
        args, rest = parser.parse_known_args(words)
        options = [word for word in rest if word.startswith("-")]
        if options:
            parser.error(f"unknown option {options[0]}")
        with showing(None, _tell):
            told = _run(args, rest)
        print(told, flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _run(args: argparse.Namespace, words: Sequence[str]) -> str:
    if args.command in ("convert", "merge", "select"):
        return _write(args, words)
    if args.command == "append":
        return _append(args, words)
    if args.command == "people":
        return _people(args, words)
    game, recipes = config.load_env(args.env_config, words)
    if args.command == "make":
        if args.quality not in recipes:
            raise UserError(f"unknown recipe '{args.quality}' of {game.name}; the recipes are: {', '.join(recipes)}.")
        if args.out is None:
            load_dataset(args.quality, game, recipes, args.seed, args.datasets_path)
            return str(cache_file(game, recipes[args.quality], args.seed, args.quality, args.datasets_path))
        data = generate(game, recipes[args.quality], args.seed, args.quality)
        write_dataset(split(data), args.out, args.to, args.force)
        return str(args.out)
    data = load_dataset(args.data, game, recipes, args.seed, args.datasets_path)
    if args.command == "validate":
        data.check()
    told = describe(data, game) if args.command == "describe" else \
        f"{data.source}: {data.n_episodes} episodes and {data.steps.sum()} steps, valid for {game.name}."
    return "\n".join([told, *remarks(data, game)])


def _append(args: argparse.Namespace, words: Sequence[str]) -> str:
    """Adds the episodes of other data to a folder."""
    if words:
        raise UserError(f"'{words[0]}' is one word too many.")
    for source in args.sources:
        if source.resolve() == args.target.resolve():
            raise UserError(f"{source} would be added to itself.")
    found = append(merge([partial(read, source) for source in args.sources]), args.target)  # all of them, or none
    return f"{args.target}: {found.episodes} episodes."


def _people(args: argparse.Namespace, words: Sequence[str]) -> str:
    """The trials of people in one layout of Overcooked."""
    game, _ = config.load_env("overcooked", words)
    assert isinstance(game, Overcooked)
    data = human_pairs(args.source, game)
    write_dataset(split(data), args.out, args.to, args.force)
    pairs = len(data.meta["behaviours"])
    return f"{args.out}: {data.n_episodes} episodes and {data.steps.sum()} steps of {pairs} pairs."


def _write(args: argparse.Namespace, words: Sequence[str]) -> str:
    """Converts, merges or selects, a few episodes at a time."""
    sources, out = args.sources if args.command == "merge" else [args.source], args.out
    changes = [word for word in (*map(str, sources), *words) if word.startswith("env_args.")]
    sources = [source for source in sources if str(source) not in changes]
    stray = [word for word in words if word not in changes] or (changes if args.env_config is None else [])
    if stray:
        raise UserError(f"'{stray[0]}' is one word too many; env_args.<key>=<value> needs --env-config as well.")
    for source in sources:
        if source.resolve() == out.resolve() or out.resolve() in source.resolve().parents:
            raise UserError(f"{source} would be replaced by {out}; choose another name to write to.")
    game = None if args.env_config is None else config.load_env(args.env_config, changes)[0]
    if args.command == "convert":
        parts = read(args.source, args.source_format)
    elif args.command == "select":
        asked, source = _selection(args), str(args.source)
        parts = select(read(args.source), asked, source, *([] if game is None else [partial(fitted, game=game)]))
    else:
        parts = merge([partial(read, source) for source in sources])
    if game is not None:
        parts = _fitting(parts, game)
    stored = write_dataset(parts, out, args.to, args.force)
    return f"{out} ({stored.format}): {stored.episodes} episodes and {stored.steps} steps."


def _selection(args: argparse.Namespace) -> Selection:
    return Selection(None if args.episodes is None else ranges(args.episodes, "--episodes"),
                     ranges(args.not_episodes, "--not-episodes") if args.not_episodes is not None else (),
                     args.min_return, args.max_return, args.min_length, args.max_length, args.action, args.behaviour)


def _fitting(parts: Iterator[OfflineDataset], game: Game) -> Iterator[OfflineDataset]:
    for each in parts:
        check_game(fitted(each, game), game)
        yield each


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
