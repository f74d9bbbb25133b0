"""Tables inside pages: what the words of their marks make of the committed rows, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from epymarl_cpa.experiments.table import main as table

ROOT = Path(__file__).parents[2]
ROWS = sorted((ROOT / "docs/results").glob("*.jsonl"))
#: every page, and all that are for people to read
WRITTEN = sorted({*ROOT.glob("*.md"), *(page for folder in ("docs", "examples", "tests")
                                        for page in ROOT.glob(f"{folder}/**/*.md"))})
PAGES = {page.relative_to(ROOT): page.read_text(encoding="utf-8")
         for page in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/results/*.md")])}
ROW = {"env": "xor", "dataset": "good", "alg": "bc", "seed": 0, "headline": 0.5, "headline_optimum": 1.0,
       "seconds": 1.0, "peak_mb": 200}
TABLE = "| game | data | bc | optimum |\n|---|---|---|---|\n| xor | good | 0.5000 ± 0.0000 (0.5000) | 1.0000 |"


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "\n<!-- table " in text], ids=str)
def test_tables_are_what_their_words_make_of_the_committed_rows(page: Path, tmp_path: Path) -> None:
    (tmp_path / "docs/results").mkdir(parents=True)
    for file in ROWS:
        shutil.copy(file, tmp_path / "docs/results")
    place, shown = tmp_path / page, PAGES[page]
    place.write_text(shown, encoding="utf-8")
    assert table(["--pages", str(place)]) == 0
    # How many rows are of other code is of the day on which a page was written.
    made, shown = (re.sub(r"\d+ of \d+ rows were made by .*", "", text)
                   for text in (place.read_text(encoding="utf-8"), shown))
    assert made == shown and made.count("\n<!-- table ") == made.count("\n<!-- /table -->")


def test_all_committed_rows_are_shown() -> None:
    named = {Path(word).name for text in PAGES.values() for words in re.findall("^<!-- table (.*) -->$", text, re.M)
             for word in words.split() if word.endswith(".jsonl")}
    assert named == {file.name for file in ROWS}


def anchors(page: Path) -> list[str]:
    """Of its headings, as GitHub makes them."""
    text = re.sub("```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in re.findall("^#+ (.+)$", text, re.M))
    return [re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), link


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a b").mkdir()
    Path("a b/rows.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "env": "bridge", "alg": "cql"}))


def test_a_page_of_ones_own_is_filled_again_and_again(rows: None) -> None:
    page = Path("page.md")
    begin = "<!-- table 'a b/rows.jsonl' --compact --only=env=xor --bare -->"
    page.write_text(f"before\n\n{begin}\n<!-- /table -->\nafter, <!-- table no mark -->\n")
    for _ in range(2):
        assert table(["--pages", "page.md"]) == 0
        assert page.read_text() == f"before\n\n{begin}\n{TABLE}\n<!-- /table -->\nafter, <!-- table no mark -->\n"


@pytest.mark.parametrize(("text", "message"), [
    ("<!-- table rows.jsonl -->\n", "page.md, line 2: the table that begins here has no end"),
    ("<!-- table rows.jsonl -->\n<!-- table rows.jsonl -->\n<!-- /table -->", "page.md, line 2: the table that begins"),
    ("<!-- table no.jsonl -->\n<!-- /table -->", "page.md, line 2: no.jsonl cannot be read"),
    ("<!-- table 'a b/rows.jsonl -->\n<!-- /table -->", "page.md, line 2: No closing quotation"),
    ("<!-- table --compact -->\n<!-- /table -->", "page.md, line 2: name the rows"),
    ("<!-- table 'a b/rows.jsonl' --help -->\n<!-- /table -->", "page.md, line 2: unrecognized arguments: --help"),
    ("<!-- table 'a b/rows.jsonl' --runs --short -->\n<!-- /table -->", "line 2: argument --short: not allowed"),
    ("<!-- table 'a b/rows.jsonl' --only=env=xo -->\n<!-- /table -->", "there is no env 'xo' (did you mean 'xor'?)"),
    ("<!-- table 'a b/rows.jsonl' --columns=BQ -->\n<!-- /table -->", "no row is of the method 'BQ'")])
def test_what_a_page_asks_wrongly_is_told_with_its_line_and_leaves_the_page(
        text: str, message: str, rows: None, capsys: pytest.CaptureFixture[str]) -> None:
    page = Path("page.md")
    page.write_text(f"first\n{text}")
    assert table(["--pages", "page.md"]) == 2
    assert message in capsys.readouterr().err and page.read_text() == f"first\n{text}"


@pytest.mark.parametrize(("words", "message"), [
    (["--pages", "no.md"], "no.md cannot be read"), (["rows.jsonl", "--pages", "page.md"], "give no rows beside it"),
    ([], "name the rows")])
def test_other_mistakes_are_told(words: list[str], message: str, rows: None,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert table(words) == 2
    assert message in capsys.readouterr().err
