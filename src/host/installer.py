"""``epymarl-cpa install DIR``: one import line and YAML files, after which the checkout's own command works."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from .. import __version__, config
from ..errors import UserError
from ..utils.files import reason, write_with
from .checkout import Checkout
from .configs import MARK

LINE = b"import epymarl_cpa.host.plugin  # noqa: F401  (by 'epymarl-cpa install'; 'epymarl-cpa uninstall' removes it)"
KINDS = ("algs", "envs")


def install(checkout: Checkout) -> str:
    """Adds the line to ``src/main.py`` and our YAML files to ``src/config``; doing it again changes nothing.

    EPyMARL's files of the same name and files of ours that were edited since are left alone.

    Returns:
        What was done, in words.

    Raises:
        UserError: the checkout cannot be read or written.
    """
    main = _read(checkout.main)
    added = 0
    for source, target in _files(checkout):
        text = _marked(source.read_bytes())
        old = _read(target) if target.exists() else None
        if old is None or (_is_untouched(old) and old != text):
            _write(target, text)
            added += 1
    if _span(main) is None:
        _write(checkout.main, LINE + _newline(main) + main)
    return (f"{checkout.root}: main.py imports epymarl-cpa, {added} YAML files written; "
            "'python src/main.py --config=cpa_ar --env-config=sensor' works there now.")


def uninstall(checkout: Checkout) -> str:
    """Takes out what :func:`install` put in, byte for byte; YAML files that were edited since stay.

    Returns:
        What was done, in words.

    Raises:
        UserError: the checkout cannot be read or written.
    """
    main = _read(checkout.main)
    span = _span(main)
    if span is not None:
        _write(checkout.main, main[: span.start] + main[span.stop:])
    kept = []
    for target in (checkout.config_file(kind, name) for kind in KINDS for name in checkout.names(kind)):
        text = _read(target)
        if _is_untouched(text):
            _remove(target)
        elif text.startswith(MARK.encode()):
            kept.append(target.name)
    left = f"; {', '.join(kept)} {'was' if len(kept) == 1 else 'were'} edited and left there" if kept else ""
    return f"{checkout.root}: main.py and src/config are as they were{left}."


def _files(checkout: Checkout) -> Iterator[tuple[Path, Path]]:
    """Our YAML files and where they go."""
    for kind in KINDS:
        for source in sorted((config.FOLDER / kind).glob("*.yaml")):
            yield source, checkout.config_file(kind, source.stem)


def _marked(text: bytes) -> bytes:
    digest = hashlib.sha256(text).hexdigest()[:16]
    return f"{MARK} {__version__}; edited if not {digest}.\n".encode() + text


def _is_untouched(text: bytes) -> bool:
    """Whether a file is one of ours, of any version, as it was written."""
    first, _, rest = text.partition(b"\n")
    digest = hashlib.sha256(rest).hexdigest()[:16]
    return first.startswith(MARK.encode()) and first.endswith(f" {digest}.".encode())


def _span(main: bytes) -> slice | None:
    """Where the line is, with its end."""
    start = main.find(LINE)
    if start < 0:
        return None
    end = main.find(b"\n", start)
    return slice(start, end + 1 if end >= 0 else len(main))


def _newline(main: bytes) -> bytes:
    """The end of the first line, which git may have made Windows' own."""
    return b"\r\n" if main.partition(b"\n")[0].endswith(b"\r") else b"\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({reason(error)}).") from None


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    try:
        write_with(path, lambda file: file.write(content))
        path.chmod(mode)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({reason(error)}).") from None


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise UserError(f"{path} cannot be removed ({reason(error)}).") from None
