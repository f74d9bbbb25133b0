"""The README's commands, run as printed but for their size."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from epymarl_cpa.experiments.grid import read_grid

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = "t_max=4 test_nepisode=4 hidden_dim=8 policy_start=0.0"
STUDENTS = "student_t_max=3 pool_hidden=8"


def commands() -> list[str]:
    """The lines of all shell blocks, without the installation in front; a backslash goes on with the next line."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S)
             for line in block.strip().replace("\\\n", " ").splitlines()]
    return [re.sub(r"^pip install [^&]* && ", "", line) for line in lines]


def shrunk(command: str, folder: Path) -> list[str]:
    """The command for this interpreter and checkout, with a run's length and widths cut down."""
    words = command.replace("--steps=1000", "--steps=20").split()
    words[0] = sys.executable
    words = [str(ROOT / word) if word == "src/main.py" else word for word in words]
    for place, name in (("<teacher-run>", "cpa_ar_*_xor_*"), ("<student-run>", "cpa_pa_*_permutation_*")):
        if place in command:
            run = max((folder / "results/models").glob(name))
            words = [word.replace(f"results/models/{place}", str(run)) for word in words]
    if "src/main.py" in command:
        small = [word for word in SMALL.split() if "cpa_" in command or "policy_start" not in word]
        small += STUDENTS.split() if "cpa_pa" in command else []
        words += [*([] if "with" in words else ["with"]), *small]
    return words


def test_every_command_works(tmp_path: Path) -> None:
    ran = 0
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    first = [sys.executable, str(ROOT / "src/main.py"), "--config=cpa_ar", "--env-config=xor", "with", *SMALL.split()]
    assert subprocess.run(first, cwd=tmp_path, env=env, capture_output=True).returncode == 0
    for command in commands():
        if command.startswith(("pytest", "pip")) or re.search(r"experiments\.(sweep|table|report)", command):
            continue  # what they do is tested elsewhere
        done = subprocess.run(shrunk(command, tmp_path), cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        ran += 1
    assert ran >= 8


def test_the_sweep_of_the_results_table_resolves() -> None:
    assert "experiments.sweep teacher" in README
    assert len(read_grid("teacher")) == 75
    for file in (ROOT / "src/config/sweeps").glob("*.yaml"):
        assert read_grid(file.stem), file


def test_python_examples_run() -> None:
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(compile(block, "README.md", "exec"), {})


def test_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"`(src/[\w/.]+?)`", README):
        assert (ROOT / name).exists(), name
