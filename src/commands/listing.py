"""``list``: the methods, games, data recipes, sweeps and observers that there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..config.files import FOLDER, names
from ..errors import UserError, one_line
from ..utils.registry import nearest
from .catalogue import GameFile, about, game_file, method, trouble
from .tables import table
from .verbs import VERBS

#: what is listed if nothing is named
USUAL = ("methods", "games")


def main(argv: Sequence[str]) -> int:
    """Prints one list or all of them; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa list", description=f"{VERBS['list'].what.capitalize()}.")
    parser.add_argument("what", nargs="*", help=f"{', '.join(LISTS)} (default: {', '.join(USUAL)})")
    wanted = parser.parse_args(argv).what or USUAL
    try:
        for what in wanted:
            if what not in LISTS:
                raise UserError(f"there is no list of '{what}'{nearest(what, LISTS)}; the choices are: "
                                f"{', '.join(LISTS)}.")
        print("\n\n".join("\n".join(LISTS[what]()) for what in wanted))
        if wanted is USUAL:
            print(f"\nAlso: {'; '.join(f'epymarl-cpa list {what}' for what in LISTS if what not in USUAL)}")
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def _methods() -> Iterator[str]:
    rows = []
    for each in map(method, names("algs")):
        bad = trouble(each)
        rows.append((each.name, "-" if bad else each.acts, bad or about(each.path)))
    yield from table(rows, ("method", "acts", "what it is"))
    yield from _try("train METHOD GAME", "explain METHOD")


def _games() -> Iterator[str]:
    rows = [(each.name, *_tried(each)) for each in map(game_file, names("envs"))]
    yield from table(rows, ("game", "agents x actions", "needs", "what it is about"))
    yield from _try("train METHOD GAME", "explain GAME")


def _tried(each: GameFile) -> tuple[str, str, str]:
    """Sizes, needs and subject of a game, or what is wrong with its file."""
    try:
        return each.sizes, each.needs, each.about
    except Exception as error:  # it runs the constructor of what may be anybody's game
        return "-", "-", trouble(each) or one_line(error)


def _data() -> Iterator[str]:
    rows = []
    for each in map(game_file, names("envs")):
        recipes = {} if trouble(each) else each.content.get("recipes") or {}
        rows += [(each.name, name, recipe.get("episodes", "-"), mixture_of(recipe)) for name, recipe in recipes.items()]
    yield from table(rows, ("game", "dataset", "episodes", "played by"))
    yield from _try("train METHOD GAME dataset=NAME", "data describe --env-config=GAME NAME")


def mixture_of(recipe: Mapping[str, object]) -> str:
    """Who plays the episodes of a recipe, in words."""
    mixture = recipe.get("mixture")
    if not isinstance(mixture, Mapping):
        return "-"
    shares = ", ".join(name if share == 1 else f"{name} {share:.3g}" for name, share in mixture.items())
    return shares + (" (drawn anew at each step)" if recipe.get("per") == "step" else "")


def _sweeps() -> Iterator[str]:
    from ..experiments.sweeps.grid import count_runs  # here: it takes a moment

    rows = []
    for name in names("sweeps"):
        try:
            rows.append((name, str(count_runs(name)), about(FOLDER / "sweeps" / f"{name}.yaml")))
        except UserError as error:
            rows.append((name, "-", str(error)))
    yield from table(rows, ("sweep", "runs", "what it is for"))
    yield from _try("sweep NAME --workers=2")


def _observers() -> Iterator[str]:
    from ..observers import REGISTRY  # here: it takes a moment

    rows = [(name, (sys.modules[cls.__module__].__doc__ or "").strip().partition("\n")[0].rstrip("."))
            for name, cls in sorted(REGISTRY.items())]
    yield from table(rows, ("observer", "what it does with a run"))
    yield from _try("train METHOD GAME observers=[NAME]")


def _try(*commands: str) -> list[str]:
    return ["", "Try: " + "; ".join(f"epymarl-cpa {command}" for command in commands)]


LISTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "methods": _methods, "games": _games, "data": _data, "sweeps": _sweeps, "observers": _observers}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
