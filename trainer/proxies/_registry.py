"""The register of zero-cost proxies, filled by the decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from trainer.data.batches import Batch

    Proxy = Callable[[nn.Module, Batch], float]

REGISTER: dict[str, Proxy] = {}


class UndefinedProxy(Exception):
    """A network for which a proxy is undefined; the message says why."""


def proxy(function: Proxy) -> Proxy:
    """Register a proxy under the name of its function, which is its word in a study file."""
    REGISTER[function.__name__] = function
    return function
