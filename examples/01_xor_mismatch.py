"""XOR: agents that imitate by themselves mix two ways to win; CPA's teacher and students do not.

python examples/01_xor_mismatch.py    (about half a minute)
"""

from collections import Counter

from epymarl_cpa import load_dataset, train

METHODS = {"bc": "each agent imitates by itself", "cpa_ar": "agent 2 sees what agent 1 does",
           "cpa_pa": "both read the same key, and nothing else"}


def names(joint_actions) -> str:
    """How often each joint action occurs, as AB 50 %."""
    counts = Counter("".join("AB"[action] for action in joint) for joint in joint_actions.tolist())
    return ", ".join(f"{name} {count / counts.total():.0%}" for name, count in sorted(counts.items()))


def main(t_max: int = 400, student_t_max: int = 400) -> dict[str, float]:
    data = load_dataset("xor", "medium", seed=0)  # AA, AB and BA, a third each; only AB and BA are paid
    print(f"data:   {names(data.actions[data.steps])}; mean return {data.returns.mean():.2f}\n")
    returns = {}
    for method, how in METHODS.items():
        own = {"student_t_max": student_t_max} if method == "cpa_pa" else {}
        run = train(method, "xor", dataset="medium", seed=0, t_max=t_max, **own)
        policy = run.policy(greedy=False)  # drawn, so that all that the team may do is seen
        policy.reset(seed=0, episodes=1000)
        played = policy.act(data.state[:1, :1].repeat(1000, 0).repeat(2, 1))  # what both agents see, 1000 times
        returns[method] = run.mean_return
        print(f"{method:7} {how}:\n        return {run.mean_return:.2f} of {run.optimum:.0f}; drawn: {names(played)}")
    return returns


if __name__ == "__main__":
    main()
