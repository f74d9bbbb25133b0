"""The words of ``python -m epymarl_cpa.data``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..utils.files import named_path
from .formats import REGISTRY

A_DATASET = "a recipe, or a file or folder in a format that can be read"


def parser_of_words(folder: str) -> argparse.ArgumentParser:
    """What the command line of ``data`` may say; ``folder``: where data sets made from recipes are kept by default."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa data",
                                     description="Make, describe, check, convert, merge, add to or select from data "
                                                 "sets.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("make", "make a recipe's data set"), ("describe", "print tables about a data set"),
                       ("validate", "check a data set against a game")):
        command = commands.add_parser(name, help=what, allow_abbrev=False,
                                      description=f"{what}; words env_args.<key>=<value> change the game.")
        command.add_argument("--env-config", required=True, metavar="NAME", help="game, as in src/config/envs")
        command.add_argument("--seed", type=int, default=0, help="seed of a recipe's data set (default 0)")
        command.add_argument("--datasets-path", type=named_path, default=Path(folder), metavar="FOLDER",
                             help=f"where data sets made from recipes are kept (default {folder})")
        if name == "make":
            command.add_argument("--quality", required=True, help="name of the recipe")
            command.add_argument("--out", type=named_path,
                                 help="file, or folder x.mapped, to write instead of one in the folder")
            _add_writing(command)
        else:
            command.add_argument("data", help=A_DATASET)
    people = commands.add_parser("people", help="make a data set of people who cooked together", allow_abbrev=False,
                                 description="Make a data set of the trials that come with the package overcooked-ai "
                                             "(clean_train_trials.pickle), in one layout: env_args.layout=<name>.")
    people.add_argument("source", type=named_path, metavar="SRC", help="the file of trials")
    people.add_argument("--out", type=named_path, required=True, metavar="DST",
                        help="the .npz file, or folder x.mapped, to write")
    _add_writing(people)
    _add_changing(commands)
    return parser


def _add_writing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", metavar="FORMAT", help="of what is written (default: told by its name)")
    command.add_argument("--force", action="store_true", help="replace what is there if it is a data set")


def _add_changing(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    formats = "; ".join(f"{name}: {REGISTRY[name].title}" for name in sorted(REGISTRY))
    convert = commands.add_parser("convert", help="write a data set in another format", allow_abbrev=False,
                                  description=f"Write a data set in another format. Formats: {formats}.")
    convert.add_argument("source", type=named_path, metavar="SRC", help="file or folder to read")
    convert.add_argument("out", type=named_path, metavar="DST", help="file or folder to write")
    convert.add_argument("--from", dest="source_format", metavar="FORMAT", help="of SRC (default: found by looking)")
    merged = commands.add_parser("merge", help="join data sets of the same game", allow_abbrev=False,
                                 description=f"Join data sets of the same game. Formats: {formats}.")
    merged.add_argument("sources", type=named_path, nargs="+", metavar="SRC", help="files or folders to read")
    merged.add_argument("--out", type=named_path, required=True, metavar="DST", help="file or folder to write")
    added = commands.add_parser("append", help="add episodes to a folder of data on the disk", allow_abbrev=False,
                                description="Add the episodes of other data sets to a folder x.mapped, whose own "
                                            "episodes are neither copied nor changed.")
    added.add_argument("target", type=named_path, metavar="DST", help="the folder x.mapped")
    added.add_argument("sources", type=named_path, nargs="+", metavar="SRC", help="files or folders to read")
    selected = commands.add_parser("select", help="write some of the episodes", allow_abbrev=False,
                                   description="Write the episodes that meet all that is given.")
    selected.add_argument("source", type=named_path, metavar="SRC", help="file or folder to read")
    selected.add_argument("--out", type=named_path, required=True, metavar="DST", help="file or folder to write")
    selected.add_argument("--episodes", metavar="LIST", help="numbers of episodes, from 0, such as 1,5-9")
    selected.add_argument("--not-episodes", metavar="LIST", help="numbers of episodes to leave out")
    for bound in ("min", "max"):
        selected.add_argument(f"--{bound}-return", type=float, metavar="R", help=f"{bound}imum return")
        selected.add_argument(f"--{bound}-length", type=int, metavar="STEPS", help=f"{bound}imum number of steps")
    selected.add_argument("--action", type=int, metavar="NUMBER", help="an action, from 0, that some agent plays")
    selected.add_argument("--behaviour", metavar="NAME", help="the behaviour that made the episode")
    for command in (convert, merged, selected):
        _add_writing(command)
        command.add_argument("--env-config", metavar="NAME", help="game against which to check the data, too" + (
            ", and by which those of other programs have their returns" if command is selected else ""))
