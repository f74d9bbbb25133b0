"""``epymarl-cpa select MODEL ...``: which checkpoint is the best, from the recorded data alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..errors import UserError
from ..utils.files import named_path
from ..utils.process import told_if_interrupted
from ..utils.progress import showing
from .effort import WAYS, Effort


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status: 0, or 2 after a user's mistake, which is told on standard error."""
    args = _parser().parse_args(argv)
    try:
        models, data = _models(args)
        if args.out is not None and not args.out.absolute().parent.is_dir():
            raise UserError(f"there is no folder {args.out.absolute().parent} to write to; make it, or choose another "
                            "file with --out.")
        from .choosing import choose, write  # here: it needs torch

        with showing(None, None):
            found = choose(models, data, args.caution, args.seed, args.way, args.updates, args.hindsight,
                           args.datasets_path, args.key)
        print(found)
        if args.out is not None:
            write(found, args.out)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def _models(args: argparse.Namespace) -> tuple[list[str], str]:
    """The model folders, and the data: ``with data=NAME`` is ``--data=NAME``.

    Raises:
        UserError: there is no model, or a word that is none.
    """
    words = [word for word in args.models if word != "with"]
    named = [word.removeprefix("data=") for word in words if word.startswith("data=")]
    models = [word for word in words if not word.startswith("data=")]
    if not models:
        raise UserError("select needs the model folders of one or more runs, or single checkpoints: "
                        "select results/models/<run>")
    if len({*named, *([args.data] if args.data else [])}) > 1:
        raise UserError("data is given twice; say it once.")
    return models, args.data or "".join(named[:1])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epymarl-cpa select", allow_abbrev=False,
        description="Say which of several trained teams is the best, from the recorded data alone: all checkpoints of "
                    "a run (keep them with save_model_interval=<updates>), or runs of several settings or methods. "
                    "The game is not played.")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="model folder of a run, or one checkpoint in it")
    parser.add_argument("--data", default="", metavar="NAME",
                        help="recipe, or a file or folder of recorded episodes (default: what the models learned from)")
    parser.add_argument("--datasets-path", default="datasets", metavar="FOLDER",
                        help="where data sets made from recipes are kept (default: datasets)")
    parser.add_argument("--caution", type=float, default=1.0, metavar="X",
                        help="how many standard errors below its value a team counts (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides all bits (default 0)")
    parser.add_argument("--way", choices=WAYS, default="auto",
                        help="table: by counting, where states and joint actions repeat; networks: fitted Q "
                             "evaluation (default: by the data)")
    parser.add_argument("--updates", type=int, default=Effort.updates, metavar="N",
                        help="of the networks (default %(default)s)")
    parser.add_argument("--hindsight", type=int, default=0, metavar="EPISODES",
                        help="afterwards play so many episodes with each, to see what the choice has cost")
    parser.add_argument("--key", default="",
                        help="env_args.key of the environment, if it is of another package: the model folder alone "
                             "cannot have it imported")
    parser.add_argument("--out", type=named_path, metavar="FILE", help="write everything as JSON, too")
    return parser


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
