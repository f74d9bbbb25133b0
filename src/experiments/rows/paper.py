"""The paper's Table 1 and the methods of reports, read from the YAML files beside this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...config import read_yaml
from ...errors import UserError
from ...utils.registry import nearest
from .names import data_of, game_of, recipe_of, settings_of_row
from .reading import Row, Rows

HERE = Path(__file__).parent
METHODS = HERE / "methods.yaml"
ONLINE = " online"  # how the names of methods end that learn without data
PRINTED = " as printed"  # and of those that are the paper's to the letter, beside what we made of them


class Task(NamedTuple):
    """A game with one of its data sets, by the names in our configurations."""

    env: str
    dataset: str


class Value(NamedTuple):
    """Mean and population standard deviation over seeds; the paper's are rounded to two decimals."""

    mean: float
    std: float


@dataclass(frozen=True)
class PaperTable:
    """Table 1 of the paper.

    Attributes:
        names: the paper's name of the game and of the data set for each of the 15 tasks, in the paper's order.
        values: what the paper reports, by task and name of the method.
        random: what the uniformly random team gets in each game, exactly.
    """

    names: Mapping[Task, tuple[str, str]]
    values: Mapping[tuple[Task, str], Value]
    random: Mapping[str, float]

    def value(self, task: Task, method: str) -> Value | None:
        """What the paper reports of a method of ours, which may be the paper's "as printed"; None if nothing."""
        return self.values.get((task, method.removesuffix(PRINTED)))


@cache
def table1() -> PaperTable:
    """The table in ``paper_table1.yaml``."""
    content = read_yaml(HERE / "paper_table1.yaml")
    names: dict[Task, tuple[str, str]] = {}
    values: dict[tuple[Task, str], Value] = {}
    for env, game in content["games"].items():
        for dataset, (name, *cells) in game["rows"].items():
            task = Task(env, dataset)
            names[task] = (game["name"], name)
            values |= {(task, method): Value(float(mean), float(std))
                       for method, (mean, std) in zip(content["columns"], cells, strict=True)}
    return PaperTable(names, values, {env: game["random"] for env, game in content["games"].items()})


@dataclass(frozen=True)
class Methods:
    """Which rows belong to which method.

    Attributes:
        names: of the methods, in order.
        by_alg: the method of an ``alg``.
    """

    names: Sequence[str]
    by_alg: Mapping[str, str]

    @staticmethod
    def read(path: Path = METHODS) -> Methods:
        """From a YAML file that maps names to lists of ``alg``.

        Raises:
            UserError: the file is no such mapping, or an ``alg`` belongs to two methods.
        """
        by_alg: dict[str, str] = {}
        content = read_yaml(path)
        for name, algs in content.items():
            if not isinstance(algs, list) or not all(isinstance(alg, str) for alg in algs):
                raise UserError(f"{path}: '{name}' must hold the list of the configurations that it means.")
            if "," in name:  # marl-eval's rule
                raise UserError(f"{path}: '{name}' must not hold a comma.")
            for alg in algs:
                if by_alg.setdefault(alg, name) != name:
                    raise UserError(f"{path}: '{alg}' belongs to both '{by_alg[alg]}' and '{name}'.")
        return Methods(tuple(content), by_alg)

    def of(self, alg: str) -> str | None:
        """The method's name; None for variants (configurations with overrides) that no method means."""
        return self.by_alg.get(alg) or (alg if " " not in alg else None)

    def only(self, rows: Rows, names: Sequence[str]) -> list[Row]:
        """The rows of the named methods.

        Raises:
            UserError: there are none of one of them.
        """
        there = [self.of(row["alg"]) for row in rows]
        for name in names:
            if name not in there:
                known = [method for method in dict.fromkeys(there) if method is not None]
                raise UserError(f"no row is of the method '{name}'{nearest(name, known)}; those with rows are: "
                                f"{', '.join(known)}.")
        return [row for row, method in zip(rows, there, strict=True) if method in names]

    def grouped(self, rows: Rows) -> dict[str, dict[Task, list[dict[str, Any]]]]:
        """The rows of the paper's tasks by method, in the order of :attr:`names`, then by task.

        Raises:
            UserError: a seed comes twice under different names of one method, or its rows are of different settings.

        Left out are other tasks, methods without a name, those that learn online, whatever data their rows name, and
        rows with settings of their own beside some without.
        """
        found: dict[str, dict[Task, list[dict[str, Any]]]] = {}
        kinds: dict[tuple[str | None, Task], set[tuple[str, ...]]] = {}
        for row in rows:
            kinds.setdefault((self.of(row["alg"]), Task(game_of(row), data_of(row))), set()).add(_settings(row))
        for row in rows:
            method, task = self.of(row["alg"]), Task(game_of(row), data_of(row))
            if method is not None and not method.endswith(ONLINE) and task in table1().names:
                if _settings(row) and () in kinds[method, task]:
                    continue  # a variant of what is there as the configuration has it
                if _settings(row) and len(kinds[method, task]) > 1:
                    told = " and ".join(sorted(" ".join(words) for words in kinds[method, task]))
                    raise UserError(f"the rows of {method} on {task.env}, {task.dataset} are of different settings "
                                    f"({told}); report each on its own.")
                group = found.setdefault(method, {}).setdefault(task, [])
                if any(other["seed"] == row["seed"] for other in group):
                    raise UserError(f"there are two rows of {method} on {task.env}, {task.dataset}, seed "
                                    f"{row['seed']}, under different names; leave the rows of one of them out.")
                group.append(row)
        order = [*self.names, *sorted(set(found) - set(self.names))]
        return {method: found[method] for method in order if method in found}


def _settings(row: Row) -> tuple[str, ...]:
    """What was changed about a row's data and method."""
    return *recipe_of(row), *settings_of_row(row)
