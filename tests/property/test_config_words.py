"""Whatever is typed, configuration gives a value or one sentence, and Sacred reads back what was checked."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sacred.arg_parser import get_config_updates

from epymarl_cpa.config import merge, parse_overrides, resolve
from epymarl_cpa.errors import UserError
from epymarl_cpa.request import sacred_words
from epymarl_cpa.settings import CORE

KEYS = [*CORE, "env_args.n_agents", "env_args.bb_reward", "recipes.poor.episodes", "recipes.new.mixture.random",
        "alpha", "beta_mode", "unknown", "lr.x"]
VALUES = st.one_of(
    st.text(max_size=12), st.integers().map(str), st.floats().map(repr), st.booleans().map(str), st.just("null"),
    st.sampled_from(["[1, 2]", "{a: 1}", "{poor: {episodes: 3}}", "!!int x", "&a *a", "2024-99-99", "0b", "?", "- x: y",
                     "{<<: 3}", "!!set {a}", "!!binary x"]))
WORDS = st.lists(st.tuples(st.sampled_from(KEYS), VALUES).map("=".join), max_size=3)
TREES = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
                     max_leaves=8)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


@given(st.lists(st.text(max_size=20), max_size=3))
@settings(max_examples=200, deadline=None)
def test_words_give_a_mapping_or_a_sentence(words: list[str]) -> None:
    try:
        assert isinstance(parse_overrides(words), dict)
    except UserError as error:
        assert str(error).endswith(".")


@given(WORDS)
@settings(max_examples=100, deadline=None)
def test_settings_resolve_or_are_refused_and_sacred_reads_them_alike(words: list[str]) -> None:
    try:
        config = resolve("cpa_ar", "xor", words)
    except UserError as error:
        assert str(error).endswith(".")
        return
    line = sacred_words(words, config)
    updates, named = get_config_updates(line[1:])
    assert not named
    for key in parse_overrides(words):
        if key != "seed" or config["seed"] is not None:
            assert updates[key] == config[key]
            assert type(updates[key]) is type(config[key])


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()))
@settings(max_examples=200, deadline=None)
def test_sacred_reads_back_any_value_identically(value: Any) -> None:
    config = {"key": value, "nested": {"a": {"key": value}}}
    updates, _ = get_config_updates(sacred_words(["key=x", "nested.a.key=y"], config)[1:])
    assert updates == config
    assert type(updates["key"]) is type(value)


@given(MAPPINGS, MAPPINGS, MAPPINGS)
@settings(max_examples=200, deadline=None)
def test_merge_is_associative_and_the_last_wins(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    def leaves(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in tree.items():
            found |= leaves(value, f"{path}{key}.") if isinstance(value, dict) and value else {f"{path}{key}": value}
        return found

    merged = merge(a, b)
    for path, value in leaves(b).items():
        if value != {}:
            assert leaves(merged)[path] == value
    assert merge(a, {}) == a
    assert merge({}, a) == a
    assert merge(merge(a, b), b) == merged
    assert merge(merged, c).keys() == a.keys() | b.keys() | c.keys()
