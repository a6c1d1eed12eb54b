"""Multiply-adds against counts by hand, and the operations of a training step that follow from them."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from trainer import Work
from trainer.hardware.flops import counted, work

IMAGE = (3, 8, 8)


def _unit(ins: int, outs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(ins, outs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outs), nn.ReLU(inplace=True))


def _head(channels: int) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def plain() -> nn.Module:
    return nn.Sequential(_unit(3, 16, 3), _unit(16, 32, 3, stride=2), nn.Dropout(0.5), _head(32))


def depthwise() -> nn.Module:
    return nn.Sequential(_unit(3, 8, 3), _unit(8, 8, 3, 2, groups=8), _unit(8, 16, 1), _head(16))


def grouped() -> nn.Module:
    return nn.Sequential(_unit(3, 6, 5, groups=3), _unit(6, 12, 3, groups=2), _head(12))


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 50), nn.ReLU(), nn.Linear(50, 10, bias=False))


def transposed() -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(3, 4, 2, stride=2), _head(4))


BY_HAND = [
    (plain, 9 * 3 * 16 * 64 + 9 * 16 * 32 * 16 + 320, 9 * 3 * 16 * 64),
    (depthwise, 9 * 3 * 8 * 64 + 9 * 8 * 16 + 8 * 16 * 16 + 160, 9 * 3 * 8 * 64),
    (grouped, 25 * 6 * 64 + 9 * 3 * 12 * 64 + 120, 25 * 6 * 64),
    (linear, 192 * 50 + 50 * 10, 192 * 50),
    (transposed, 3 * 64 * 4 * 4 + 40, 3 * 64 * 4 * 4),
]


@pytest.mark.parametrize(("make", "macs", "image_macs"), BY_HAND)
def test_counts_by_hand(make: Callable[[], nn.Module], macs: int, image_macs: int) -> None:
    assert work(make(), IMAGE) == Work(macs, image_macs)


@pytest.mark.parametrize("make", [plain, linear])
def test_a_training_step_takes_what_torch_counts(make: Callable[[], nn.Module]) -> None:
    module = make()
    x, y = torch.zeros(4, *IMAGE), torch.zeros(4, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(module(x), y).backward()
    assert work(module, IMAGE).train_flops(4) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x)
    assert work(module, IMAGE).infer_flops(4) == counter.get_total_flops()


class Late(nn.Module):
    """A pool of the image, then a convolution: the step needs no gradient of the pool. After a norm it needs one."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 2).clone().mul_(2.0)
        return self.conv(self.norm(x)).mean((2, 3))  # type: ignore[no-any-return]


def test_what_nothing_learned_comes_before_needs_no_gradient_of_its_input() -> None:
    macs = 3 * 4 * 16
    assert work(Late(nn.Identity()), IMAGE) == Work(macs, macs)
    assert work(Late(nn.BatchNorm2d(3, affine=False)), IMAGE) == Work(macs, macs)
    assert work(Late(nn.BatchNorm2d(3)), IMAGE) == Work(macs, 0)


def test_frozen_layers_need_no_gradient_at_all() -> None:
    module = plain()
    module[0].requires_grad_(False)  # type: ignore[index]
    stem, rest = 9 * 3 * 16 * 64, 9 * 16 * 32 * 16
    assert work(module, IMAGE) == Work(stem + rest + 320, 2 * stem + rest)


class Attention(nn.Module):
    """A layer of self-attention over the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, batch_first=True)
        self.stem = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)  # (B, 64, 4)
        mixed, _ = self.layer(tokens, tokens, tokens, need_weights=False)
        return mixed.mean(1)  # type: ignore[no-any-return]


def test_attention_is_counted_whatever_kernel_would_run_it() -> None:
    products = 3 * 64 * 16 + 2 * 64 * 64 * 4 + 64 * 16  # q, k and v; scores and their use; projection
    assert work(Attention(), IMAGE) == Work(3 * 4 * 64 + products, 3 * 4 * 64)


def test_a_module_is_taken_at_its_word() -> None:
    module = plain()
    module.macs, module.image_macs = 7, 3  # type: ignore[assignment]
    assert work(module, IMAGE) == Work(7, 3)
    assert work(module, IMAGE).train_flops(10) == 10 * (6 * 7 - 2 * 3)
    assert counted(module, IMAGE) != Work(7, 3)


def test_counting_leaves_no_trace() -> None:
    module = plain()
    module[1].eval()  # type: ignore[index]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes, state = [part.training for part in module.modules()], torch.get_rng_state()
    with torch.no_grad():
        work(module, IMAGE)
        assert not torch.is_grad_enabled()
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert torch.get_rng_state().equal(state)
    assert all(p.grad is None for p in module.parameters())


def test_a_module_that_can_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        work(plain(), (5, 8, 8))
