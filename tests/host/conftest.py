"""A folder that looks like EPyMARL, and the real thing where ``EPYMARL_DIR`` says that there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MAIN = """\
import sys
from sacred import Experiment
from run import run

ex = Experiment("pymarl")


def _get_config(params, arg_name, subfolder):
    pass
"""
RUN = """\
from learners import REGISTRY as le_REGISTRY
from runners import REGISTRY as r_REGISTRY


def run_sequential(args, logger):
    pass
"""
FILES = {"src/main.py": MAIN, "src/run.py": RUN, "src/envs/__init__.py": 'REGISTRY = {}\nREGISTRY["gymma"] = None\n',
         "src/config/default.yaml": "use_wandb: False\nagent: rnn\nlr: 0.0005\n",
         "src/config/algs/qmix.yaml": "name: qmix\nlearner: q_learner\n",
         "src/config/envs/gymma.yaml": "env: gymma\nenv_args: {key: null, time_limit: 100, pretrained_wrapper: null}\n"}


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A folder with just what EPyMARL is recognised by."""
    root = tmp_path / "epymarl"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    return root


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Reads every file below a folder."""
    return lambda root: {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*"))
                         if file.is_file() and ".git" not in file.parts and "__pycache__" not in file.parts}


@pytest.fixture
def epymarl(tmp_path: Path) -> Path:
    """A copy of the checkout in ``EPYMARL_DIR``, without results."""
    source = os.environ.get("EPYMARL_DIR")
    if not source:
        pytest.skip("set EPYMARL_DIR to a checkout of uoe-agents/epymarl")
    root = tmp_path / "epymarl"
    shutil.copytree(source, root, ignore=shutil.ignore_patterns("results", "datasets", "__pycache__"))
    return root
