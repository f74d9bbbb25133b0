"""Which small faults there are: cosmic-ray's, where they change something that is ever run."""

from __future__ import annotations

import ast
import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator


@dataclass(frozen=True)
class Mutant:
    """One small fault.

    Attributes:
        folder: the part of the source that it counts for.
        path, line: where it is.
        operator, occurrence: what cosmic-ray calls it.
        code: the file with the fault in it.
    """

    folder: str
    path: Path
    line: int
    operator: str
    occurrence: int
    code: str

    @property
    def name(self) -> str:
        """The same in every run on the same source."""
        return f"{self.path}:{self.line} {self.operator} {self.occurrence}"


def sample(folder: str, number: int, seed: int, excluded: str) -> Iterator[Mutant]:
    """Mutants of a folder, each as likely as any other; a larger sample by the same seed begins with a smaller one.

    Args:
        folder: below the current one.
        number: how many.
        excluded: a pattern of operators that make none.
    """
    files = sorted(path for path in Path(folder).rglob("*.py") if path.name != "__init__.py")
    specs = [item.mutations[0] for item in _all_work_items(files, {})]
    specs = [spec for spec in specs if not re.match(excluded, spec.operator_name)]
    random.Random(f"{seed} {folder}").shuffle(specs)
    mutants = (Mutant(folder, spec.module_path, spec.start_pos[0], spec.operator_name.partition("/")[2],
                      spec.occurrence, code)
               for spec in specs if (code := _changed(spec.module_path, spec.operator_name, spec.occurrence)))
    yield from itertools.islice(mutants, number)


def _changed(path: Path, operator: str, occurrence: int) -> str:
    """A file with a fault; empty if that is no program, or one that does the same."""
    source = path.read_text(encoding="utf-8")
    code = MutationVisitor.mutate_code(source, get_operator(operator)(), occurrence) or ""
    try:
        return code if essence(code) != essence(source) else ""
    except SyntaxError:
        return ""


def essence(source: str) -> str:
    """What of a program is ever run: no annotations, no docstrings, nothing for type checkers only."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.test, node.body = ast.Constant(False), [ast.Pass()]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return ast.dump(tree)


def statement(source: str, line: int) -> range:
    """The lines of the innermost statement around a line; of one with a body, those of its head."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):  # breadth first: what is further in comes later
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            if first <= line <= last:
                found = range(first, last + 1)
    return found
