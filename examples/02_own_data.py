"""Your own arrays, one row for each step as in D4RL, become a data set, and teams learn from it.

python examples/02_own_data.py    (about ten seconds)
"""

import numpy as np

from epymarl_cpa import dataset_from_arrays, make_env, train


def record(episodes: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What any program may have logged: here two conventions on XOR, AB and BA, with some random play between them."""
    rng, env, rows = np.random.default_rng(seed), make_env("xor"), []
    for _ in range(episodes):
        seen, _ = env.reset(seed=int(rng.integers(2**31)))
        habit = rng.permutation(2)  # this episode's convention
        while env.agents:
            chosen = np.where(rng.random(2) < 0.2, rng.integers(2, size=2), habit)
            views = [seen[agent]["observation"] for agent in env.possible_agents]
            seen, rewards, ended, cut, _ = env.step(dict(zip(env.possible_agents, chosen, strict=True)))
            rows.append((views, chosen, rewards["agent_0"], ended["agent_0"], cut["agent_0"]))
    keys = ("observations", "actions", "rewards", "terminals", "timeouts")
    return {key: np.array(column) for key, column in zip(keys, zip(*rows, strict=True), strict=True)}


def main(episodes: int = 2000, t_max: int = 300) -> float:
    flat = record(episodes)
    for key, array in flat.items():
        print(f"{key:13} {array.dtype!s:8} {array.shape}")
    data = dataset_from_arrays(**flat)  # checks everything; a mistake is a sentence with key and row
    data.save("mine.npz")  # for the command line: ... with dataset=mine.npz
    print(f"\n{data.n_episodes} episodes, mean return {data.returns.mean():.2f}; the best few alone: "
          f"{data.returns.max():.2f}")
    run = train("cpa_ar", "xor", dataset=data, seed=0, t_max=t_max)
    print(f"cpa_ar learned from them: return {run.mean_return:.2f} of {run.optimum:.0f}; model: {run.model}")
    return run.mean_return


if __name__ == "__main__":
    main()
