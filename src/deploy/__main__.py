"""``python -m epymarl_cpa.deploy export|play``: agents on their own."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..utils.process import handling, interrupt

KEY = "env_args.key of the environment, if it is of another package: the model folder alone cannot have it imported"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status.

    It is 0, 1 if agents and controller differ, 2 after a user's mistake, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="epymarl-cpa", description="Agents on their own.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export", help="write one policy file per agent", allow_abbrev=False)
    command.add_argument("model", help="model folder of a cpa_pa run")
    command.add_argument("--out", type=Path, default=Path("agents"), help="folder to write (default agents)")
    command.add_argument("--key", default="", help=KEY)
    command = commands.add_parser("play", help="play a game with one process per agent", allow_abbrev=False)
    command.add_argument("folder", type=Path, help="folder of exported policies")
    command.add_argument("--seed", default="0", help="shared seed (default 0), or one for each agent: 1,1,2")
    command.add_argument("--steps", type=int, default=100, help="at least this many joint actions (default 100)")
    command.add_argument("--model", help="model folder of the run, to compare with the controller in one process")
    command.add_argument("--key", default="", help=KEY)
    args = parser.parse_args(argv)
    import numpy as np  # here: what follows needs torch

    from .demo import play
    from .export import export
    from .policy import PolicyError

    try:
        if args.command == "export":
            files = export(args.model, args.out, args.key)
            print(f"{len(files)} agents in {args.out}; try: python -m epymarl_cpa.deploy play {args.out}")
            return 0
        if args.steps < 1:
            raise UserError(f"--steps must be at least 1, not {args.steps}.")
        with handling((signal.SIGINT, signal.SIGTERM), interrupt):
            played = play(args.folder, _seeds(args.seed), args.steps, args.model, args.key)
    except (UserError, PolicyError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"{len(played.returns)} episodes, mean return {np.mean(played.returns):.4f}; "
          f"{played.steps} joint actions, {played.distinct} different ones")
    if played.agreed is not None:
        print(f"equal to the controller's in one process: {played.agreed} of {played.steps}")
        return int(played.agreed < played.steps)
    return 0


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(word) for word in text.split(",")]
    except ValueError:
        seeds = [-1]
    if not 0 <= min(seeds) <= max(seeds) < 2**31:
        raise UserError(f"--seed must be a whole number in 0 .. 2147483647, or several with commas, not {text}.")
    return seeds


if __name__ == "__main__":
    sys.exit(main())
