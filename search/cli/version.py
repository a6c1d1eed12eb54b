"""`genome --version`: the versions of the software and the devices of this machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

from trainer.system.cpu import cpu_name, usable_cores

DISTRIBUTION = "genome-nas"  # its version stands in pyproject.toml alone


def environment() -> dict[str, Any]:
    """Return the versions of genome, Python, torch and optuna, and the devices, as plain values."""
    return {
        "genome": _version(DISTRIBUTION),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "optuna": _version("optuna"),
        "cpu": {"name": cpu_name(), "cores": usable_cores()},
        "gpus": _gpus(),
    }


def environment_text(found: dict[str, Any]) -> str:
    """Return the environment in two lines."""
    gpus: list[str] = found["gpus"]
    counted = [f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)]
    cpu = f"{found['cpu']['name']}, {found['cpu']['cores']} cores"
    return (
        f"genome {found['genome'] or 'not installed'}, Python {found['python']}, torch {found['torch']}, "
        f"optuna {found['optuna']}\ndevice: {', '.join(counted) or cpu}"
    )


def _version(distribution: str) -> str | None:
    try:
        return version_of(distribution)
    except PackageNotFoundError:  # a checkout that was never installed
        return None


def _gpus() -> list[str]:
    """The names of the GPUs that torch sees."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.cuda.get_device_name(i) for i in range(count)]
