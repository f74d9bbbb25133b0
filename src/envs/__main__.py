"""``python -m epymarl_cpa.envs``: computes afresh the optima and bounds that the package ships."""

from __future__ import annotations

import json

from ..utils.files import write_text
from .aloha import Aloha
from .aloha_large import AlohaLarge
from .optima import SHIPPED
from .sensor_large import SensorLarge

HORIZONS = (10, 20)


def main() -> None:
    """Computes for some minutes and writes the table."""
    table: dict[str, float] = {}
    for steps in HORIZONS:
        game = Aloha(episode_limit=steps)
        value = float(game.message_values(steps)[(1,) * game.n_agents])
        table[json.dumps(game.messages_spec(), sort_keys=True)] = value
        print(f"aloha, {steps} steps: {value:.4f} messages")
    for large in (SensorLarge(), AlohaLarge()):
        bound = large.computed_bound()
        table[json.dumps(large.bound_spec(), sort_keys=True)] = bound
        print(f"{large.name}: at most {bound:.4f}")
    write_text(SHIPPED, json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
