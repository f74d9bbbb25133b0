"""What a run says at its end: what was reached, and where everything is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..utils.live_line import duration
from .base import RunStart

Line = tuple[str, str]  # what it is, and the words


def told(run: RunStart, result: Mapping[str, Any], model: str, seconds: float) -> str:
    """The end of a run in aligned lines.

    Args:
        run: as it began.
        result: what it ended with; not empty.
        model: folder of its last model; empty if none was saved.
        seconds: how long it took.
    """
    lines = [*(_recorded(result) if "headline" not in result else _reached(run, result)),
             ("time", duration(seconds)), *_places(run, model)]
    width = max(len(name) for name, _ in lines)
    config = run.config
    data = f", data {config['dataset']}" if config["runner"] == "offline" and not config["evaluate"] else ""
    title = f"{config['name']} on {config['env_args']['map_name']}{data}, seed {config['seed']}:"
    return "\n".join([title, *(f"  {name:<{width}}  {words}" for name, words in lines)])


def _reached(run: RunStart, result: Mapping[str, Any]) -> Iterator[Line]:
    """The result beside random play and the optimum, and how the team's ways to cooperate are."""
    if run.headline != "return":
        yield "return", _beside(result["return"], result["optimum"], None)
    exact = run.headline == "return" and "exact_return" in result
    yield (run.headline.replace("_", " "), _beside(result["headline"], result["headline_optimum"],
                                                   result.get("headline_random"), result.get("headline_bound"))
           + (", exact" if exact else ""))
    if result.get("score") is not None:
        yield "score", f"{result['score']:.4f}  (0: random play, 1: optimum)"
    if "joint_entropy" in result:
        yield "diversity", f"{result['joint_entropy']:.2f} bits of joint action, {result['modes']:.1f} joint actions " \
                           "in a state"
    if "tv" in result:
        yield "teacher", f"{result['tv']:.4f} away from it (total variation), " \
                         f"{100 * result['modes_covered']:.0f} % of its joint actions kept"


def _beside(value: float, best: float | None, random: float | None, bound: float | None = None) -> str:
    sides = ", ".join(f"{name} {side:.4f}" for name, side in (("optimum", best), ("optimum at most", bound),
                                                              ("random play", random)) if side is not None)
    return f"{value:.4f}" + (f"  ({sides})" if sides else "")


def _recorded(result: Mapping[str, Any]) -> Iterator[Line]:
    yield "episodes", str(result["episodes"])
    yield "return", f"{result['return']:.4f}"


def _places(run: RunStart, model: str) -> Iterator[Line]:
    places = {"model": model, **{name: run.places.get(name, "") for name in ("record", "data")}}
    for name, place in places.items():
        if place:
            yield name, place
