"""Methods side by side, with intervals over seeds, and their learning curves as a picture (matplotlib, if it is there).

python examples/04_compare_methods.py    (less than a minute)
"""

import json
from importlib.util import find_spec
from pathlib import Path

from epymarl_cpa import Comparison, TrainedRun, compare, train

METHODS = ("bc", "ar_bc", "cpa_ar")


def draw(runs: list[TrainedRun], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel="updates", ylabel="test return", title="Permutation, medium data")
    for place, method in enumerate(METHODS):
        for run in runs:
            if run.method == method:
                curve = run.history["test_return_mean"]
                axes.plot(curve.t_env, curve.values, color=f"C{place}", label=method if run.seed == 0 else None)
    axes.axhline(runs[0].optimum, color="grey", linestyle="--", label="optimum")
    axes.legend()
    figure.savefig(path)


def main(seeds: int = 2, t_max: int = 300) -> Comparison:
    runs = [train(method, "permutation", dataset="medium", seed=seed, t_max=t_max, test_interval=max(1, t_max // 5))
            for method in METHODS for seed in range(seeds)]
    table = compare(runs)
    print(table)
    lines = "".join(f"{json.dumps(run.row)}\n" for run in runs)
    Path("rows.jsonl").write_text(lines)  # for: python -m epymarl_cpa.experiments.report rows.jsonl --out=report
    if find_spec("matplotlib"):
        draw(runs, Path("curves.png"))
        print("\nlearning curves: curves.png")
    return table


if __name__ == "__main__":
    main()
