"""Where channels_last and bf16 are used, and that neither changes what a network is worth."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainer.precision import autocast, layout

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("module", "pixels", "wanted"),
    [
        (nn.Conv2d(3, 4, 3), 32 * 32, torch.channels_last),
        (nn.Conv2d(3, 4, 3), 16 * 16, torch.contiguous_format),
        (nn.Linear(3, 4), 32 * 32, torch.contiguous_format),
    ],
)
def test_channels_last_where_it_was_measured_to_pay(
    module: nn.Module, pixels: int, wanted: torch.memory_format
) -> None:
    assert layout(nn.Sequential(module), CPU, pixels) == wanted


def test_layouts_agree(net: Callable[..., nn.Module]) -> None:
    module, x = net().eval(), torch.rand(4, 1, 28, 28)
    plain = module(x)
    last = module.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last)


def test_auto_is_fp32_on_the_cpu() -> None:
    layer, x = nn.Linear(3, 4), torch.rand(2, 3)
    for precision, dtype in (("auto", torch.float32), ("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(precision, CPU):
            assert layer(x).dtype == dtype
