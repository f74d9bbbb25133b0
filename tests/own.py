"""What docs/extend.md shows people to write, put into a copy of the package as it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extend.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """A section of the page."""
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def copy_with(folder: Path, title: str) -> tuple[Path, list[str]]:
    """A copy of the package below ``folder`` with the files that a section shows; their places in it."""
    copy = folder / "packages" / "epymarl_cpa"
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    places = []
    shown = r"`(\w+\.\w+)` in `src/([\w/]+)`:\n\n```\w+\n(.*?)```"
    for name, where, content in re.findall(shown, section(title), re.S):
        places.append(f"{where}/{name}")
        (copy / where / name).write_text(content, encoding="utf-8")
    return copy, places


def command(title: str, with_: str) -> list[str]:
    """The words behind ``main.py`` of the one command in a section's text that holds ``with_``."""
    found: list[str] = [line for line in re.findall(r"`python src/main\.py (.*?)`", section(title)) if with_ in line]
    assert len(found) == 1
    return found[0].split()


def run(package: Path, folder: Path, *words: str) -> str:
    """Output of a command of this interpreter that finds the copy first."""
    paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
