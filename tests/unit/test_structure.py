"""What docs/structure.md says of the source holds: folders are layers, no two files import each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
FILES = {path.relative_to(SRC): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SRC.rglob("*.py"))}
#: the layers as the page lists them, from the bottom up
LAYERS = re.findall(r"^\d+\. (.*?): ", (ROOT / "docs/structure.md").read_text(encoding="utf-8"), re.M)
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in re.findall(r"`([\w.]+?)(?:\.py)?`", layer)}
#: commands of a folder, which stand above it
COMMANDS = re.compile(r"__main__\.py$")


def imported(file: Path) -> set[Path]:
    """The files of the package that a file imports, also inside functions and for types only."""
    found: set[Path] = set()
    for node in ast.walk(FILES[file]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = Path(*file.parts[:-node.level], *(node.module or "").split("."))
            for name in node.names:
                places = (base / f"{name.name}.py", base / name.name / "__init__.py",
                          base.parent / f"{base.name}.py", base / "__init__.py")
                found |= {next(place for place in places if place in FILES)} - {file}
    return found


def room(file: Path) -> str:
    return file.parts[0].removesuffix(".py")


def test_every_room_is_in_a_layer() -> None:
    assert {room(file) for file in FILES} - {"__init__", "__main__"} == set(RANK)


@pytest.mark.parametrize("name", sorted(RANK))
def test_files_import_from_their_own_layer_and_below(name: str) -> None:
    for file in FILES:
        if room(file) == name and not COMMANDS.search(file.name):
            above = {str(other) for other in imported(file)
                     if other.parts != ("__init__.py",) and RANK[room(other)] > RANK[name]}
            assert not above, file


def test_no_two_files_import_each_other() -> None:
    """Not even by way of others."""
    done: set[Path] = set()

    def visit(file: Path, path: tuple[Path, ...]) -> None:
        assert file not in path, " -> ".join(map(str, (*path, file)))
        if file not in done:
            for other in imported(file):
                visit(other, (*path, file))
            done.add(file)

    for file in FILES:
        visit(file, ())


def test_nobody_writes_to_settings() -> None:
    """But the guest in EPyMARL to EPyMARL's own."""
    for file, tree in FILES.items():
        if room(file) == "host":
            continue
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else \
                [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []
            for target in (inner for each in targets for inner in ast.walk(each)):
                if isinstance(target, ast.Attribute):
                    assert not re.search(r"\b(args|settings)$", ast.unparse(target.value)), (file, node.lineno)
