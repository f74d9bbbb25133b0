"""``python -m epymarl_cpa.deploy export|check|play``: agents on their own."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import UserError
from ..utils.files import named_path
from ..utils.process import handling, interrupt

PROGRAM = "python -m epymarl_cpa.deploy"
FORMATS = ("numpy", "onnx", "both")
KEY = "env_args.key of the environment, if it is of another package: the model folder alone cannot have it imported"
MOST = 2**31


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status.

    It is 0, 1 if agents and controller differ, 2 after a user's mistake, 130 after Ctrl-C.
    """
    args = _parser().parse_args(argv)
    from ..agreement.key import PolicyError

    try:
        with handling((signal.SIGINT, signal.SIGTERM), interrupt):
            return {"export": _export, "check": _check, "play": _play}[args.command](args)
    except (UserError, PolicyError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Agents on their own.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export", help="write one policy file per agent", allow_abbrev=False)
    command.add_argument("model", help="model folder of a run, of any method")
    command.add_argument("--out", type=named_path, default=Path("agents"),
                         help="folder to write, in place of a team that is there (default agents)")
    command.add_argument("--format", choices=FORMATS, default="numpy",
                         help="numpy (files, and a loader that needs NumPy alone), onnx (graphs), or both")
    command.add_argument("--key", default="", help=KEY)
    command = commands.add_parser("check", help="count the joint actions that exported agents choose as the controller "
                                                "does", allow_abbrev=False)
    command.add_argument("model", help="model folder of a run, of any method")
    command.add_argument("--steps", type=int, default=1000, help="this many joint actions (default 1000)")
    command.add_argument("--seed", default="0", help="seed of the game, and of what agents draw (default 0)")
    command.add_argument("--format", choices=FORMATS, help="what is compared (default: what can be here)")
    command.add_argument("--key", default="", help=KEY)
    command = commands.add_parser("play", help="play a game with one process per agent", allow_abbrev=False)
    command.add_argument("folder", type=named_path, help="folder of exported policies, NumPy's")
    command.add_argument("--seed", default="0", help="shared seed (default 0), or one for each agent: 1,1,2")
    command.add_argument("--steps", type=int, default=100, help="at least this many joint actions (default 100)")
    command.add_argument("--model", help="model folder of the run, to compare with the controller in one process")
    command.add_argument("--key", default="", help=KEY)
    return parser


def _export(args: argparse.Namespace) -> int:
    from .export import export, runtime

    files = export(args.model, args.out, args.key, args.format)
    count = len(files) // (2 if args.format == "both" else 1)
    if args.format != "numpy" and not runtime():
        print("the ONNX graphs were not run: onnxruntime is not installed (pip install 'epymarl-cpa[onnx]')")
    more = (f"; try: {PROGRAM} play {shlex.quote(str(args.out))}" if args.format != "onnx" else
            f"; {args.out / 'team.json'} says what each must be told")
    print(f"{count} agents in {args.out}{more}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from .export import check

    _steps(args.steps)
    seed, = _seeds(args.seed, one=True)
    form = args.format or ("both" if find_spec("onnx") else "numpy")
    found = check(args.model, args.steps, seed, args.key, form)
    for name, each in found.items():
        print(f"{name}: {each.agreed} of {each.steps} joint actions equal to the controller's in {each.episodes} "
              f"episodes, {len(each.distinct)} different ones; logits at most {each.apart:.1e} apart"
              + (f"; the first that differs: {each.where}" if each.where else ""))
    if args.format != "numpy" and "onnx" not in found:
        print("onnx: not compared, onnx or onnxruntime is not installed (pip install 'epymarl-cpa[onnx]')")
    left_out = args.format in ("onnx", "both") and "onnx" not in found  # it was asked for
    return int(left_out or not all(each.whole for each in found.values()))


def _play(args: argparse.Namespace) -> int:
    from .demo import play

    _steps(args.steps)
    played = play(args.folder, _seeds(args.seed), args.steps, args.model, args.key)
    print(f"{len(played.returns)} episodes, mean return {sum(played.returns) / len(played.returns):.4f}; "
          f"{played.steps} joint actions, {played.distinct} different ones")
    if played.agreed is None:
        return 0
    print(f"equal to the controller's in one process: {played.agreed} of {played.steps}")
    return int(played.agreed < played.steps)


def _steps(steps: int) -> None:
    if steps < 1:
        raise UserError(f"--steps must be at least 1, not {steps}.")


def _seeds(text: str, one: bool = False) -> list[int]:
    try:
        seeds = [int(word) for word in text.split(",")]
    except ValueError:
        seeds = [-1]
    if not 0 <= min(seeds) <= max(seeds) < MOST or (one and len(seeds) > 1):
        raise UserError(f"--seed must be a whole number in 0 .. 2147483647{'' if one else ', or several with commas'}, "
                        f"not {text}.")
    return seeds


if __name__ == "__main__":
    sys.exit(main())
