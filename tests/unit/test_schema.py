"""Types and ranges of configuration keys."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.settings import CORE, Key, check, check_env_args

NUMBER, SHARE = Key(float), Key(float, low=0.0, high=1.0)


@pytest.mark.parametrize(("key", "value", "complaint"), [
    (NUMBER, True, "a number, not True"), (NUMBER, "1", "a number, not '1'"), (NUMBER, float("nan"), "finite"),
    (NUMBER, float("-inf"), "finite"), (NUMBER, 10**400, "finite"), (SHARE, -0.1, "at least 0.0, not -0.1"),
    (SHARE, 2, "at most 1.0, not 2.0"), (Key(int), 1.0, "a whole number, not 1.0"), (Key(int, low=3), 2, "at least 3"),
    (Key(int | None), "x", "a whole number or null, not 'x'"), (Key(str, choices=("a", "b")), "c", "a or b, not 'c'"),
    (Key(bool), 0, "true or false, not 0"), (Key(dict), [], "a mapping, not []"),
    (Key(list[str]), ["a", 1], "a list in which each entry is text, not 1"),
    (Key(list[str]), [["a"]], "each entry is text, not ['a']"), (Key(list[int]), [1.5], "is a whole number, not 1.5"),
    (Key(list[float]), ["x"], "a number or a whole number, not 'x'"), (Key(dict), {1: 2}, "'1' must be made"),
    (Key(dict), {"a.b": 2}, "'a.b' must be made of letters"), (Key(dict), {"py/object": 2}, "must be made of letters"),
    *((Key(str, is_name=True), name, "names a folder") for name in ("", ".", "..", " ", "a/b", "a\\b", "a\0"))])
def test_refused(key: Key, value: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)) as error:
        key.check("some_key", value)
    assert "'some_key'" in str(error.value)


@pytest.mark.parametrize(("key", "value", "result"), [
    (NUMBER, 2, 2.0), (SHARE, 0, 0.0), (SHARE, 1.0, 1.0), (Key(int | None), None, None), (Key(int), 10**40, 10**40),
    (Key(float | None), 3, 3.0), (Key(str, is_name=True), "lbf:8x8-2p v3", "lbf:8x8-2p v3"),
    (Key(list[float]), [0, 0.5], [0, 0.5]), (Key(list), [1, "x"], [1, "x"]),
    (Key(dict), {"good-1": {"x": 1}}, {"good-1": {"x": 1}})])
def test_accepted(key: Key, value: Any, result: Any) -> None:
    got = key.check("some_key", value)
    assert got == result
    assert type(got) is type(result)


def test_check_names_unknown_and_missing_keys() -> None:
    keys = {"alpha": NUMBER, "recipes": Key(dict)}
    with pytest.raises(UserError, match=re.escape("unknown config key 'alhpa' (did you mean 'alpha'?)")):
        check({"alhpa": 1.0}, keys)
    with pytest.raises(UserError, match="'alpha' is missing"):
        check({"recipes": {}}, keys)
    with pytest.raises(UserError, match=re.escape("'recipes.good' must be a mapping")):
        check({"alpha": 1, "recipes": {"good": 3}}, keys)
    assert check({"alpha": 1, "recipes": {}}, keys) == {"alpha": 1.0, "recipes": {}}


class Sample:
    """An environment with every kind of argument."""

    def __init__(self, size: int = 2, rate: float = 0.5, mode: Literal["a", "b"] = "a", anything=None) -> None:  # type: ignore[no-untyped-def]
        pass


def test_environment_arguments_follow_the_signature() -> None:
    good = {"size": 3, "rate": 1, "mode": "b", "anything": [1], "map_name": "x", "seed": 4}
    assert check_env_args("sample", Sample, good) == {**good, "rate": 1.0}
    for bad, complaint in (
            ({"size": 1.5}, "'env_args.size' must be a whole number"), ({"seed": None}, "'env_args.seed'"),
            ({"map_name": 3}, "'env_args.map_name' must be text"), ({"rate": "x"}, "must be a number"),
            ({"sise": 1}, "unknown config key 'env_args.sise' of sample (did you mean 'size'?); it takes: ")):
        with pytest.raises(UserError, match=re.escape(complaint)):
            check_env_args("sample", Sample, bad)


def test_every_core_key_says_what_it_takes() -> None:
    for name, key in CORE.items():
        with pytest.raises(UserError, match=f"'{name}' must be .*, not "):
            key.check(name, object())
