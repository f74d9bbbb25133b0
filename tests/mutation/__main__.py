"""``python -m tests.mutation``: how many of a random sample of small faults the tests notice.

A first run of all tests finds which of them run which lines; it is kept beside the results. Every mutant is then tried
in a process forked from one that has imported the libraries but not the package, on the tests that run the changed
statement, until one fails. A run that is stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import json
import math
import random
import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from .mutants import Mutant, sample
from .trials import Reach, noticed_by

#: what the package imports, here once and not in every process
LIBRARIES = ("torch", "sacred", "hypothesis", "h5py", "gymnasium", "pettingzoo", "minari", "tensorstore", "PIL.Image")


@dataclass(frozen=True)
class Tried:
    """What came of a mutant: how many tests there were for it, and which noticed it; "" for none."""

    folder: str
    name: str
    change: str
    tests: int
    by: str
    seconds: float


def read(file: Path) -> list[Tried]:
    """The results so far."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Tried(**json.loads(line)) for line in lines]


def try_all(mutants: list[Mutant], reach: Reach, out: Path) -> None:
    """Adds a line for each mutant that has none yet."""
    done = {one.name for one in read(out)}
    for mutant in mutants:
        if mutant.name in done:
            continue
        began, tests = monotonic(), reach.tests_of(mutant)
        by = noticed_by(mutant, tests, reach.seconds)
        one = Tried(mutant.folder, mutant.name, change(mutant), len(tests), by, round(monotonic() - began, 1))
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")
        print(f"{one.seconds:6.1f} s  {one.name}: {by or 'NOT NOTICED'}", flush=True)


def change(mutant: Mutant) -> str:
    """The lines that differ, with - and +."""
    before, after = mutant.path.read_text(encoding="utf-8").splitlines(), mutant.code.splitlines()
    return "\n".join([*difflib.unified_diff(before, after, n=0, lineterm="")][3:])


def wilson(hits: int, number: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    z, share = 1.96, hits / number
    middle, half = share + z * z / 2 / number, z * math.sqrt(share * (1 - share) / number + (z / 2 / number) ** 2)
    return (middle - half) / (1 + z * z / number), (middle + half) / (1 + z * z / number)


def report(results: list[Tried]) -> str:
    """Markdown: a row for each folder, and what nobody noticed."""
    rows = ["| folder | mutants | noticed | 95 % interval |", "|---|---|---|---|"]
    for folder in sorted({one.folder for one in results}):
        of = [bool(one.by) for one in results if one.folder == folder]
        low, high = wilson(sum(of), len(of))
        rows.append(f"| `{folder}` | {len(of)} | {sum(of)} ({sum(of) / len(of):.1%}) | {low:.1%} to {high:.1%} |")
    return "\n".join([*rows, *(f"\n{one.name}\n{one.change}" for one in results if not one.by)])


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides the sample (default 1)")
    parser.add_argument("--each", type=int, default=50, help="mutants of each folder (default 50)")
    parser.add_argument("--of", action="append", default=[], metavar="FOLDER=N", help="as many of this folder")
    parser.add_argument("--out", type=Path, default=Path("mutation.jsonl"), help="results, to which a run adds")
    parser.add_argument("--again", type=Path, metavar="RESULTS", help="only what nobody noticed there")
    args = parser.parse_args(words)
    config = tomllib.loads(Path("tests/mutation.toml").read_text(encoding="utf-8"))["cosmic-ray"]
    numbers = dict.fromkeys(config["module-path"], args.each)
    numbers |= {folder: int(number) for folder, _, number in (word.partition("=") for word in args.of)}
    excluded = "|".join(config["filters"]["operators-filter"]["exclude-operators"])
    for name in LIBRARIES:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    kept = args.out.with_suffix(".reach.json")
    if not kept.exists():
        reach = Reach.of(shlex.split(config["test-command"])[3:], list(numbers))
        kept.write_text(json.dumps(asdict(reach)), encoding="utf-8")
    reach = Reach(**json.loads(kept.read_text(encoding="utf-8")))
    print(f"{len(reach.seconds)} tests pass", flush=True)
    mutants = [mutant for folder, number in numbers.items() for mutant in sample(folder, number, args.seed, excluded)]
    if args.again:
        survivors = {one.name for one in read(args.again) if not one.by}
        mutants = [mutant for mutant in mutants if mutant.name in survivors]
    random.Random(args.seed).shuffle(mutants)  # what a run that is stopped has tried is of all folders
    try_all(mutants, reach, args.out)
    print(report(read(args.out)))


if __name__ == "__main__":
    main()
