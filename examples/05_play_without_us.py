"""Exported agents play without this package: three small programs and one file for each agent, which need NumPy only.

python examples/05_play_without_us.py    (about half a minute)
"""

import subprocess
import sys
from pathlib import Path

from epymarl_cpa import export, train

CONSUMER = '''
import sys
sys.path.insert(0, "agents")
import numpy as np
from policy import Policy

agents = [Policy.load(f"agents/agent_{i}.npz") for i in range(2)]
assert len({agent.agree(seed=7) for agent in agents}) == 1  # told once; from now on nobody says a word
state = np.array([0, 1, 0, 1], dtype=np.float32)  # all that XOR shows
for episode in range(8):
    print("".join("AB"[agent.act(state, episode=episode)] for agent in agents), end=" ")
assert not any(name.startswith(("epymarl", "torch")) for name in sys.modules)
'''


def main(t_max: int = 400, student_t_max: int = 400) -> str:
    run = train("cpa_pa", "xor", dataset="medium", seed=0, t_max=t_max, student_t_max=student_t_max)
    files = export(run.model, "agents")
    print(f"return {run.mean_return:.2f}; exported: {', '.join(map(str, files))}")
    Path("consumer.py").write_text(CONSUMER)
    played = subprocess.run([sys.executable, "consumer.py"], capture_output=True, text=True, check=True).stdout
    print(f"joint actions by the shared key alone: {played}")
    return played


if __name__ == "__main__":
    main()
