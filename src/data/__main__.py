"""``python -m epymarl_cpa.data make|describe|validate``: data sets from the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import config
from ..errors import UserError
from . import load_dataset
from .describe import describe
from .generate import cache_file, generate


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
        print(_run(args, rest), flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    folder = config.read_yaml(config.FOLDER / "default.yaml")["datasets_path"]
    parser = argparse.ArgumentParser(prog="python -m epymarl_cpa.data",
                                     description="Make, describe or check data sets.")
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
            command.add_argument("data", help="a recipe, an .npz file, or an AlberDICE buffer folder")
    return parser


def _run(args: argparse.Namespace, words: Sequence[str]) -> str:
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
            raise UserError(f"{args.out} cannot be written ({error.strerror}).") from None
        return str(args.out)
    data = load_dataset(args.data, game, recipes, args.seed, args.datasets_path)
    if args.command == "describe":
        return describe(data, game)
    return f"{data.source}: {data.n_episodes} episodes and {data.steps.sum()} steps, valid for {game.name}."


if __name__ == "__main__":
    sys.exit(main())
