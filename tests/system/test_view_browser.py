"""Pages in a real browser, where there is one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.__main__ import main as data_command
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.generate import generate
from epymarl_cpa.envs import make_game
from epymarl_cpa.view.command import main

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.thorough, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser: Any, path: Path, width: int, **context: Any) -> tuple[Any, list[str]]:
    """The page when it is drawn, and what went wrong on it or was asked of a network."""
    page = browser.new_context(viewport={"width": width, "height": 800}, **context).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: faults.append(request.url) if request.url != path.as_uri()
            and not request.url.startswith("blob:") else None)
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=true]", timeout=20_000)
    return page, faults


def test_a_data_set_is_played_filtered_and_cut(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = {"episodes": 40, "mixture": {"crossing": 0.5, "random": 0.5}}
    data = generate(make_game("bridge"), recipe, 0)
    meta = {**data.meta, "behaviours": [EVIL, *data.meta["behaviours"][1:]]}
    OfflineDataset(**data.arrays, meta=meta).save(Path("all.npz"))
    assert main(["all.npz", "--out=a.html"]) == 0
    page, faults = opened(browser, tmp_path / "a.html", 400, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    slider = page.get_by_label("Step of the episode")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "step 1 of" in page.inner_text("#episodes")
    page.fill("[data-key=minReturn]", "-5")
    page.select_option("[data-key=action]", "1")
    page.click(".item .flag >> nth=0")
    page.check("input[value=without]")
    line = page.inner_text("#episodes .cmd")
    assert line.startswith("python -m epymarl_cpa.data select all.npz --min-return=-5 --action=1 --not-episodes=")
    assert data_command(line.split()[3:]) == 0
    found, played = load(Path("subset.npz")), ((data.actions == 1).any(2) & data.steps).any(1)
    assert found.n_episodes == ((data.returns >= -5) & played).sum() - 1 and found.returns.min() >= -5
    assert EVIL in page.inner_text("#coverage") and page.query_selector("main img, main script") is None
    assert not faults


def test_a_sweep_and_a_record_are_drawn_at_both_widths(browser: Any, tmp_path: Path) -> None:
    row = {"env": "xor", "dataset": "good", "headline": 1.0, "headline_optimum": 1.0, "seconds": 2.0, "peak_mb": 300}
    rows = [{**row, "alg": alg, "seed": seed, "curve": [[0, 0.0], [9, 1.0]]}
            for alg in ("bc", "cql") for seed in (0, 1)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    folder = tmp_path / "sacred/bc/xor/1"
    folder.mkdir(parents=True)
    for name, content in (("config", {"name": "bc", "env": "xor", "note": EVIL}), ("run", {"status": EVIL}),
                          ("metrics", {"test_return_mean": {"steps": [0, 1], "values": [0.0, 1.0]}})):
        (folder / f"{name}.json").write_text(json.dumps(content))
    for source, name, width in ((tmp_path / "rows.jsonl", "a.html", 400), (folder, "b.html", 1400)):
        assert main([str(source), f"--out={tmp_path / name}"]) == 0
        page, faults = opened(browser, tmp_path / name, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width and not faults
        assert page.locator("svg path").count() >= 1
