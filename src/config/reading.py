"""YAML files and ``key=value`` overrides as plain mappings with text keys."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError, one_line
from ..utils.bounded import read_text

#: what PyYAML raises for bad text; all but the first come from odd scalars after explicit tags
_BAD = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)

KINDS = ("null", "bool", "int", "float", "str", "seq", "map")
COMMENT = re.compile(r"(^|\s)#")  # what YAML reads no further than, outside quotes
MOST_NODES = 10**5  # of a file, with its aliases written out


class _Loader(yaml.SafeLoader):
    """Safe YAML with the plain scalars of YAML 1.2 and no other types, which refuses a key given twice.

    PyYAML's own reading is that of YAML 1.1, where ``on`` is true, ``1:30`` is 90, a date is no
    text, and ``1e-3`` is.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way; filled below)
    # Only what JSON has, too: configurations are recorded.  No sets, pairs, bytes or dates by explicit tags.
    yaml_constructors = {tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items()  # noqa: RUF012
                         if tag is None or tag.rpartition(":")[2] in KINDS}

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue  # keys that come in by << may be given again
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if not isinstance(key, str) or key in seen:
                fault = "is given twice" if isinstance(key, str) else "is not text"
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' {fault}", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes there are if every alias is written out.

    Raises:
        YAMLError: far too many, or a node contains itself.
    """
    if id(node) not in known:
        known[id(node)] = MOST_NODES  # until it is known: within itself it would never end
        inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else \
            node.value if isinstance(node, yaml.SequenceNode) else []
        known[id(node)] = 1 + sum(_count(part, known) for part in inner)
    if known[id(node)] >= MOST_NODES:
        raise yaml.YAMLError("its aliases (*name) make it far larger than it looks, or contain themselves")
    return known[id(node)]


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))  # YAML 1.1 would take 010 for 8


for _tag, _pattern, _first in (
        ("null", r"~|null|Null|NULL|None|none|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
         list("-+.0123456789")),
        ("merge", r"<<", ["<"])):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UserError: unreadable, not YAML, a duplicate key, a key that is not text, or not a mapping.
    """
    try:
        content = yaml.load(read_text(path), Loader=_Loader)
    except UserError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)}).") from None
    except _BAD as error:
        raise UserError(f"{path} is not valid YAML: {one_line(error)}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a mapping of keys to values.")
    return content


def take_option(words: list[str], option: str) -> str | None:
    """Removes ``option=value`` or ``option value`` from ``words`` and returns the value.

    Raises:
        UserError: the option is given twice.
    """
    values: list[str] = []
    i = 0
    while i < len(words):
        if words[i].startswith(f"{option}="):
            values.append(words.pop(i).partition("=")[2])
        elif words[i] == option and i + 1 < len(words):
            values.append(words[i + 1])
            del words[i:i + 2]
        else:
            i += 1
    if len(values) > 1:
        raise UserError(f"{option} is given twice: {values[0]} and {values[1]}.")
    return values[0] if values else None


def parse_overrides(words: Iterable[str]) -> dict[str, Any]:
    """``key=value`` and ``key.sub=value`` words as a nested mapping; values are read as YAML.

    Raises:
        UserError: a word is not of that form, or a key is given twice.
    """
    updates: dict[str, Any] = {}
    for word in words:
        path, equals, text = word.partition("=")
        *parents, last = path.split(".")
        if not equals or not all((*parents, last)):
            raise UserError(f"'{word}' is not of the form key=value.")
        place = updates
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise UserError(f"'{word}' contradicts an earlier word, which gives '{parent}' another value.")
        if last in place:
            raise UserError(f"the config key '{path}' is given twice.")
        place[last] = _value(text)
    return updates


def _value(text: str) -> Any:
    """``text`` as YAML; what is no YAML, nothing at all, and what YAML would take for a comment, is text."""
    if COMMENT.search(text) and not text.lstrip().startswith(("'", '"', "[", "{")):
        return text
    try:
        return yaml.load(text, Loader=_Loader) if text else ""
    except _BAD:
        return text


def merge(base: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``updates``, mappings merged key by key; neither is modified."""
    merged = dict(base)
    for key, value in updates.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(value, Mapping) and isinstance(old, Mapping) else value
    return merged
