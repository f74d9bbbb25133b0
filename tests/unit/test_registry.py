"""Registries: names of things, with helpful errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.utils.registry import Registry, discover, nearest


class A:
    pass


class B:
    pass


def test_both_ways_to_register() -> None:
    registry: Registry[type] = Registry("thing")
    registry["a"] = A
    assert registry.register("b")(B) is B
    assert registry["a"] is A
    assert registry["b"] is B
    assert (list(registry), len(registry), "a" in registry, 3 in registry) == (["a", "b"], 2, True, False)
    del registry["a"]
    assert "a" not in registry


def test_get_of_a_name_that_is_not_there() -> None:
    registry: Registry[type] = Registry("thing")
    registry["a"] = A
    assert registry.get("a", B) is A and registry.get("b", B) is B and registry.get("b") is None


def test_a_wrong_name_lists_the_choices() -> None:
    registry: Registry[type] = Registry("thing")
    registry["alpha"], registry["beta"] = A, B
    for name, hint in (("alhpa", " (did you mean 'alpha'?)"), ("zzz", "")):
        sentence = f"unknown thing '{name}'{hint}; the choices are: alpha, beta."
        with pytest.raises(UserError, match=re.escape(sentence)):
            registry[name]


def test_a_name_is_registered_once() -> None:
    registry: Registry[type] = Registry("thing")
    registry["a"] = A
    registry["a"] = A  # the same thing again, as when a module is imported twice under one name
    with pytest.raises(ValueError, match="the thing 'a' is registered already"):
        registry["a"] = B
    with pytest.raises(ValueError, match="registered already"):
        registry.register("a")(B)
    assert registry["a"] is A


def test_discover_imports_every_module_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "found_here"
    package.mkdir()
    (package / "__init__.py").write_text("seen = []\n")
    for name in ("one", "two"):
        (package / f"{name}.py").write_text(f"from . import seen\nseen.append('{name}')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import found_here  # type: ignore[import-not-found]

    discover("found_here", found_here.__path__)
    assert sorted(found_here.seen) == ["one", "two"]
    for name in ("found_here", "found_here.one", "found_here.two"):
        sys.modules.pop(name)


def test_nearest() -> None:
    assert nearest("sensr", ["sensor", "xor"]) == " (did you mean 'sensor'?)"
    assert nearest("qqq", ["sensor", "xor"]) == ""
    assert nearest(3, ["sensor"]) == ""  # type: ignore[arg-type]  # a key of a YAML file may be anything
