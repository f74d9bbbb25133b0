"""A folder that holds EPyMARL, recognised and made importable."""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from ..utils.files import named_path, reason, write_text

#: the version that everything was tried with
COMMIT = "cbc38c0"
MAIN = Path("src/main.py")
#: beginnings of warnings that every run would give
QUIET = ("Using a non-tuple sequence for multidimensional indexing", "pkg_resources is deprecated")
#: what every version that can be a host has; by file
MARKS = {MAIN: ('ex = Experiment("pymarl")', "from run import run", "def _get_config("),
         Path("src/run.py"): ("from runners import REGISTRY as r_REGISTRY", "from learners import REGISTRY",
                              "def run_sequential("),
         Path("src/envs/__init__.py"): ('REGISTRY["gymma"]',)}


class Checkout:
    """An EPyMARL checkout.

    Args:
        root: its top folder.

    Raises:
        UserError: the folder is no EPyMARL that this program knows.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = named_path(root).resolve()
        self.source = self.root / "src"
        for file, marks in MARKS.items():
            try:
                text = (self.root / file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                raise UserError(f"{self.root} is no EPyMARL checkout: {file} cannot be read; give the folder of a "
                                f"clone of uoe-agents/epymarl ({COMMIT} was tried).") from None
            for mark in marks:
                if mark not in text:
                    raise UserError(f"{self.root} is not an EPyMARL that this program knows: {file} lacks "
                                    f"'{mark}'; use uoe-agents/epymarl at {COMMIT}.")

    @property
    def main(self) -> Path:
        return self.root / MAIN

    def config_file(self, kind: str, name: str) -> Path:
        """Where ``--config`` (kind ``algs``) or ``--env-config`` (``envs``) looks for a name."""
        return self.source / "config" / kind / f"{name}.yaml"

    def names(self, kind: str) -> Iterator[str]:
        """The names of its algorithms (``algs``) or environments (``envs``)."""
        return (file.stem for file in sorted((self.source / "config" / kind).glob("*.yaml")))

    def prepare(self) -> None:
        """Makes its modules importable, and mends what keeps a fresh checkout from starting.

        Its ``envs`` import ``smaclite`` whatever is played, and that is on no package index; where it is
        missing, an empty module takes its place, which only ``env=smaclite`` would notice.  Warnings about how
        it calls torch and how Sacred finds its version, which nobody here can do anything about, are kept quiet.

        Raises:
            UserError: Sacred cannot work here.
        """
        source = str(self.source)
        sys.path[:] = [source, *(entry for entry in sys.path if entry != source)]
        for message in QUIET:
            warnings.filterwarnings("ignore", message=message)
        if importlib.util.find_spec("pkg_resources") is None:
            raise UserError("Sacred 0.8 needs the module pkg_resources, which setuptools has dropped in version 82: "
                            "pip install 'setuptools<82'.")
        if "smaclite" not in sys.modules and importlib.util.find_spec("smaclite") is None:
            sys.modules["smaclite"] = types.ModuleType("smaclite", "Stands in for a package that is not installed.")

    def keep_apart(self, folder: Path) -> None:
        """Has git overlook a folder for results or data that is to be made in the checkout.

        Raises:
            UserError: it cannot be written.
        """
        folder = (Path.cwd() / named_path(folder)).resolve()
        if folder.exists() or not folder.is_relative_to(self.root):
            return
        try:
            folder.mkdir(parents=True)
            write_text(folder / ".gitignore", "*\n")
        except OSError as error:
            raise UserError(f"{folder} cannot be written ({reason(error)}).") from None
