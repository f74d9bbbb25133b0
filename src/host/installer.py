"""``epymarl-cpa install DIR``: one import line and YAML files, after which the checkout's own command works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .. import __version__, config
from ..errors import UserError
from ..utils.files import write_with
from .checkout import Checkout
from .configs import MARK

LINE = b"import epymarl_cpa.host.plugin  # noqa: F401  (by 'epymarl-cpa install'; 'epymarl-cpa uninstall' removes it)"


def install(checkout: Checkout) -> str:
    """Adds the line to ``src/main.py`` and our YAML files to ``src/config``; doing it again changes nothing.

    Returns:
        What was done, in words.

    Raises:
        UserError: the checkout cannot be written.
    """
    main = checkout.main.read_bytes()
    added = 0
    for source, target in _files(checkout):
        text = _marked(source)
        if not target.exists() or (_is_ours(target) and target.read_bytes() != text):
            _write(target, text)
            added += 1
    if not _has_line(main):
        _write(checkout.main, LINE + _newline(main) + main)
    return (f"{checkout.root}: main.py imports epymarl-cpa, {added} YAML files written; "
            "'python src/main.py --config=cpa_ar --env-config=sensor' works there now.")


def uninstall(checkout: Checkout) -> str:
    """Takes out what :func:`install` put in, byte for byte; YAML files that were edited since stay.

    Returns:
        What was done, in words.

    Raises:
        UserError: the checkout cannot be written.
    """
    main = checkout.main.read_bytes()
    if _has_line(main):
        _write(checkout.main, main[len(LINE + _newline(main)):])
    kept = []
    for source, target in _files(checkout):
        if not target.exists() or not _is_ours(target):
            continue
        if target.read_bytes() == _marked(source):
            target.unlink()
        else:
            kept.append(target.name)
    left = f"; {', '.join(kept)} were edited and stay" if kept else ""
    return f"{checkout.root}: main.py and src/config are as they were{left}."


def _files(checkout: Checkout) -> Iterator[tuple[Path, Path]]:
    """Our YAML files and where they go; EPyMARL's of the same name are left alone."""
    for kind in ("algs", "envs"):
        for source in sorted((config.FOLDER / kind).glob("*.yaml")):
            yield source, checkout.config_file(kind, source.stem)


def _marked(source: Path) -> bytes:
    return f"{MARK} {__version__}.\n".encode() + source.read_bytes()


def _is_ours(target: Path) -> bool:
    return target.read_bytes().startswith(MARK.encode())


def _has_line(main: bytes) -> bool:
    return main.startswith(LINE)


def _newline(main: bytes) -> bytes:
    """The end of the first line, which git may have made Windows' own."""
    return b"\r\n" if main.partition(b"\n")[0].endswith(b"\r") else b"\n"


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    try:
        write_with(path, lambda file: file.write(content))
        path.chmod(mode)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}).") from None
