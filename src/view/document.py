"""One HTML file: a page, its style and program, and what it shows.

What comes from files is in one block of JSON that no browser runs, and in which nothing can end the block; the program
writes it as text, never as HTML.  The page forbids itself (by a content security policy with digests) any program but
its own, and any network.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..utils.files import reason, write_text

PAGE = Path(__file__).with_name("page")
STYLES = ("page.css",)
PROGRAMS = ("base.js", "charts.js", "picture.js", "episodes.js", "dataset.js", "run.js", "sweep.js", "start.js")


def document(content: Mapping[str, Any]) -> str:
    """The HTML of a page.

    Args:
        content: what it shows, plain JSON; ``kind`` (dataset, run or sweep) and ``title`` are needed.
    """
    style = "\n".join((PAGE / name).read_text(encoding="utf-8") for name in STYLES)
    program = "\n".join((PAGE / name).read_text(encoding="utf-8") for name in PROGRAMS)
    program = f'"use strict";(() => {{\n{program}\n}})();'
    parts = {"title": html.escape(str(content["title"])), "style": style, "program": program,
             "style_digest": _digest(style), "program_digest": _digest(program), "content": as_json(content)}
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)  # once: nothing inside parts is replaced


def as_json(content: object) -> str:
    """JSON in which nothing looks like HTML; numbers that are not finite are null."""
    text = json.dumps(_finite(content), separators=(",", ":"), allow_nan=False)  # ASCII
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def write(content: Mapping[str, Any], out: Path) -> int:
    """Writes a page, whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        UserError: the file cannot be written.
    """
    text = document(content).encode(errors="backslashreplace").decode()  # names of files may hold what is no text
    try:
        write_text(out, text)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({reason(error)}); choose another file with --out.") from None
    return len(text.encode())


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {str(key): _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
