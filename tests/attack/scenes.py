"""What the package writes, one scene for each: it is killed or fails on the way, is done again, and is looked at."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import random
import runpy
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch as th

from epymarl_cpa import cli
from epymarl_cpa.data import __main__ as data_commands
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.mapped import MappedDataset
from epymarl_cpa.deploy import __main__ as deploy_commands
from epymarl_cpa.deploy.policy import Policy
from epymarl_cpa.envs.optima import cached_optimum
from epymarl_cpa.experiments import report, sweep
from epymarl_cpa.host import launcher
from epymarl_cpa.recording import recorder
from epymarl_cpa.utils import checkpoint
from epymarl_cpa.utils.manifest import read_manifest
from epymarl_cpa.utils.tensor_files import load_tensors

from .forked import each
from .reading import quiet
from .samples import GRID, STUDENTS, of

WORDS = ("batch_size=4", "hidden_dim=4", "test_nepisode=2", "recipes.medium.episodes=20")
PASSING = ("seconds", "peak_mb", "model")


@dataclass(frozen=True)
class Scene:
    """Something that writes, in the current folder.

    Attributes:
        name: what it is.
        act: does it, or goes on with it; returns an exit status.
        result: digest of what it leaves when it has ended.
        look: raises if a file that bears its final name is not whole.
        before: what is there before it, made once; it must never be worse than that.
    """

    name: str
    act: Callable[[], int]
    result: Callable[[], str]
    look: Callable[[], object]
    before: Callable[[], object] = lambda: None


def _steps() -> list[Path]:
    return [folder for folder in Path("results/models").glob("*/*") if folder.name.isdecimal()]


def _run(alg: str, *words: str) -> int:
    """Begins a run, or continues it from the newest checkpoint that is there."""
    found = sorted(_steps(), key=lambda folder: int(folder.name))
    going_on = [f"checkpoint_path={found[-1]}"] if found else []
    return cli.main(["", f"--config={alg}", "--env-config=xor", "with", "seed=1", *WORDS, *words,
                     *going_on])


def _resume() -> int:
    """Begins a run, or resumes the one that was begun."""
    records = [json.loads(file.read_text()) for file in Path("results/sacred").glob("*/*/[0-9]*/run.json")
               if (file.parent / "config.json").exists()]  # of a run without it nothing was learned
    words = ["resume=last"] if any(each["status"] != "COMPLETED" for each in records) else [
        "seed=1", *WORDS, "t_max=6", "save_model_interval=2", "test_interval=3", "learner_log_interval=1"]
    return cli.main(["", "--config=cpa_ar", "--env-config=xor", "with", *words])


def _series() -> str:
    """The newest model with its curve, and what Sacred's record says of the run."""
    found = max(Path("results/sacred").glob("*/*/[0-9]*/metrics.json"), key=lambda file: file.stat().st_mtime_ns)
    metrics = {name: (each["steps"], each["values"]) for name, each in json.loads(found.read_text()).items()}
    last = max(_steps(), key=lambda folder: int(folder.name))
    return of([_last_model(with_evaluation=True), checkpoint.load_run_state(last)["curve"], sorted(metrics.items())])


def _look_at_models() -> None:
    for folder in _steps():
        read_manifest(folder)
        checkpoint.load_run_state(folder)
        load_tensors(folder / "learner.th")
    for file in Path("datasets").glob("*.npz"):
        load(file)


def _look_at_records() -> None:
    _look_at_models()
    _jsons("results/sacred/*/*/[0-9]*/*.json")


def _last_model(with_evaluation: bool = False) -> str:
    """All that was learned; a run that is continued under ``checkpoint_path`` is evaluated once more on the way."""
    th.set_printoptions(profile="full")
    last = max(_steps(), key=lambda folder: int(folder.name))
    state = checkpoint.load_run_state(last)
    learner = load_tensors(last / "learner.th")
    return of([last.name, learner if with_evaluation else _learned(learner), state["runner"],
               [(file.name, load(file).digest) for file in sorted(Path("datasets").glob("*.npz"))]])


def _learned(tree: Any) -> Any:
    """A learner's state without what evaluations draw from."""
    return {key: _learned(value) for key, value in tree.items() if key not in ("generators", "keys")} \
        if isinstance(tree, dict) else tree


def _grid(more: str = "") -> None:
    Path("tiny.yaml").write_text(GRID + more)


def _sweep() -> int:
    return sweep.main(["tiny.yaml", "--out=rows", "--backend=serial", "--jsonl=all.jsonl"])


def _rows() -> list[Any]:
    found = [json.loads(file.read_text()) for file in sorted(Path("rows/tiny").glob("*.json"))]
    lines = [json.loads(line) for file in Path().glob("all.jsonl") for line in file.read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in PASSING} for row in [*found, *lines]]


def _record() -> int:
    recorder.SIZE = 4
    return cli.main(["", "--config=ar_bc", "--env-config=xor", "with", "runner=record", "record_to=x.npz", "seed=3",
                     "record_epsilons=[0.5]", "record_episodes=14", "hidden_dim=4"])


def _look_at_data(*names: str, old: bool = False) -> None:
    for name in names:
        if Path(name).exists() or old:
            load(Path(name))
    for part in Path("x.npz.parts").glob("part-*.npz"):
        load(part)


def _make(seed: int = 0, out: str = "x.npz") -> int:
    return data_commands.main(["make", "--env-config=permutation", "--quality=poor", f"--seed={seed}", f"--out={out}"])


def _data_before() -> None:
    for seed, name in enumerate(("one.npz", "two.npz", "old.npz")):
        assert _make(seed, name) == 0
    assert data_commands.main(["convert", "old.npz", "old", "--to=alberdice"]) == 0


def _folder_before() -> None:
    assert _make(0, "x.mapped") == _make(1, "more.npz") == 0


def _append() -> int:
    """Adds once, however often it is done."""
    whole = MappedDataset(Path("x.mapped")).n_episodes
    return 0 if whole > len(load(Path("more.npz")).filled) else data_commands.main(["append", "x.mapped", "more.npz"])


def _look_at_folder() -> None:
    MappedDataset(Path("x.mapped")).check()


def _team(seed: int = 1) -> None:
    assert cli.main(["", "--config=cpa_pa", "--env-config=xor", "with", *WORDS, *STUDENTS, f"seed={seed}"]) == 0


def _export_before() -> None:
    _team(2)
    _export()
    shutil.rmtree("results")
    _team()


def _export() -> int:
    folder, = Path("results/models").iterdir()
    return deploy_commands.main(["export", str(folder), "--out=agents"])


def _policies() -> list[Path]:
    files = sorted(Path("agents").glob("agent_*.npz"))
    for file in files:
        Policy.load(file).agree(1)
    return files


def _report_before() -> None:
    rows = (Path(__file__).parents[2] / "docs/results/table1.jsonl").read_text().splitlines()
    Path("rows.jsonl").write_text("\n".join(row for row in rows if '"env": "xor", "dataset": "good", "seed": 0' in row))


def _epymarl() -> None:
    files = runpy.run_path(str(Path(__file__).parents[1] / "host/conftest.py"))["FILES"]
    for name, text in files.items():
        (Path("epymarl") / name).parent.mkdir(parents=True, exist_ok=True)
        (Path("epymarl") / name).write_bytes(text.encode())


def _optimum() -> int:
    os.environ["XDG_CACHE_HOME"] = str(Path.cwd())
    return int(cached_optimum({"game": "attacked"}, lambda: 2.5) != 2.5)


def _bytes(*patterns: str) -> str:
    return of([(str(file), file.read_bytes()) for pattern in patterns for file in sorted(Path().glob(pattern))
               if file.is_file() and not file.name.startswith(".")])  # what a dead process left half-written


def _jsons(*patterns: str) -> None:
    for pattern in patterns:
        for file in Path().glob(pattern):
            json.loads(file.read_text())


SCENES = [
    Scene("run with checkpoints", lambda: _run("cpa_ar", "t_max=6", "save_model_interval=2", "test_interval=3"),
          _last_model, _look_at_models),
    Scene("run of two stages", lambda: _run("cpa_pa", *STUDENTS, "save_model_interval=1"), _last_model,
          _look_at_models),
    *([Scene("run that is resumed", _resume, _series, _look_at_records)]
      if importlib.util.find_spec("epymarl_cpa.records") else []),
    Scene("sweep", _sweep, lambda: of(_rows()), _rows, _grid),
    Scene("sweep of stacked seeds", _sweep, lambda: of(_rows()), _rows, lambda: _grid("stack: true\n")),
    Scene("recording", _record, lambda: of(load(Path("x.npz")).digest), lambda: _look_at_data("x.npz")),
    Scene("making data", _make, lambda: _bytes("x.npz"), lambda: _look_at_data("x.npz")),
    Scene("replacing data, file", lambda: data_commands.main(["convert", "one.npz", "old.npz", "--force"]),
          lambda: _bytes("*.npz"), lambda: _look_at_data("old.npz", "one.npz", old=True), _data_before),
    Scene("replacing data, folder", lambda: data_commands.main(["convert", "one.npz", "old", "--force",
                                                                "--to=alberdice"]),
          lambda: _bytes("old/*"), lambda: _look_at_data("old", "one.npz", old=True), _data_before),
    Scene("adding to data", _append, lambda: _bytes("x.mapped/**/*"), _look_at_folder, _folder_before),
    Scene("merging data", lambda: data_commands.main(["merge", "one.npz", "two.npz", "--out=both.npz", "--force"]),
          lambda: _bytes("*.npz"), lambda: _look_at_data("both.npz", "one.npz", "two.npz"), _data_before),
    Scene("export", _export, lambda: _bytes("agents/*"), _policies, _export_before),
    Scene("report", lambda: report.main(["rows.jsonl", "--out=report"]), lambda: _bytes("report/*"),
          lambda: _jsons("report/*.json"), _report_before),
    Scene("installing into EPyMARL", lambda: launcher.main(["epymarl-cpa", "install", "epymarl"]),
          lambda: _bytes("epymarl/src/**/*"), lambda: None, _epymarl),
    Scene("keeping an optimum", _optimum, lambda: "it costs time only", lambda: _jsons("epymarl_cpa/*.json")),
]


def prepare(scene: Scene, folder: Path) -> None:
    """Makes what is there before, in ``folder/before``, and does the scene undisturbed, twice, the second time warm.

    ``folder/wanted.json`` then holds its result and how many seconds it took.
    """
    folder.mkdir(parents=True)
    with contextlib.chdir(folder), quiet():
        Path("before").mkdir()
        with contextlib.chdir("before"):
            scene.before()
        for name in ("cold", "warm"):
            shutil.copytree("before", name)
            with contextlib.chdir(name):
                started = time.monotonic()
                assert scene.act() == 0, f"{scene.name} fails undisturbed"
                seconds = time.monotonic() - started
                scene.look()
                result = scene.result()
        Path("wanted.json").write_text(json.dumps([result, seconds]))


def preload() -> None:
    """Imports here what children would otherwise import each by itself, in seconds."""
    importlib.import_module("epymarl_cpa.experiments.sweeps.stack")
    th.set_num_threads(1)


def some(seed: int, count: int) -> list[Scene]:
    """``count`` of the scenes, drawn by the seed; all of them where that is more than there are."""
    drawn = random.Random(seed).sample(SCENES, min(count, len(SCENES)))
    return [scene for scene in SCENES if scene in drawn]


def prepare_all(scenes: Sequence[Scene], work: Path, workers: int) -> None:
    """Prepares scenes in folders of their names below ``work``."""
    preload()

    def case(number: int) -> tuple[str, str]:
        prepare(scenes[number], work / scenes[number].name)
        return "prepared", ""

    tally = each(len(scenes), case, workers, 120)
    if tally.findings:
        raise RuntimeError("\n".join(tally.findings))
