"""What conventions explain: ``python -m epymarl_cpa.experiments.conventions MODEL --out=FILE.png``.

Prints a table, and draws it: for each recorded behaviour the share of its episodes whose likeliest convention is each
of those that the model values; how likely a key means each, and what it is estimated to return.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..utils.files import named_path, reason
from ..utils.process import told_if_interrupted
from .figures import matplotlib_needed

if TYPE_CHECKING:
    from .figures.convention_use import ConventionUse

KINDS = (".png", ".svg")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa conventions",
                                     description="Which convention the recorded episodes follow, and what a key "
                                                 "chooses.")
    parser.add_argument("model", help="model folder of a cpa_pa run with policy_input=obs, or one checkpoint in it")
    parser.add_argument("--dataset", default="", metavar="NAME",
                        help="recipe, or a file or folder of recorded episodes (default: what the model learned from)")
    parser.add_argument("--datasets-path", default="datasets", metavar="FOLDER",
                        help="where data sets made from recipes are kept (default: datasets)")
    parser.add_argument("--key", default="",
                        help="env_args.key of the environment, if it is of another package: the model folder alone "
                             "cannot have it imported")
    parser.add_argument("--out", type=named_path, metavar="FILE",
                        help="picture to write, .png or .svg (needs matplotlib; default: only the table)")
    args = parser.parse_args(argv)
    if args.out and args.out.suffix not in KINDS:
        parser.error(f"--out must end in {' or '.join(KINDS)}")
    from .figures.convention_use import convention_use  # here: it needs torch

    try:
        if args.out:
            with matplotlib_needed():
                from .figures import canvas  # noqa: F401 (before the work, not after it)
        use = convention_use(args.model, args.dataset, args.datasets_path, args.key)
        if args.out:
            draw(use, args.out)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(use)
    return 0


def draw(use: ConventionUse, out: Path) -> None:
    """Writes the picture.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    with matplotlib_needed():
        from .figures.canvas import save
        from .figures.conventions import convention_figure
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        save(convention_figure(use), out.parent, out.stem, [out.suffix[1:]])
    except OSError as error:
        raise UserError(f"the picture cannot be written to {out} ({reason(error)}); choose another file with "
                        "--out.") from None


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
