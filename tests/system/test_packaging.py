"""What is installed: the package with all its data, under a licence, with extras that it does without."""

from __future__ import annotations

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import setuptools
import yaml

import epymarl_cpa
from epymarl_cpa import __version__

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"


@pytest.fixture(scope="module")
def setup() -> Iterator[dict[str, Any]]:
    """What ``setup.py`` says."""
    import setuptools

    said: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **words: said.update(words))
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / "setup.py"))
    yield said


def data_files() -> set[Path]:
    """All files of the package that are no Python, and the stub."""
    return {path for path in SRC.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}


def test_all_data_of_the_package_are_installed(setup: dict[str, Any]) -> None:
    patterns = setup["package_data"]
    held: set[Path] = set()
    for package, globs in patterns.items():
        folder = SRC.joinpath(*package.split(".")[1:])
        held |= {path for glob in globs for path in folder.glob(glob)}
    assert data_files() <= held
    assert {str(path.parent.relative_to(SRC)).replace("/", ".") for path in SRC.rglob("__init__.py")} - {"."} == {
        name.partition(".")[2] for name in setup["packages"]} - {""}


def test_licence_version_and_citation_agree(setup: dict[str, Any]) -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text and setup["license"] == "Apache-2.0"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == setup["version"] == __version__ and citation["license"] == setup["license"]
    paper, = citation["references"]
    assert paper["title"] == "Cooperative Policy Agreement: Learning Diverse Policy for Offline MARL"
    assert [author["family-names"] for author in paper["authors"]] == [
        "Zhou", "Zheng", "Hu", "Chen", "Zheng", "Song", "Song", "Liu"]
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_page_of_extras_lists_them_all(setup: dict[str, Any]) -> None:
    """With their libraries; and what code tells people to install is there."""
    page = (ROOT / "docs/extras.md").read_text()
    listed = {name: {each.strip() for each in libraries.split(",")}
              for name, libraries in re.findall(r"^\| `(\w+)` \|.*\| (.*?) \|$", page, re.M)}
    assert listed == {name: {re.split(r"[<>=\[]", each)[0] for each in libraries}
                      for name, libraries in setup["extras_require"].items()}
    told = {extra for path in SRC.rglob("*.py")
            for words in re.findall(r"epymarl-cpa\[([\w,]+)\]", path.read_text(encoding="utf-8"))
            for extra in words.split(",")}
    assert told <= set(listed)


def needed(name: str, seen: set[str]) -> set[str]:
    """The distributions that one needs, with itself; ``seen`` grows."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    name = canonicalize_name(name)
    if name in seen:
        return seen
    try:
        wanted = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    seen.add(name)
    for each in map(Requirement, wanted):
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            needed(each.name, seen)
    return seen


ALONE = """
import importlib, pkgutil, sys
blocked = set({blocked!r})

class Without:
    '''A finder that does not find what is blocked.'''
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in blocked else self._finder.find_spec(name, *rest)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
import epymarl_cpa
assert "torch" not in sys.modules and "numpy" not in sys.modules
from epymarl_cpa import UserError, compare, evaluate, export, load_dataset, make_env, train
small = dict(t_max=2, student_t_max=2, test_nepisode=4, hidden_dim=8, pool_hidden=8, batch_size=8, seed=0,
             recipes={{"medium": {{"episodes": 20}}}})
run = train("cpa_pa", "xor", **small, record=True)
assert run.record.is_dir() and run.policy().act([[0, 1, 0, 1]] * 2).shape == (2,)
assert evaluate(run.model, 4).mean_return == run.mean_return
export(run.model, "agents")
print(compare(run, repetitions=10))
make_env("sensor", render_mode="rgb_array").reset(seed=0)
try:
    load_dataset("xor", "nothing.h5")
except UserError:
    pass
for found in pkgutil.walk_packages(epymarl_cpa.__path__, "epymarl_cpa."):
    parts = found.name.split(".")
    if parts[-1] == "__main__":
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if error.name.startswith("epymarl_cpa") or not set(parts) & {{"figures", "render"}} or \
                parts[-1] == "command":
            raise
assert not blocked & {{name.partition(".")[0] for name in sys.modules}}
"""


def test_the_core_runs_with_every_optional_package_blocked(tmp_path: Path) -> None:
    """Whatever is installed here that the core's own requirements do not ask for is as if it were not there.

    Every module can be imported, but those that draw; the commands in front of them say what they need.
    """
    pytest.importorskip("packaging")
    core = needed("epymarl-cpa", set())
    assert {"torch", "numpy", "sacred", "pettingzoo"} <= core
    tops = importlib.metadata.packages_distributions()
    for name in (Path(setuptools.__file__).parent / "_vendor").glob("*"):  # setuptools brings its own copies
        tops = {top: names for top, names in tops.items() if top != name.name}
    blocked = sorted(top for top, names in tops.items()
                     if not {re.sub(r"[-_.]+", "-", name).lower() for name in names} & core and top.isidentifier())
    (tmp_path / "alone.py").write_text(ALONE.format(blocked=blocked))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "ignore", "alone.py"], cwd=tmp_path, env=env, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "| xor  | medium | cpa_pa |" in done.stdout


@pytest.mark.slow
def test_wheel_and_sdist_hold_all_and_work_outside_the_clone(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "dist"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(
        ".git", "__pycache__", "*.egg-info", "build", "dist", ".*_cache", ".venv", "/results", "/datasets"))
    build = f"from setuptools import build_meta as b; b.build_sdist({str(out)!r}); b.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    wheel, = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
        meta = archive.read(f"epymarl_cpa-{__version__}.dist-info/METADATA").decode()
    wanted = {f"epymarl_cpa/{path.relative_to(SRC)}" for path in {*SRC.rglob("*.py"), *data_files()}}
    assert {name for name in inside if name.startswith("epymarl_cpa/")} == wanted
    assert any(name.endswith("LICENSE") for name in inside) and f"Version: {__version__}" in meta
    assert "Apache-2.0" in meta and "Author: epymarl-cpa maintainers" in meta
    sdist, = out.glob("*.tar.gz")
    with tarfile.open(sdist) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    assert {"LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "requirements.txt",
            "examples/xor_story.ipynb", "docs/api.md", "tests/conftest.py"} <= held
    assert {f"src/{name.removeprefix('epymarl_cpa/')}" for name in wanted} <= held
    script = ("import epymarl_cpa; from epymarl_cpa import train; print(epymarl_cpa.__file__);"
              "train('ar_bc', 'xor', t_max=1, test_nepisode=2, recipes={'medium': {'episodes': 9}}, batch_size=4);"
              "from epymarl_cpa.main import entry; raise SystemExit(entry(['epymarl-cpa', 'print_config', "
              "'--config=cpa_ar', '--env-config=bridge']))")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[0].startswith(str(tmp_path / "installed"))
    assert Path(epymarl_cpa.__file__).parent.samefile(SRC)
