"""Zero-cost proxies: numbers of an untrained network that may predict how well it will train.

A proxy is one function below, decorated with `@proxy`, in any file of this folder without an underscore. Importing this
package loads no torch, so that a study file can be checked without it: proxies import torch when they are called.

No proxy is reliable on every data set: some rank networks the wrong way round, and the count of parameters is the
baseline to beat (Abdelfattah et al., ICLR 2021, arXiv:2101.08134; Krishnakumar et al., NAS-Bench-Suite-Zero, NeurIPS
2022, arXiv:2210.03230).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from trainer.proxies._registry import REGISTER, UndefinedProxy

if TYPE_CHECKING:
    from torch import Tensor, nn

for _module in sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")):
    import_module(f"{__name__}.{_module}")

PROXIES: tuple[str, ...] = tuple(REGISTER)

log = logging.getLogger("trainer")


def proxies(module: nn.Module, images: Tensor, labels: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Measure proxies of a network on one batch; of every proxy a higher value promises a better network.

    images: normalised, (B, C, H, W), labels: (B,), both on the module's device; `forward` returns logits (B, classes),
    or a tuple of them. Dropout is off and batch norm takes the statistics of the batch. The same weights and images
    give the same values; the module and torch's random state are restored.

    A proxy that is undefined for a network, such as one of activations in a network without any, is -inf; the log has
    the reason. Raises KeyError for an unknown name, ModuleError for outputs that are not logits, and what the module
    itself raises.
    """
    import torch

    from trainer.data.batches import Batch
    from trainer.hardware.modes import seeded

    values = {}
    for name in names:
        with torch.enable_grad(), seeded(0, images.device):
            try:
                values[name] = _finite(REGISTER[name](module, Batch(images, labels)))
            except UndefinedProxy as undefined:
                log.info("%s is undefined here: %s", name, undefined)
                values[name] = -math.inf
    return values


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise UndefinedProxy(f"its value is {value}")
    return value
