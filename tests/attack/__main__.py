"""``python -m tests.attack --out=attack.md``: all attacks, and a report of what they found (docs/promises.md)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import configurations, crowd, damaged_bytes, endurance, faults, hostile, kills, resealed
from .forked import Tally
from .report import BEGIN, Result, put_into, report
from .scenes import preload

#: what each attack is called, the module that makes it, and its size: the whole one and the quick one
ATTACKS = {"bytes": (damaged_bytes, 10_000, 120), "resealed": (resealed, 3000, 60), "kills": (kills, 500, 6),
           "faults": (faults, 10_000, 20), "configurations": (configurations, 500, 5), "hostile": (hostile, 10_000, 60),
           "crowd": (crowd, 200, 6), "endurance": (endurance, 200_000, 2000)}


def run(seed: int, sizes: dict[str, int], workers: int, work: Path, tell: Callable[[str], object],
        first: int = 0) -> list[Result]:
    """Makes the attacks that ``sizes`` names, each of about that many cases, in an empty folder of their own.

    Failing writes begin behind the ``first`` ones.
    """
    preload()
    results = []
    for name, count in sizes.items():
        module = ATTACKS[name][0]
        place, started = work / name, time.monotonic()
        place.mkdir()
        more = {"first": first} if name == "faults" else {}
        tally: Tally = module.attack(seed, count, workers, place, **more)  # type: ignore[attr-defined]
        results.append(Result(name, module.PROMISE, module.GUARDS, tally,  # type: ignore[attr-defined]
                              time.monotonic() - started))
        tell(f"{name}: {tally.cases} cases in {results[-1].seconds:.0f} s, {len(tally.findings)} findings")
        for finding in tally.findings:
            tell(f"  {finding}")
    return results


def in_memory() -> str | None:
    """A folder where nobody waits for a disk, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main(words: Sequence[str] | None = None) -> int:
    """Command line; returns 0 if all promises held, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file of the report, or a page with a place for it "
                        "(default: it is printed)")
    parser.add_argument("--seed", type=int, default=1, help="decides all that is random (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--quick", action="store_true", help="a few cases of each, in a minute or two")
    parser.add_argument("--only", default=",".join(ATTACKS), help=f"some of: {', '.join(ATTACKS)}; with commas")
    for name, (_, whole, _) in ATTACKS.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"cases of this attack (default {whole})")
    parser.add_argument("--faults-from", type=int, default=0, metavar="K", help="go on with failing writes where an "
                        "attack of K of them, by the same seed, has ended (default 0)")
    args = parser.parse_args(words)
    if wrong := [name for name in args.only.split(",") if name not in ATTACKS]:
        parser.error(f"there is no attack {wrong[0]}; the choices are: {', '.join(ATTACKS)}")
    sizes = {name: getattr(args, name) or ATTACKS[name][2 if args.quick else 1] for name in args.only.split(",")}
    with tempfile.TemporaryDirectory(prefix="attack-", dir=in_memory()) as folder:
        results = run(args.seed, sizes, args.workers, Path(folder), lambda line: print(line, flush=True),
                      args.faults_from)
    line = "python -m tests.attack " + " ".join(sys.argv[1:] if words is None else words)
    text = report(results, line.strip(), args.seed)
    if args.out:
        page = args.out.read_text(encoding="utf-8") if args.out.exists() else ""
        args.out.write_text(put_into(page, text) if BEGIN in page else text, encoding="utf-8")
    else:
        print(text)
    return int(any(result.tally.findings for result in results))


if __name__ == "__main__":
    sys.exit(main())
