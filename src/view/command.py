"""``python -m epymarl_cpa.view PATH [--env-config=GAME] --out=FILE.html``: a data set, run or sweep as one page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..utils.files import named_path
from ..utils.process import told_if_interrupted

if TYPE_CHECKING:
    from ..data.dataset import OfflineDataset
    from ..envs.game import Game

#: kinds of :func:`.told.kind_of` in words
WORDS = {"dataset": "data set", "model": "run", "record": "run", "records": "runs", "rows": "sweep"}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status: 0, or 2 after a user's mistake, which is told on standard error."""
    args, words = _parser().parse_known_args(argv)
    try:
        options = [word for word in words if not word.startswith("env_args.")]
        if options:
            raise UserError(f"'{options[0]}' is one word too many: view takes one path, its options (see --help) and "
                            "env_args.<key>=<value>.")
        if args.out.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--out must end in .html, not {args.out.name}.")
        if not args.out.absolute().parent.is_dir():
            raise UserError(f"there is no folder {args.out.absolute().parent} to write to; make it, or choose another "
                            "file with --out.")
        from .document import write

        content, what = _content(args, words)
        size = write(content, args.out)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {what} {content['source']}, {size / 1e6:.2f} MB; open it in any browser.")
    for sentence in content.get("told", []):
        print(sentence)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epymarl-cpa view", allow_abbrev=False,
        description="Write one HTML file, which needs no network and no server, that shows a data set, a run or a "
                    "sweep. Words env_args.<key>=<value> change the game.")
    parser.add_argument("path", metavar="PATH",
                        help="a data set (file, folder, or name of a recipe with --env-config), a run (model folder or "
                             "Sacred folder), a sweep (folder of rows, .jsonl file, or folder of Sacred runs)")
    parser.add_argument("--env-config", metavar="GAME",
                        help="game of a data set, as in src/config/envs (default: the one that the data name)")
    parser.add_argument("--out", type=named_path, required=True, metavar="FILE", help="the .html file to write")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of a recipe's data set (default 0)")
    parser.add_argument("--datasets-path", type=named_path, default=Path("datasets"), metavar="FOLDER",
                        help="where data sets made from recipes are kept (default datasets)")
    parser.add_argument("--key", default="", metavar="KEY",
                        help="env_args.key of a run's environment, if it is of another package")
    return parser


def _content(args: argparse.Namespace, words: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The page, and what it is of."""
    from ..utils.bounded import is_there
    from .told import kind_of

    path = named_path(args.path)
    kind = "dataset" if args.env_config is not None and not is_there(path) else kind_of(path)
    if kind != "dataset" and (args.env_config is not None or words):
        raise UserError(f"{path} is a {WORDS[kind]}, which says itself what its game is; leave out "
                        f"{'--env-config' if args.env_config is not None else words[0]}.")
    if kind == "dataset":
        from .dataset_page import dataset_page

        data, game = _dataset(args, path, words)
        named = [] if args.env_config is None else [f"--env-config={args.env_config}", *words]
        content = dataset_page(data, game, data.source if is_there(Path(data.source)) else str(path), named)
        content["told"] = _told(content)
        return content, WORDS[kind]
    if kind in ("rows", "records"):
        from .sweep_page import sweep_page

        return sweep_page(path, kind == "records"), WORDS[kind]
    from .run_page import run_page

    return run_page(path, kind == "model", args.key), WORDS[kind]


def _dataset(args: argparse.Namespace, path: Path, words: Sequence[str]) -> tuple[OfflineDataset, Game | None]:
    """The data and the rules of their game, if they are known."""
    from ..data.formats import load

    if args.env_config is not None:
        from .. import config
        from ..data import load_dataset
        from ..data.generate import cache_file

        game, recipes = config.load_env(args.env_config, words)
        data = load_dataset(args.path, game, recipes, args.seed, args.datasets_path)
        if args.path in recipes:
            place = cache_file(game, recipes[args.path], args.seed, args.path, args.datasets_path)
            data = data.with_arrays(source=str(place))
        return data, game
    if words:
        raise UserError(f"'{words[0]}' needs --env-config as well.")
    data = load(path)
    return data, _named_game(data)


def _named_game(data: OfflineDataset) -> Game | None:
    """The game that the data name, if it is one of ours and still the same; one that is read from a file is not."""
    from ..data.validate import check_game
    from ..envs.registry import REGISTRY, make_own_game, ours

    spec = data.meta.get("spec")
    if not isinstance(spec, dict) or spec.get("game") not in ours():
        return None
    import inspect

    keys = inspect.signature(REGISTRY[spec["game"]]).parameters
    env_args = {key: value for key, value in spec.items() if key in keys}
    try:
        if REGISTRY[spec["game"]].file_of(env_args):
            return None
        game = make_own_game(spec["game"], **env_args)
        check_game(data, game)
    except (UserError, TypeError, ValueError):
        return None
    return game


def _told(content: dict[str, Any]) -> list[str]:
    """Sentences about what the page of a data set leaves out."""
    shown, drawn, count = content["player"]["shown"], content["player"]["drawn"], content["episodes"]["count"]
    said = []
    if shown < count:
        said.append(f"The first {shown:,} of {count:,} episodes can be played on the page; tables, returns and filters "
                    "count all of them.")
    if content["game"] is None:
        said.append("The game is not known, so states are shown as numbers; name it with --env-config.")
    elif 0 < drawn < shown:
        said.append(f"The first {drawn:,} episodes are drawn; the others show their states as numbers.")
    return said


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
