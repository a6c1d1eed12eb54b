"""The engine of a study: what runs its workers."""

from __future__ import annotations

import re
from typing import NamedTuple

from genome.yaml.source import shown
from search.errors import StudyError

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
ADDRESS = re.compile(r"auto|local|(ray://)?(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")


class EngineSetting(NamedTuple):
    """What runs the workers of a study: this machine, or a Ray cluster. It may change from run to run."""

    name: str = LOCAL
    # --- of Ray
    # of the cluster: host:port, ray://host:port, auto for the one of this machine, local for one of this run alone;
    # None is that of RAY_ADDRESS, else local
    address: str | None = None
    # what each worker reserves; None is a whole GPU where there are some and the study's device allows it
    cpus: float = 1.0
    gpus: float | None = None

    def instead(self, name: str | None, address: str | None) -> EngineSetting:
        """Return what the options `--engine` and `--address` make of it. Raises StudyError."""
        if name is not None and name not in ENGINES:
            raise StudyError(f"--engine is {shown(repr(name))}; it may be {' or '.join(ENGINES)}")
        setting = self if name in (None, self.name) else EngineSetting(str(name))
        if address is None:
            return setting
        if setting.name != RAY:
            raise StudyError(
                "--address is that of a Ray cluster; add --engine ray, or `engine: ray` to the study"
            )
        if wrong := address_complaint(address):
            raise StudyError(f"--address {wrong}")
        return setting._replace(address=address)


def address_complaint(address: str) -> str | None:
    """Return what is wrong with the address of a Ray cluster, None where it may be one."""
    if ADDRESS.fullmatch(address):
        return None
    return f"is {shown(repr(address))}; it may be host:port, ray://host:port, auto or local"
