"""``render MODEL --out=FILE``: plays a trained team's episodes and shows them as a film or as text."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import UserError
from ..settings import MOST_SEED

if TYPE_CHECKING:  # what takes long to import
    from .film import Film
    from .play import Team

WIDTHS = (200, 4000)
MOST_EPISODES, MOST_KEYS = 100, 4
PANEL = 480  # pixels of one panel, if nothing else is asked for


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: its words, without the program's name; by default those of the process.

    Returns:
        Exit status: 0, 2 after a user's mistake, which is told in a sentence on standard error, 130 after Ctrl-C.
    """
    from ..utils.process import handling, interrupt

    try:
        args = _parser().parse_intermixed_args(argv)
        with handling((signal.SIGTERM,), interrupt):
            _check(args)
            _render(args)
            sys.stdout.flush()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """One whose complaints are sentences like all others."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help tells what there is.")


def _parser() -> _Parser:
    parser = _Parser(
        prog="epymarl-cpa render", allow_abbrev=False,
        description="Play a trained team's episodes, as evaluation does, and show them as a film or as text.")
    parser.add_argument("model", help="model folder of a run (results/models/...), one checkpoint in it, or a folder "
                                      "of exported agents")
    parser.add_argument("changes", nargs="*", metavar="env_args.KEY=VALUE", help="arguments of the game to change")
    parser.add_argument("--out", default="-", metavar="FILE",
                        help="film to write: .gif, .mp4 or .txt; - prints text (default)")
    parser.add_argument("--episodes", type=int, default=1, metavar="N", help="how many episodes (default 1)")
    parser.add_argument("--keys", type=int, default=1, metavar="K",
                        help="show K agreement keys side by side, by which the team plays differently, with the same "
                             "start and luck (default 1)")
    parser.add_argument("--seed", type=int, metavar="S", help="of the game and of what the team draws (default: the "
                                                             "run's)")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--greedy", dest="greedy", action="store_true", default=None,
                        help="the team plays what is most likely")
    choice.add_argument("--sample", dest="greedy", action="store_false", help="the team draws, or plays by its key")
    parser.add_argument("--step", type=int, default=0, metavar="T", help="the checkpoint nearest to t_env T (default: "
                                                                        "the newest)")
    parser.add_argument("--fps", type=float, default=None, metavar="F", help="steps a second (default 2, or 1 where "
                                                                            "episodes have one step)")
    parser.add_argument("--width", type=int, default=None, metavar="PIXELS",
                        help=f"of the film (default {PANEL} for each key)")
    parser.add_argument("--key", default="", help="env_args.key of the environment, if it is of another package: the "
                                                  "model folder alone cannot have it imported")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Raises:
        UserError: a number is out of range.
    """
    for name, value, low, high in (("episodes", args.episodes, 1, MOST_EPISODES), ("keys", args.keys, 1, MOST_KEYS),
                                   ("step", args.step, 0, 2**63), ("fps", args.fps, 0.1, 50),
                                   ("width", args.width, *WIDTHS), ("seed", args.seed, 0, MOST_SEED)):
        if value is not None and not low <= value <= high:
            raise UserError(f"--{name} must be between {low} and {high}, not {value}.")


def _render(args: argparse.Namespace) -> None:
    from .film import check_out

    ending = check_out(args.out)
    team = _team(args, ending != ".txt")
    try:
        film = _film(team, args, ending)
        film.write(args.out, ending)
    finally:
        team.game.close()
    if args.out != "-":
        _tell(film, args.out)


def _team(args: argparse.Namespace, pictures: bool) -> Team:
    """Raises:
        UserError: there is neither a model nor exported agents, or the words do not fit what there is.
    """
    from .exported import ExportedTeam, is_exported
    from .team import ShownTeam

    changes = _env_args(args.changes)
    if is_exported(args.model):
        if args.greedy is not None or args.step or args.key:
            raise UserError(f"{args.model} holds exported agents, which play as they were exported; --greedy, "
                            "--sample, --step and --key are for model folders.")
        return ExportedTeam(args.model, args.seed, changes)
    greedy = False if args.keys > 1 and args.greedy is None else args.greedy
    return ShownTeam(args.model, args.key, args.step, args.seed, greedy, changes, pictures)


def _env_args(words: Sequence[str]) -> Mapping[str, Any]:
    """Raises:
        UserError: a word does not say which argument of the game has which value.
    """
    from ..config.reading import parse_overrides

    for word in words:
        if not word.startswith("env_args."):
            raise UserError(f"'{word}' is not understood; only arguments of the game can be changed here: "
                            "env_args.<name>=<value>.")
    changes: Mapping[str, Any] = parse_overrides(words).get("env_args", {})
    return changes


def _film(team: Team, args: argparse.Namespace, ending: str) -> Film:
    """Plays, and makes a panel for each key."""
    from ..envs.external import ExternalGame
    from .film import Film
    from .painters import painter_of
    from .painters.external import photographed
    from .panel import Panel
    from .play import play, play_by_keys

    shot = photographed if ending != ".txt" and isinstance(team.game, ExternalGame) else None
    if args.keys > 1:
        by_seed = play_by_keys(team, args.keys, args.episodes, shot)
        columns = [(f"shared seed {seed}", played) for seed, played in by_seed.items()]
    else:
        columns = [("", play(team, args.episodes, shot))]
    painter = painter_of(team.game)
    order = "agents decide in turn, each knowing those before" if team.in_order else ""
    panels = [Panel(painter, team.title, heading, played, order) for heading, played in columns]
    fps = args.fps or (1.0 if team.game.episode_limit == 1 else 2.0)
    return Film(panels, args.width or PANEL * len(panels), fps)


def _tell(film: Film, out: str) -> None:
    for panel in film.panels:
        returns = ", ".join(f"{episode.total:.4g}" for episode in panel.played)
        print(f"{panel.heading or panel.title}: return {returns}")
    print(f"{out}: {len(film)} pictures" if not out.endswith(".txt") else out)


if __name__ == "__main__":
    sys.exit(main())
