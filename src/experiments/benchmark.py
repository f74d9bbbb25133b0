"""``epymarl-cpa benchmark`` measures how fast all of this is, on the machine where it runs: see :mod:`.measure`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..utils.files import named_path
from ..utils.process import told_if_interrupted
from ..utils.registry import nearest
from .measure.plan import GAMES, PARTS, Plan


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    words = [*(sys.argv[1:] if argv is None else argv)]
    args = _parser().parse_args(words)
    if args.threads < 1:
        _parser().error("--threads must be at least 1")
    plan = Plan(args.quick, args.device, args.datasets.absolute(), tuple(args.words), tuple(args.peer),
                _program(args.python), args.threads, tuple(_listed(args.games)))
    try:
        _check_games(plan.only_games)
        chosen = _chosen(args.only, plan)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    from .measure.bench import benchmark  # here: it needs torch

    def run() -> int:
        try:
            benchmark(plan, chosen, ["epymarl-cpa", "benchmark", *words], args.out, args.page, args.picture)
        except UserError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 2
        return 0
    return told_if_interrupted(run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epymarl-cpa benchmark", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="How fast all of this is, on this machine: tables on the screen, and a file for programs.",
        epilog="parts:\n" + "\n".join(f"  {name:9} {part.what}" for name, part in PARTS.items()))
    parser.add_argument("--only", metavar="PART,...", default="", help="these parts; by default all that need nothing")
    parser.add_argument("--games", metavar="GAME,...", default="", help=f"these games; by default {', '.join(GAMES)}")
    parser.add_argument("--quick", action="store_true", help="everything small, in a minute: only whether it works")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what learns (default cpu)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default 1)")
    parser.add_argument("--out", type=named_path, metavar="FILE.json", help="also write everything for programs")
    parser.add_argument("--page", type=named_path, metavar="FILE.md",
                        help="also put the tables between the marks <!-- benchmark --> of a page")
    parser.add_argument("--picture", type=named_path, metavar="FOLDER",
                        help="also draw the part 'scale' into a folder (needs the extra 'report')")
    parser.add_argument("--peer", type=named_path, action="append", default=[], metavar="FOLDER",
                        help="a program of others, or another checkout of this, measured beside ours; again for more")
    parser.add_argument("--python", default="", metavar="PROGRAM", help="the interpreter for these (default: this one)")
    parser.add_argument("--datasets", type=named_path, default=Path("datasets"), metavar="FOLDER",
                        help="where data sets made from recipes are kept (default datasets)")
    parser.add_argument("--with", dest="words", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting for all runs that are measured; again for more")
    return parser


def _program(name: str) -> str:
    """An interpreter that is named by its path, from any folder; a plain word is looked up as usual; "": this one."""
    return str(Path(name).absolute()) if name and Path(name).exists() else name


def _listed(words: str) -> list[str]:
    """Names that were given with commas between them."""
    return [name.strip() for name in words.split(",") if name.strip()]


def _check_games(asked: Sequence[str]) -> None:
    """Raises what is wrong with names of games.

    Raises:
        UserError: one is not measured.
    """
    for name in asked:
        if name not in GAMES:
            raise UserError(f"the benchmark does not measure '{name}'{nearest(name, GAMES)}; its games are: "
                            f"{', '.join(GAMES)}.")


def _chosen(only: str, plan: Plan) -> list[str]:
    """The parts to measure.

    Raises:
        UserError: there is no such part.
    """
    asked = _listed(only)
    for name in asked:
        if name not in PARTS:
            raise UserError(f"the benchmark has no part '{name}'{nearest(name, PARTS)}; its parts are: "
                            f"{', '.join(PARTS)}.")
    needs = {"peers": bool(plan.peers), "gpu": plan.device == "cuda"}
    return [name for name, part in PARTS.items()
            if name in asked or (not asked and (not part.asked or needs.get(name, False)))]


if __name__ == "__main__":
    sys.exit(main())
