"""The rows that sweeps leave: one JSON object for every finished run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError, one_line
from ...utils.bounded import read_text
from ...utils.files import reason
from .faults import NEEDED, fault_of
from .names import data_of, game_of, recipe_of, settings_of_row

Row = dict[str, Any]
MOST = 2**30  # bytes of a file of rows
SAME = 1e-9
Rows = Sequence[Row]


def read_rows(sources: Sequence[Path]) -> list[Row]:
    """The rows of folders (``*.json``, one row each) and of ``.jsonl`` files (one row a line), in that order.

    Raises:
        UserError: a source cannot be read, holds something else than rows, or a row is cut off.
    """
    return [_checked(text, place) for source in sources for place, text in _texts(source)]


def without_repeats(rows: Rows) -> list[Row]:
    """The rows without copies of the same run: a row with the ``id`` of an earlier one, or equal to it but for places.

    Raises:
        UserError: rows are of different variants of a game or of different rules, or two differ that are of the same
            method, game, data and seed, as those of different settings do.
    """
    optima: dict[str, float | None] = {}
    rules: dict[str, str] = {}
    for row in rows:
        made_by = (row.get("made_by") or {}).get("rules")
        if made_by and rules.setdefault(game_of(row), made_by) != made_by:
            raise UserError(f"the rows of {game_of(row)} were made under different rules of it (digests "
                            f"{rules[game_of(row)]} and {made_by}); report each on its own.")
        mine, other = row["headline_optimum"], optima.setdefault(game_of(row), row["headline_optimum"])
        alike = mine is other if mine is None or other is None else math.isclose(other, mine, rel_tol=1e-3)
        if not alike:
            both = " and ".join("unknown" if value is None else f"{value:g}" for value in (other, mine))
            raise UserError(f"the rows of {game_of(row)} have different optima ({both}): they are of different "
                            "variants of the game; report each on its own.")
    return each_once(rows)


def about_rules(rows: Rows) -> list[str]:
    """A sentence for each game of whose rows some were made under other rules than others; usually none."""
    rules: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        if made_by := (row.get("made_by") or {}).get("rules"):
            rules.setdefault(game_of(row), {}).setdefault(made_by, set()).add(row["alg"])
    told = {game: "; ".join(f"{digest} those of {', '.join(sorted(algs))}" for digest, algs in by.items())
            for game, by in rules.items() if len(by) > 1}
    return [f"Different rules of {game} made these rows: {by}. They cannot be compared." for game, by in told.items()]


def each_once(rows: Rows) -> list[Row]:
    """The rows without copies of the same run.

    Raises:
        UserError: two rows differ that are of the same method, game, data and seed, as those of different settings do.
    """
    kept: dict[tuple[str, str, str, int], Row] = {}
    for row in rows:
        run = (row["alg"], game_of(row), data_of(row), row["seed"])
        other = kept.setdefault(run, row)
        if not _same(other, row):
            raise UserError(f"there are two different rows of {run[0]} on {run[1]}, {run[2]}, seed {run[3]} (ids "
                            f"{other.get('id', 'missing')} and {row.get('id', 'missing')}): they are of different "
                            "settings; remove the rows of one of them.")
        if not math.isclose(other["headline"], row["headline"], rel_tol=SAME, abs_tol=SAME):
            both = f"{other['headline']:.6g} and {row['headline']:.6g}"
            raise UserError(f"there are two rows of one run, {run[0]} on {run[1]}, {run[2]}, seed {run[3]}, with "
                            f"different results ({both}): one was made anew, or on another machine; give only one of "
                            "them.")
    return list(kept.values())


Group = tuple[str, str, str]


def grouped(rows: Rows) -> dict[Group, list[Row]]:
    """Rows of the same game, data and method; games and data in the order in which they first come.

    Where rows of the same data have different recipes, or rows of one method different settings, these go to the name.
    """
    recipes = _words_by(rows, lambda row: (game_of(row), data_of(row)), recipe_of)
    settings = _words_by(rows, lambda row: (game_of(row), data_of(row), row["alg"]), settings_of_row)

    def named(row: Row) -> Group:
        game, data, alg = game_of(row), data_of(row), row["alg"]
        return (game, _with_what_differs(data, recipe_of(row), recipes[game, data]),
                _with_what_differs(alg, settings_of_row(row), settings[game, data, alg]))

    groups: dict[Group, list[Row]] = {}
    for row in rows:
        groups.setdefault(named(row), []).append(row)
    games = list(dict.fromkeys(game for game, _, _ in groups))
    tasks = list(dict.fromkeys((game, data) for game, data, _ in groups))
    return dict(sorted(groups.items(), key=lambda item: (games.index(item[0][0]), tasks.index(item[0][:2]))))


def _words_by(rows: Rows, place: Callable[[Row], tuple[str, ...]], words: Callable[[Row], tuple[str, ...]],
              ) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """All lists of words that the rows of each place have."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for row in rows:
        found.setdefault(place(row), set()).add(words(row))
    return found


def _with_what_differs(name: str, own: tuple[str, ...], every: set[tuple[str, ...]]) -> str:
    """A name with those of its words that not all have."""
    return " ".join([name, *(word for word in own if not all(word in other for other in every))])


def curve_of(row: Row) -> list[tuple[float, float]]:
    """Points (t_env, headline) of the row's learning curve; none in rows of older sweeps."""
    return [(float(t), float(value)) for t, value in row.get("curve") or []]


def _same(one: Row, other: Row) -> bool:
    """Whether two rows are of one run; the same ``id`` may be of two machines, with other times."""
    if "id" in one and "id" in other:
        return bool(one["id"] == other["id"])
    return all(one.get(key) == other.get(key) for key in {*one, *other} - {"id", "model", "made_by"})


def _texts(source: Path) -> list[tuple[str, str]]:
    """Texts of rows, and where each of them stands."""
    try:
        if source.is_dir():
            found = [(str(file), read_text(file, MOST)) for file in sorted(source.glob("*.json"))]
        else:
            lines = read_text(source, MOST).splitlines()
            found = [(f"{source}, line {i}", line) for i, line in enumerate(lines, 1) if line.strip()]
    except OSError as error:
        raise UserError(f"{source} cannot be read ({reason(error)}); give folders of sweeps' rows, or .jsonl files "
                        "of rows.") from None
    except UnicodeDecodeError:
        raise _other(str(source), "is not text") from None
    if not found:
        raise _other(str(source), "holds none")
    return found


def _checked(text: str, place: str) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is no whole JSON object ({one_line(error)}); rows of sweeps are needed: remove what "
                        "is broken and start the sweep again.") from None
    if not isinstance(row, dict):
        raise _other(place, "is something else")
    if fault := fault_of(row):
        raise _other(place, fault)
    return row


def _other(place: str, what: str) -> UserError:
    return UserError(f"{place} {what}; rows of sweeps are needed, with {', '.join(NEEDED)}.")
