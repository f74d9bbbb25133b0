"""Installing into a checkout and taking everything out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from epymarl_cpa import config
from epymarl_cpa.errors import UserError
from epymarl_cpa.host import installer, launcher
from epymarl_cpa.host.checkout import Checkout
from epymarl_cpa.host.installer import LINE, install, uninstall
from epymarl_cpa.host.launcher import main

Contents = Callable[[Path], dict[str, bytes]]


def test_it_adds_one_line_and_yaml_files_only(fake: Path, contents: Contents) -> None:
    before = contents(fake)
    said = install(Checkout(fake))
    after = contents(fake)
    assert after["src/main.py"] == LINE + b"\n" + before["src/main.py"]
    assert all(after[name] == text for name, text in before.items() if name != "src/main.py")
    added = set(after) - set(before)
    assert {"src/config/algs/cpa_ar.yaml", "src/config/envs/sensor.yaml"} <= added
    assert all(name.startswith("src/config/") and name.endswith(".yaml") for name in added)
    assert f"{len(added)} YAML files written" in said


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_both_ways_are_idempotent_and_restore_every_byte(fake: Path, contents: Contents, ending: str) -> None:
    main_file = fake / "src/main.py"
    main_file.write_bytes(main_file.read_bytes().replace(b"\n", ending.encode()))
    main_file.chmod(0o755)
    before = contents(fake)
    uninstall(Checkout(fake))
    assert contents(fake) == before, "there was nothing to take out"
    install(Checkout(fake))
    once = contents(fake)
    assert once["src/main.py"].splitlines(keepends=True)[0] == LINE + ending.encode()
    assert "0 YAML files" in install(Checkout(fake))
    assert contents(fake) == once
    for _ in range(2):
        uninstall(Checkout(fake))
        assert contents(fake) == before
    assert main_file.stat().st_mode & 0o777 == 0o755


def test_what_was_written_above_the_line_stays(fake: Path) -> None:
    install(Checkout(fake))
    file = fake / "src/main.py"
    file.write_bytes(b"# mine\n" + file.read_bytes())
    install(Checkout(fake))
    assert file.read_bytes().count(LINE) == 1
    uninstall(Checkout(fake))
    assert file.read_bytes().startswith(b"# mine\nimport sys\n")
    assert LINE not in file.read_bytes()


def test_edited_files_stay_whatever_is_done(fake: Path) -> None:
    install(Checkout(fake))
    file = fake / "src/config/algs/cpa_ar.yaml"
    edited = file.read_bytes().replace(b"alpha_share: 0.15", b"alpha_share: 0.16")
    file.write_bytes(edited)
    install(Checkout(fake))
    assert file.read_bytes() == edited
    assert "cpa_ar.yaml was edited and left there" in uninstall(Checkout(fake))
    assert file.read_bytes() == edited
    assert not (file.parent / "cpa_pa.yaml").exists()


def test_files_of_another_version_are_renewed_and_removed(fake: Path, contents: Contents,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(fake)
    with monkeypatch.context() as other:
        other.setattr(installer, "__version__", "0.0.1")
        install(Checkout(fake))
    old = contents(fake)
    extra = fake / "src/config/algs/no_longer.yaml"
    extra.write_bytes(installer._marked(b"name: no_longer\n"))
    install(Checkout(fake))
    assert contents(fake)["src/config/algs/bc.yaml"] != old["src/config/algs/bc.yaml"]
    uninstall(Checkout(fake))
    assert contents(fake) == before


def test_names_that_epymarl_has_are_its_own(fake: Path) -> None:
    assert (config.FOLDER / "algs/qmix.yaml").exists()
    text = (fake / "src/config/algs/qmix.yaml").read_bytes()
    install(Checkout(fake))
    assert (fake / "src/config/algs/qmix.yaml").read_bytes() == text
    uninstall(Checkout(fake))
    assert (fake / "src/config/algs/qmix.yaml").read_bytes() == text


@pytest.mark.parametrize("work", [install, uninstall])
def test_a_folder_that_cannot_be_written(fake: Path, work: Callable[[Checkout], str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    install(Checkout(fake))
    (fake / "src/config/algs/bc.yaml").unlink()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(installer, "write_with", refuse)
    with pytest.raises(UserError, match=r"cannot be written \(Read-only file system\)"):
        work(Checkout(fake))


@pytest.mark.parametrize(("file", "mark"), [
    ("src/main.py", 'Experiment("pymarl")'), ("src/run.py", "def run_sequential("),
    ("src/envs/__init__.py", '["gymma"]')])
def test_other_programs_are_refused(fake: Path, contents: Contents, file: str, mark: str,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    (fake / file).write_text((fake / file).read_text().replace(mark, "something else"))
    before = contents(fake)
    assert main(["epymarl-cpa", "install", str(fake)]) == 2
    assert f"is not an EPyMARL that this program knows: {file} lacks" in capsys.readouterr().err
    assert contents(fake) == before


def test_options_that_sacred_does_not_understand_are_told(fake: Path, monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    """Of those docopt raises the usage as the code of a SystemExit."""
    monkeypatch.setattr(launcher, "enter", lambda checkout, words: ["--no-such-option"])
    main_file = fake / "src/main.py"
    main_file.write_text("raise SystemExit('Usage: main.py [options]')\n")
    monkeypatch.setattr(launcher, "Checkout", lambda folder: SimpleNamespace(main=main_file))
    assert main(["epymarl-cpa", "--epymarl", str(fake), "--no-such-option"]) == 2
    assert capsys.readouterr().err == "Usage: main.py [options]\n"


def test_the_command_line(fake: Path, tmp_path: Path, contents: Contents, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(fake)
    assert main(["epymarl-cpa", "install", str(fake)]) == 0
    assert "'python src/main.py --config=cpa_ar --env-config=sensor' works there now." in capsys.readouterr().out
    assert main(["epymarl-cpa", "uninstall", str(fake)]) == 0
    assert "are as they were." in capsys.readouterr().out
    assert contents(fake) == before
    for words in (["install"], ["install", str(fake), "more"], ["uninstall", str(tmp_path)], ["--epymarl"],
                  ["--epymarl="], ["--epymarl", str(tmp_path)]):
        assert main(["epymarl-cpa", *words]) == 2, words
        said = capsys.readouterr().err
        assert said.startswith("Error: ") and said.count("\n") == 1, said
