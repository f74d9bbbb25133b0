"""The commands of the README and of docs/*.md, run as printed but for their size."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from epymarl_cpa.experiments.rows.paper import Methods
from epymarl_cpa.experiments.sweeps.grid import read_grid
from epymarl_cpa.main import entry

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {page: page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/*.md"))}
PAGES = {ROOT / "README.md": README, **DOCS}
TEXT = "\n".join(PAGES.values())
SMALL = "t_max=4 test_nepisode=4 hidden_dim=8 policy_start=0.0"
STUDENTS = "student_t_max=3 pool_hidden=8"
ONLINE = "t_max=160 save_model_interval=50 batch_size=2 test_nepisode=4 hidden_dim=8"
RECORD = "record_steps=[50,1000] record_episodes=6 hidden_dim=8"
PARALLEL = "t_max=1000 save_model_interval=300 test_nepisode=10 hidden_dim=8"
#: which method's run a placeholder stands for, where an earlier command of the block made it
RUNS = {"<ar-run>": "cpa_ar", "<student-run>": "cpa_pa", "<bc-run>": "bc", "<qmix-run>": "qmix", "<mappo-run>": "mappo"}
#: commands that leave what others of their block need: such a block is one test
LEAVING = ("cpa train", "cpa export", "cpa render", "cpa view", "data make", "record_to=", "install <epymarl>",
           "deploy export", "experiments.conventions", "epymarl_cpa.view")
#: what a command needs that is not installed everywhere
NEEDS = {".h5": "h5py", ".gif": "PIL", "use_tensorboard": "tensorboard", "use_wandb": "wandb", "mpe": "mpe2",
         "lbf": "lbforaging", "--env-config=rware": "rware", "--figures": "matplotlib",
         "experiments.conventions": "matplotlib", "plot_results": "seaborn", "--format=both": "onnxruntime",
         "--env-config=vmas": "vmas", "--env-config=hanabi": "pyspiel"}


@dataclass(frozen=True)
class Command:
    """A command of a page.

    Attributes:
        place: page and line.
        text: what is printed, in one line, without the installation in front.
    """

    place: str
    text: str

    @property
    def elsewhere(self) -> str:
        """Why it is not run here although it could be; empty for those that are."""
        if self.text.startswith("pytest"):
            return "runs these tests"
        if self.text.startswith("pip install"):
            return "installs what is installed"
        if "python examples/" in self.text:
            return "tested by test_examples.py"
        if "tests.attack" in self.text:
            return "tested by attack/test_attack.py"
        if "benchmark" in self.text and "latency" not in self.text:
            return "tested by test_benchmark.py"
        if "-m 127.0.0.1" in self.text:
            return "tested by test_records.py, with a server"
        if "tests.mutation" in self.text:
            return "tested by mutation/test_mutation.py"
        return "tested by test_sweep*.py" if re.search(r"experiments\.(sweep|recompute)", self.text) else ""

    @property
    def lacking(self) -> str:
        """Why it cannot be run on this machine; empty if it can."""
        if "<epymarl>" in self.text and not os.environ.get("EPYMARL_DIR"):
            return "set EPYMARL_DIR to a checkout of uoe-agents/epymarl"
        if "<human_data>" in self.text or "=overcooked" in self.text:
            return "needs the trials of people; tested by test_overcooked.py"
        return next((f"needs {module}" for mark, module in NEEDS.items()
                     if mark in self.text and importlib.util.find_spec(module) is None), "")


def blocks() -> Iterator[list[Command]]:
    """The shell blocks of all pages; in a block, a backslash goes on with the next line."""
    for page, text in PAGES.items():
        for block in re.finditer(r"^```sh\n(.*?)^```", text, re.S | re.M):
            lines = [*re.finditer(r"(?:.*\\\n)*.+", block[1])]
            yield [Command(f"{page.name}:{text.count(chr(10), 0, block.start(1) + line.start()) + 1}",
                           re.sub(r"^pip install [^&]* && ", "", line[0].replace("\\\n", " "))) for line in lines]


def groups() -> Iterator[tuple[list[Command], str]]:
    """Commands that are run one after the other in a folder of their own, and why they are not (empty: they are)."""
    seen: dict[str, str] = {}
    for group, reason in _groups():
        text = "\n".join(command.text for command in group)
        same = seen.setdefault(text, group[0].place)
        yield group, reason or (f"the same as {same}" if same != group[0].place else "")


def _groups() -> Iterator[tuple[list[Command], str]]:
    for block in blocks():
        yield from (([command], command.elsewhere) for command in block if command.elsewhere)
        rest = [command for command in block if not command.elsewhere]
        if any(mark in command.text for command in rest for mark in LEAVING):
            end = next((number for number, command in enumerate(rest) if command.lacking), len(rest))
            yield from ((part, part[0].lacking) for part in (rest[:end], rest[end:]) if part)
        else:
            yield from (([command], command.lacking) for command in rest)


GROUPS = [*groups()]


def named(group: list[Command]) -> str:
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return f"{group[0].place} {' '.join(group[0].text.split())}{more}"


def shrunk(command: str, folder: Path) -> list[str]:
    """The command for this interpreter and checkout, with a run's length and widths cut down.

    Rows of sweeps are the committed ones.
    """
    for placeholder, alg in RUNS.items():
        if placeholder in command:
            run = max((folder / "results/models").glob(f"{alg}_*"), key=lambda found: found.stat().st_mtime)
            command = command.replace(f"results/models/{placeholder}", str(run))
    words = shlex.split(command.replace("--steps=1000", "--steps=20"))
    words[:1] = [sys.executable, "-m", "epymarl_cpa"] if words[0] == "epymarl-cpa" else [sys.executable]
    words = [str(ROOT / word) if word == "src/main.py" else word for word in words]
    if re.search(r"experiments\.(table|report)", command):
        rows = {"table1.jsonl": "table1", "hundred.jsonl": "hundred", "results/sweeps/teacher": "teacher",
                "results/sweeps/students": "students"}
        words = [str(ROOT / f"docs/results/{rows[word]}.jsonl") if word in rows else word for word in words]
        return [*words, "--repetitions=200"] if "report" in command else words
    if "cpa benchmark" in command:
        return [*words, "--quick"]
    if "cpa train" in command:
        return [*words, *SMALL.replace("policy_start=0.0", "").split()]
    if "--config" not in command:
        return words
    guest = "--epymarl" in command
    if "--config=qmix" in command or "--config=mappo" in command:
        small = RECORD if "runner=record" in command else PARALLEL if "mappo" in command else ONLINE
        small = f"{small} use_cuda=False" if guest else small
    else:
        small = SMALL if "cpa_" in command else SMALL.replace("policy_start=0.0", "")
        small += f" {STUDENTS}" if "cpa_pa" in command else ""
        # A team that has learned for four updates may have but one way to play, which depends on the seed.
        small += " seed=1" if "cpa_pa" in command and "seed=" not in command else ""
        small += " model_t_max=20 plans=2" if "improvement=sta" in command else ""
        small += " scenarios=8" if "improvement=stages" in command else ""
        small += " recipes.medium.episodes=20" if "dataset=medium" in command else ""
        small += " recipes.random.episodes=20" if "dataset=random" in command else ""
        small += " recipes.teams.episodes=8" if re.search("env-config=(lbf|mpe|rware)", command) else ""
        small += " record_episodes=6" if "runner=record" in command else ""
    chosen = {word.split("=")[0] for word in small.split()}
    words = [word for word in words if word.split("=")[0] not in chosen]
    return [*words, *([] if "with" in words else ["with"]), *small.split()]


def succeed(words: list[str], folder: Path, command: str) -> None:
    """Runs a command, which must not fail."""
    if "--epymarl" not in command and (words[1] == str(ROOT / "src/main.py") or words[2].startswith("epymarl_cpa")):
        status, said = forked(words[1:], folder)
    else:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
        status, said = done.returncode, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert status == 0, f"{command}\n{said}"


def forked(argv: list[str], folder: Path) -> tuple[int, str]:
    """A command's exit status and last words, in a copy of this process, which need not load PyTorch again."""
    with tempfile.TemporaryFile() as out:
        child = os.fork()
        if not child:
            status = 1
            try:
                os.chdir(folder)
                for stream in (1, 2):
                    os.dup2(out.fileno(), stream)
                sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
                status = called(argv)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        return status, out.read().decode()[-4000:]


def called(argv: list[str]) -> int:
    """Exit status of a script of ours, or of a module behind ``-m``."""
    if argv[0] != "-m":
        return entry(argv)
    sys.argv = argv[1:]
    try:
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the teacher on XOR, which the reader is supposed to have made."""
    folder, command = tmp_path_factory.mktemp("teacher"), "python src/main.py --config=cpa_ar --env-config=xor"
    succeed(shrunk(command, folder), folder, command)
    run, = (folder / "results/models").iterdir()
    return run


@pytest.mark.parametrize("group", [
    pytest.param(group, id=named(group), marks=[*([pytest.mark.skip(reason=reason)] if reason else []),
                                                *([] if named(group).startswith("README") else [pytest.mark.thorough])])
    for group, reason in GROUPS])
def test_every_command_works(group: list[Command], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    epymarl = tmp_path / "epymarl"
    if any("<epymarl>" in command.text for command in group):
        shutil.copytree(os.environ["EPYMARL_DIR"], epymarl, ignore=shutil.ignore_patterns("results", ".git"))
    for command in group:
        text = command.text.replace("<epymarl>", str(epymarl))
        if "<teacher-run>" in text:
            text = text.replace("results/models/<teacher-run>", str(request.getfixturevalue("teacher")))
        words, folder = shrunk(text.rpartition("&& ")[2], tmp_path), tmp_path
        if text.startswith("cd "):  # EPyMARL's own command
            words[1], folder = "src/main.py", Path(text.split()[1])
        succeed(words, folder, f"{command.place}: {command.text}")


def test_no_command_is_left_out() -> None:
    """What is neither run nor skipped with a reason would be missing here."""
    fences = re.findall(r"^\s*(?:```|~~~)(.*)$", TEXT, re.M)
    assert set(fences[::2]) == {"sh", "python", "yaml", "mermaid"} and set(fences[1::2]) == {""}
    lines = [line for block in TEXT.split("```sh\n")[1:] for line in block.partition("```")[0].splitlines()]
    wanted = sum(not line.endswith("\\") for line in lines if line.strip())
    places = [command.place for group, _ in GROUPS for command in group]
    assert len(places) == len(set(places)) == wanted
    assert sum(len(group) for group, reason in GROUPS if not reason) >= 8


def test_the_sweep_of_the_results_table_resolves() -> None:
    assert "experiments.sweep teacher" in TEXT
    assert len(read_grid("teacher")) == 75


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        if "\nfrom ." in block:
            continue  # a file of the package: see test_own_game
        exec(compile(block, "README.md", "exec"), {})


def test_the_grid_of_the_example_is_one(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(# mine.yaml.*?)```", TEXT, re.S)
    assert example
    (tmp_path / "mine.yaml").write_text(example[1].replace("my_method", "maicq"))
    assert {spec.alg for spec in read_grid(str(tmp_path / "mine.yaml"))} == {
        "maicq", "maicq alpha=0.5", "cpa_pa pool_size=1 beta=1"}


def test_the_column_of_the_example_is_one(tmp_path: Path) -> None:
    line, = re.findall(r"`(Mine cold: .*?)`", TEXT)
    (tmp_path / "methods.yaml").write_text(line)
    assert Methods.read(tmp_path / "methods.yaml").names == ("Mine cold",)


def test_files_that_the_pages_name_exist() -> None:
    for page, text in PAGES.items():
        for name in re.findall(r"`(src/[\w/.]+?)`", text):
            assert (ROOT / name).exists(), (page, name)
