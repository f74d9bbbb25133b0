"""What kind of machine this is, without saying whose."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ... import __version__

CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, str]:
    """Processor, number of its cores, system, and versions; no host name and no path."""
    return {"processor": _processor(), "cores": str(os.cpu_count() or "unknown"),
            "system": f"{platform.system()} {platform.machine()}", "Python": platform.python_version(),
            "torch": _version("torch"), "numpy": _version("numpy"), "epymarl-cpa": __version__}


def _processor() -> str:
    try:  # platform.processor() is empty on most Linux systems
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), "") or platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
