"""A PettingZoo environment of one's own (doors.py beside this file): random play as data, and a team that learns.

python examples/03_own_game.py    (about twenty seconds)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # where Python finds doors.py

from doors import Doors

from epymarl_cpa import load_policy, train

KEY = "doors:parallel_env"  # module:function; you name it, so that no file alone has anything imported


def main(t_max: int = 300, episodes: int = 1000) -> float:
    run = train("cpa_ar", "pettingzoo", dataset="random", seed=0, t_max=t_max, batch_size=64,
                recipes={"random": {"episodes": episodes}}, env_args={"key": KEY, "kwargs": {"length": 2}})
    print(f"random play is the data; cpa_ar reaches {run.mean_return:.2f} of 2, the sum of what both porters get\n")
    env, policy, total = Doors(length=2), load_policy(run.model, key=KEY), 0.0
    seen, _ = env.reset(seed=0)
    policy.reset(seed=0)
    while env.agents:
        actions = policy.act(seen)
        seen, rewards, *_ = env.step(actions)
        total += rewards["front"]
        print(f"step {env.time}: {actions} -> the crate is at {env.place:+d}")
    print(f"the front porter got {total:.0f}")
    return run.mean_return


if __name__ == "__main__":
    main()
