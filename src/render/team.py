"""The team of a checkpoint, made ready to be watched: another seed, game or way to choose, but the same networks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..build import Team, build_game, build_mac
from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..config.reading import merge
from ..controllers.ar_controller import AutoregressiveMAC
from ..envs import REGISTRY
from ..envs.external import ExternalGame
from ..errors import UserError
from ..settings import check_env_args
from ..utils import checkpoint
from .agreed import Agreed, agreed, shares_key


class ShownTeam(Team):
    """A team from a checkpoint that plays as the command says.

    Args:
        path: a run's model folder, or one checkpoint in it.
        key: see :class:`..build.Team`.
        step: the checkpoint of about this t_env; 0 for the newest.
        seed: of the game, the team's draws and its shared key; None for the run's own.
        greedy: whether tests play what is most likely; None for what the run says.
        env_args: arguments of the game that differ from the run's.
        pictures: whether an environment of another package is to paint itself.

    Raises:
        UserError: there is no whole checkpoint, or it does not fit the changed game.
    """

    def __init__(self, path: str, key: str = "", step: int = 0, seed: int | None = None, greedy: bool | None = None,
                 env_args: Mapping[str, Any] | None = None, pictures: bool = False) -> None:
        super().__init__(str(checkpoint.find(path, step, "the model folder")) if step else path, key)
        given = merge(self.config["env_args"], env_args or {})
        if given.get("key") != self.config["env_args"].get("key"):
            raise UserError(f"{self.folder} was trained on {self.config['env_args'].get('key')}, and cannot play "
                            f"{given.get('key')}.")
        if pictures and isinstance(self.game, ExternalGame) and not (given.get("kwargs") or {}).get("render_mode"):
            given["kwargs"] = {**(given.get("kwargs") or {}), "render_mode": "rgb_array"}
        env = self.config["env"]
        changes = {"seed": self.config["seed"] if seed is None else seed,
                   "test_greedy": self.config["test_greedy"] if greedy is None else greedy,
                   "env_args": check_env_args(env, REGISTRY[env], given)}
        if any(self.config[name] != value for name, value in changes.items()):
            self._change({**self.config, **changes})

    def _change(self, config: dict[str, Any]) -> None:
        external = isinstance(self.game, ExternalGame)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some have modes that they do not list
                game = build_game(config)
        except UserError as error:
            if external and config["env_args"] != self.config["env_args"]:
                raise UserError(f"{error} To see its episodes as text, leave out --out.") from None
            raise
        self.game.close()
        before, self.config, self.game, self.info = self.info, config, game, EnvInfo.of(game)
        sizes = [(info.n_agents, info.n_actions, info.state_shape, info.obs_shape) for info in (before, self.info)]
        if sizes[0] != sizes[1]:
            raise UserError(f"{self.folder} was trained for another game: its agents, actions, state and observations "
                            f"are {sizes[0]}, with these env_args they would be {sizes[1]}.")
        self.mac = build_mac(config, self.info)
        checkpoint.load_into(self.mac, self.folder)

    @property
    def seed(self) -> int:
        """Of the game and the team."""
        return int(self.config["seed"] or 0)

    @property
    def greedy(self) -> bool:
        """Whether it plays what is most likely."""
        return bool(self.config["test_greedy"])

    @property
    def shares_key(self) -> bool:
        """Whether the agents that play now draw keys of a seed that they share."""
        return shares_key(self.mac)

    def agreed(self, batch: EpisodeBatch, t: int, rows: Tensor) -> list[Agreed | None]:
        """What the team has agreed on: see :func:`.agreed.agreed`."""
        return agreed(self.mac, batch, t, rows)

    @property
    def in_order(self) -> bool:
        """Whether the agents that play now decide one after the other, each knowing what those before it do."""
        return isinstance(self.mac.acting, AutoregressiveMAC)

    @property
    def title(self) -> str:
        """Method, game and when the checkpoint was written."""
        return f"{self.config['name']} on {self.game.label(self.config['env_args'])}, t_env {self.t_env}"
