"""Which verbs there are, and the module that does each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        what: it does, in a phrase.
        words: what follows it, for the usage line.
        module: that does it, in this package; its function ``main`` takes the words and returns the exit status.
        first: words that come before those of the user.
        example: a command to copy.
    """

    what: str
    words: str
    module: str
    first: tuple[str, ...] = ()
    example: str = ""


VERBS: Mapping[str, Verb] = {
    "train": Verb("train a method on a game", "METHOD GAME [SACRED'S OPTIONS] [KEY=VALUE ...]", "commands.training",
                  (), "train cpa_ar sensor dataset=poor seed=3"),
    "evaluate": Verb("evaluate a trained model with its own configuration", "MODEL [KEY=VALUE ...]",
                     "commands.training", (), "evaluate results/models/<run> test_nepisode=1000"),
    "select": Verb("say which checkpoint or run is the best, from the recorded data alone", "MODEL ... [--data=NAME]",
                   "selection.command", (), "select results/models/<run>"),
    "resume": Verb("go on with a run that was stopped", "[last|FOLDER] [KEY=VALUE ...]", "commands.training",
                   (), "resume last"),
    "list": Verb("show methods, games, data, sweeps and observers", "[methods|games|data|sweeps|observers]",
                 "commands.listing", (), "list games"),
    "explain": Verb("say what a key, a method or a game means", "KEY|METHOD|GAME ...", "commands.explaining", (),
                    "explain alpha env_args.rows cpa_pa"),
    "data": Verb("make, describe, check, convert or merge data sets",
                 "make|describe|validate|convert|merge|... ...", "data.__main__", (),
                 "data describe --env-config=xor medium"),
    "sweep": Verb("run many configurations", "SWEEP [--workers=N] ...", "experiments.sweep", (),
                  "sweep smoke --workers=2"),
    "report": Verb("tables, statistics and figures of finished sweeps", "ROWS ... --out=DIR", "experiments.report",
                   (), "report docs/results/table1.jsonl --out=results/report"),
    "table": Verb("one table of finished sweeps", "ROWS ...|--pages PAGE ...", "experiments.table", (),
                  "table docs/results/teacher.jsonl"),
    "recompute": Verb("compute a sample of rows anew and compare", "ROWS ...", "experiments.recompute", (),
                      "recompute docs/results/table1.jsonl --sample=5"),
    "conventions": Verb("which convention recorded episodes follow", "MODEL ...", "experiments.conventions"),
    "render": Verb("play a model as a moving picture or as text", "MODEL ...", "render.command"),
    "view": Verb("write a page that shows a data set, a run or a sweep", "DATA|RUN|SWEEP ...", "view.command"),
    "export": Verb("write one policy file per agent", "MODEL [--out=DIR]", "deploy.__main__", ("export",)),
    "check": Verb("count the joint actions that exported agents choose as the controller does", "MODEL ...",
                  "deploy.__main__", ("check",)),
    "play": Verb("play with one process per agent", "AGENTS [--steps=N] ...", "deploy.__main__", ("play",)),
    "benchmark": Verb("measure how fast everything is on this machine", "[--only=PART,...] [--quick] ...",
                      "experiments.benchmark", (), "benchmark --only=hand,seeds --out=speed.json"),
    "install": Verb("make EPyMARL's own command know our methods and games", "EPYMARL", "host.launcher"),
    "uninstall": Verb("take that out again", "EPYMARL", "host.launcher"),
}
