"""A report as tables, notes and pictures, and its writing as Markdown, HTML and CSV."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2129; background: #fff; margin: 2rem auto; max-width: 90rem;
       padding: 0 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption, th { text-align: left; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #d5d9e0; vertical-align: top; white-space: nowrap; }
thead th { border-bottom: 2px solid #8a919e; }
small { color: #5b6472; } p.note { max-width: 60rem; color: #3d4450; margin: .4rem 0; }
img { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True)
class Field:
    """What stands in a table's field: text, maybe bold, and maybe a second line in small print."""

    text: str = ""
    bold: bool = False
    below: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with a table, pictures and notes, each of which may be missing.

    Attributes:
        title: the heading.
        headings: of the table's columns; the first column holds the rows' names.
        rows: of the table.
        pictures: PNG files, each with what it shows; they lie in the folder of the report or below it.
        notes: sentences under the table.
    """

    title: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[Field]] = ()
    pictures: Sequence[tuple[Path, str]] = ()
    notes: Sequence[str] = ()


def markdown(title: str, sections: Sequence[Section], folder: Path) -> str:
    """The report as Markdown, with pictures as links relative to ``folder``."""
    lines = [f"# {title}"]
    for section in sections:
        lines += ["", f"## {section.title}"]
        if section.rows:
            lines += ["", _line(map(_plain, section.headings)), "|---" * len(section.headings) + "|"]
            lines += [_line(map(_field, row)) for row in section.rows]
        for file, caption in section.pictures:
            lines += ["", f"![{_plain(caption)}]({file.relative_to(folder).as_posix()})", "", _plain(caption)]
        for note in section.notes:
            lines += ["", _plain(note)]
    return "\n".join(lines) + "\n"


def web_page(title: str, sections: Sequence[Section]) -> str:
    """The report as one HTML page that needs no other file: pictures are inside."""
    parts = []
    for section in sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        if section.rows:
            head = "".join(f"<th scope=\"col\">{html.escape(heading)}</th>" for heading in section.headings)
            body = "\n".join(f"<tr>{_cells(row)}</tr>" for row in section.rows)
            parts.append(f"<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
                         "</table></div>")
        for file, caption in section.pictures:
            data = base64.b64encode(file.read_bytes()).decode()
            parts.append(f"<p><img alt=\"{html.escape(caption)}\" src=\"data:image/png;base64,{data}\"></p>\n"
                         f"<p class=\"note\">{html.escape(caption)}</p>")
        parts += [f"<p class=\"note\">{html.escape(note)}</p>" for note in section.notes]
    content = "\n".join(parts)
    return (f"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n"
            f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            f"<h1>{html.escape(title)}</h1>\n{content}\n</body>\n</html>\n")


def csv_text(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as CSV; None is an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([headings, *rows])
    return text.getvalue()


def _cells(row: Sequence[Field]) -> str:
    first, *others = map(_html_field, row)
    return f"<th scope=\"row\">{first}</th>" + "".join(f"<td>{other}</td>" for other in others)


def _html_field(content: Field) -> str:
    text = html.escape(content.text)
    text = f"<strong>{text}</strong>" if content.bold else text
    return f"{text}<br><small>{html.escape(content.below)}</small>" if content.below else text


def _field(content: Field) -> str:
    text = _plain(content.text)
    text = f"**{text}**" if content.bold and text else text
    return f"{text}<br>{_plain(content.below)}" if content.below else text


def _plain(text: str) -> str:
    """Text in which Markdown sees no marks, not even those of HTML."""
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return html.escape(" ".join(text.split()), quote=False)


def _line(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"
