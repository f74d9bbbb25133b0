"""``python -m epymarl_cpa.envs``: computes afresh the exact optima that the package ships."""

from __future__ import annotations

import json

from ..utils.files import write_text
from .aloha import Aloha
from .optima import SHIPPED

HORIZONS = (10, 20)


def main() -> None:
    """Computes for some minutes and writes the table."""
    table: dict[str, float] = {}
    for steps in HORIZONS:
        game = Aloha(episode_limit=steps)
        value = float(game.message_values(steps)[(1,) * game.n_agents])
        table[json.dumps(game.messages_spec(), sort_keys=True)] = value
        print(f"aloha, {steps} steps: {value:.4f} messages")
    write_text(SHIPPED, json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
