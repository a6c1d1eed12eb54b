"""Zero-cost proxies: numbers of an untrained network that may tell how well it will train.

None of them is to be trusted unseen: on some data sets one or the other ranks networks the wrong way round, and the
plain count of parameters is the first to beat (Abdelfattah et al., ICLR 2021, arXiv:2101.08134; Krishnakumar et al.,
NAS-Bench-Suite-Zero, NeurIPS 2022, arXiv:2210.03230).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

# of the size alone; of gradients of the weights; of how images are told apart; of a random change of the image
PROXIES = ("params", "macs", "l2_norm", "synflow", "snip", "grad_norm", "jacob_cov", "naswot", "zen")

log = logging.getLogger("trainer")


def proxies(module: nn.Module, images: Tensor, labels: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Measure proxies of a network on one batch; of each, higher promises better.

    images: normalised, (B, C, H, W), labels: (B,), both on the module's device; `forward` gives logits (B, classes), or
    a tuple of them. Dropout is left out and batch norm takes the batch's statistics. The same weights and images give
    the same numbers; the module and torch's random state end as they were.

    A proxy that a network does not have, such as one of activations where there are none, is -inf; the log says why.
    Raises KeyError for an unknown name, ModuleError for other outputs than logits, and what the module itself raises.
    """
    import torch

    from trainer.data.batches import Batch
    from trainer.hardware.modes import seeded
    from trainer.proxies.measures import MEASURES, Undefined

    values = {}
    for name in names:
        with torch.enable_grad(), seeded(0, images.device):
            try:
                values[name] = _finite(MEASURES[name](module, Batch(images, labels)))
            except Undefined as undefined:
                log.info("%s is undefined here: %s", name, undefined)
                values[name] = -math.inf
    return values


def _finite(value: float) -> float:
    from trainer.proxies.measures import Undefined

    if not math.isfinite(value):
        raise Undefined(f"it comes to {value}")
    return value
