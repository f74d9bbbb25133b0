"""Configurations that cannot be: the sentence is about what the user wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers import Built
from outcome import Outcome

from epymarl_cpa import build
from epymarl_cpa.config import FOLDER, resolve
from epymarl_cpa.controllers import REGISTRY as MACS
from epymarl_cpa.errors import UserError
from epymarl_cpa.learners import REGISTRY as LEARNERS

Run = Callable[..., Outcome]
ALGS = sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml"))


@pytest.mark.parametrize("alg", ALGS)
def test_no_pair_complains_of_keys_that_the_user_never_wrote(alg: str) -> None:
    for word in (*(f"mac={name}" for name in MACS), *(f"learner={name}" for name in LEARNERS)):
        try:
            resolve(alg, "xor", [word])
        except UserError as error:
            assert word.partition("=")[2] in str(error), (word, error)
            assert "unknown config key" not in str(error) and "YAML file." not in str(error), (word, error)


@pytest.mark.parametrize(("alg", "words", "told"), [
    ("bc", ["learner=maicq_learner"],
     r"config keys 'offline_selection', .* are missing: learner=maicq_learner needs .*take --config=maicq or"),
    ("qmix", ["mac=greedy_mac"], r"does not read epsilon_start, .*, which --config=qmix sets; take --config=cql|;"),
    ("bc", ["learning_rate=0.1"], r"unknown config key 'learning_rate' \(did you mean 'lr'\?\)"),
    ("bc", ["discount=0.9"], r"\(did you mean 'gamma'\?\)"), ("bc", ["device=cuda"], r"\(did you mean 'use_cuda'\?\)"),
    ("bc", ["hidden_size=3"], r"\(did you mean 'hidden_dim'\?\)"), ("bc", ["hiden_dim=3"], r"mean 'hidden_dim'\?"),
    ("bc", ["env=pettingzoo"], r"env=pettingzoo is not the game of --env-config=xor"),
    ("bc", ["hidden_dim=10000000"], "must be at most 65536"), ("bc", ["n_layers=100000"], "must be at most 1000"),
    ("bc", ["t_max=1" + "0" * 30], r"must be at most 9007199254740992, not 1000"),
    ("bc", ["dataset=" + "x" * 5000], "has 5000 letters, 4000 at most"), ("bc", ["dataset=a\0b"], "has a NUL"),
    ("bc", ["x" * 5000 + "=1"], "unknown config key 'xxx"), ("bc", ["lr=[" + "1," * 5000 + "]"], "must be a number"),
    ("cpa_pa", ["pool_size=1000000000"], "must be at most 65536"), ("bc", ["reward_min=1e300"], "must be at most 1e")])
def test_sentences(alg: str, words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        resolve(alg, "xor", words)
    assert len(str(error.value)) < 700


@pytest.mark.parametrize(("words", "told"), [
    (["batch_size=100000000"], "batch_size=100000000 episodes of xor would take"),
    (["test_nepisode=10000000000"], "test_nepisode=10000000000 episodes of xor would take"),
    (["hidden_dim=65536", "n_layers=20", "batch_size=1"], "even one network would take"),
    (["dataset=good", "recipes.good.episodes=1000000000000"], "episodes=1000000000000, would take"),
    (["env_args.episode_limit=10000000000"], "would take"), (["dataset=" + "x" * 3000], "there is no recipe and no"),
    (["checkpoint_path=" + "x" * 3000], "holds no checkpoint"), (["datasets_path=" + "x" * 3000], "cannot be written"),
    (["name=" + "x" * 300], "names folders and may have 150 bytes, not 300"),
    (["name=" + chr(0xD800)], "half a character"), (["local_results_path=" + "x" * 3000], "cannot be written")])
def test_sizes_that_no_machine_has(words: list[str], told: str, tiny_run: Run, capfd: pytest.CaptureFixture[str],
                                   ) -> None:
    tiny_run(*words, alg="bc", env="xor", status=2)
    assert told in capfd.readouterr().err


def test_a_team_is_not_refused_for_what_only_its_training_held() -> None:
    """A model that was trained on a large machine is looked at on a small one."""
    built = Built("qmix", "xor")
    large = {**built.config, "buffer_size": 10**13, "batch_size": 10**12, "test_nepisode": 10**13}
    build.build_mac(large, built.info)
    with pytest.raises(UserError, match="would take"):
        build.check_episodes(large, built.info)
