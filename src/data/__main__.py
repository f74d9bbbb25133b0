"""``python -m epymarl_cpa.data make|describe|validate|convert|merge|select|people``: data sets by command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from .. import config
from ..envs.overcooked import Overcooked
from ..errors import UserError
from ..utils.files import reason
from ..utils.process import told_if_interrupted
from ..utils.progress import showing
from . import OfflineDataset, load_dataset
from .describe import describe
from .fitting import fitted, remarks
from .formats import REGISTRY, read
from .generate import cache_file, generate
from .merge import merge
from .overcooked import human_pairs
from .selection import Selection, ranges, select
from .store import write_dataset
from .validate import check_game

A_DATASET = "a recipe, or a file or folder in a format that can be read"


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        words: the command line; by default that of the process.

    Returns:
        Exit status: 0, or 2 after a user's mistake, which is told on standard error.
    """
    try:
        parser = _parser()
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


def _parser() -> argparse.ArgumentParser:
    folder = config.read_yaml(config.FOLDER / "default.yaml")["datasets_path"]
    parser = argparse.ArgumentParser(prog="epymarl-cpa data",
                                     description="Make, describe, check, convert, merge or select from data sets.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("make", "make a recipe's data set"), ("describe", "print tables about a data set"),
                       ("validate", "check a data set against a game")):
        command = commands.add_parser(name, help=what, allow_abbrev=False,
                                      description=f"{what}; words env_args.<key>=<value> change the game.")
        command.add_argument("--env-config", required=True, metavar="NAME", help="game, as in src/config/envs")
        command.add_argument("--seed", type=int, default=0, help="seed of a recipe's data set (default 0)")
        command.add_argument("--datasets-path", type=Path, default=Path(folder), metavar="FOLDER",
                             help=f"where data sets made from recipes are kept (default {folder})")
        if name == "make":
            command.add_argument("--quality", required=True, help="name of the recipe")
            command.add_argument("--out", type=Path, help="file to write instead of one in the folder")
        else:
            command.add_argument("data", help=A_DATASET)
    people = commands.add_parser("people", help="make a data set of people who cooked together", allow_abbrev=False,
                                 description="Make a data set of the trials that come with the package overcooked-ai "
                                             "(clean_train_trials.pickle), in one layout: env_args.layout=<name>.")
    people.add_argument("source", type=Path, metavar="SRC", help="the file of trials")
    people.add_argument("--out", type=Path, required=True, metavar="DST", help="the .npz file to write")
    _add_changing(commands)
    return parser


def _add_changing(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    formats = "; ".join(f"{name}: {REGISTRY[name].title}" for name in sorted(REGISTRY))
    convert = commands.add_parser("convert", help="write a data set in another format", allow_abbrev=False,
                                  description=f"Write a data set in another format. Formats: {formats}.")
    convert.add_argument("source", type=Path, metavar="SRC", help="file or folder to read")
    convert.add_argument("out", type=Path, metavar="DST", help="file or folder to write")
    convert.add_argument("--from", dest="source_format", metavar="FORMAT", help="of SRC (default: found by looking)")
    merged = commands.add_parser("merge", help="join data sets of the same game", allow_abbrev=False,
                                 description=f"Join data sets of the same game. Formats: {formats}.")
    merged.add_argument("sources", type=Path, nargs="+", metavar="SRC", help="files or folders to read")
    merged.add_argument("--out", type=Path, required=True, metavar="DST", help="file or folder to write")
    selected = commands.add_parser("select", help="write some of the episodes", allow_abbrev=False,
                                   description="Write the episodes that meet all that is given.")
    selected.add_argument("source", type=Path, metavar="SRC", help="file or folder to read")
    selected.add_argument("--out", type=Path, required=True, metavar="DST", help="file or folder to write")
    selected.add_argument("--episodes", metavar="LIST", help="numbers of episodes, from 0, such as 1,5-9")
    selected.add_argument("--not-episodes", metavar="LIST", help="numbers of episodes to leave out")
    for bound in ("min", "max"):
        selected.add_argument(f"--{bound}-return", type=float, metavar="R", help=f"{bound}imum return")
        selected.add_argument(f"--{bound}-length", type=int, metavar="STEPS", help=f"{bound}imum number of steps")
    selected.add_argument("--action", type=int, metavar="NUMBER", help="an action, from 0, that some agent plays")
    selected.add_argument("--behaviour", metavar="NAME", help="the behaviour that made the episode")
    for command in (convert, merged, selected):
        command.add_argument("--to", metavar="FORMAT", help="of DST (default: told by its name)")
        command.add_argument("--force", action="store_true", help="replace DST if it is a data set")
        command.add_argument("--env-config", metavar="NAME", help="game against which to check the data, too")


def _run(args: argparse.Namespace, words: Sequence[str]) -> str:
    if args.command in ("convert", "merge", "select"):
        return _write(args, words)
    if args.command == "people":
        return _people(args.source, args.out, words)
    game, recipes = config.load_env(args.env_config, words)
    if args.command == "make":
        if args.quality not in recipes:
            raise UserError(f"unknown recipe '{args.quality}' of {game.name}; the recipes are: {', '.join(recipes)}.")
        if args.out is None:
            load_dataset(args.quality, game, recipes, args.seed, args.datasets_path)
            return str(cache_file(game, recipes[args.quality], args.seed, args.quality, args.datasets_path))
        try:
            generate(game, recipes[args.quality], args.seed, args.quality).save(args.out)
        except OSError as error:
            raise UserError(f"{args.out} cannot be written ({reason(error)}).") from None
        return str(args.out)
    data = load_dataset(args.data, game, recipes, args.seed, args.datasets_path)
    told = describe(data, game) if args.command == "describe" else \
        f"{data.source}: {data.n_episodes} episodes and {data.steps.sum()} steps, valid for {game.name}."
    return "\n".join([told, *remarks(data, game)])


def _people(source: Path, out: Path, words: Sequence[str]) -> str:
    """The trials of people in one layout of Overcooked."""
    game, _ = config.load_env("overcooked", words)
    assert isinstance(game, Overcooked)
    data = human_pairs(source, game)
    try:
        data.save(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({reason(error)}).") from None
    return f"{out}: {data.n_episodes} episodes and {data.steps.sum()} steps of {len(data.meta['behaviours'])} pairs."


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
    if args.command == "convert":
        parts = read(args.source, args.source_format)
    elif args.command == "select":
        parts = select(read(args.source), _selection(args), str(args.source))
    else:
        parts = merge([partial(read, source) for source in sources])
    if args.env_config is not None:
        parts = _fitting(parts, args.env_config, changes)
    stored = write_dataset(parts, out, args.to, args.force)
    return f"{out} ({stored.format}): {stored.episodes} episodes and {stored.steps} steps."


def _selection(args: argparse.Namespace) -> Selection:
    return Selection(None if args.episodes is None else ranges(args.episodes, "--episodes"),
                     ranges(args.not_episodes, "--not-episodes") if args.not_episodes is not None else (),
                     args.min_return, args.max_return, args.min_length, args.max_length, args.action, args.behaviour)


def _fitting(parts: Iterator[OfflineDataset], name: str, words: Sequence[str]) -> Iterator[OfflineDataset]:
    game, _ = config.load_env(name, words)
    for each in parts:
        check_game(fitted(each, game), game)
        yield each


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
