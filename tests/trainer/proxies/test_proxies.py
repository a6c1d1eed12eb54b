"""Zero-cost proxies against numbers computed by hand, and a module that is unchanged afterwards."""

import logging
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainer.errors import ModuleError
from trainer.proxies import PROXIES, proxies

K = 1e-5


def linear(rows: list[list[float]]) -> nn.Linear:
    made = nn.Linear(len(rows[0]), len(rows), bias=False)
    made.weight.data = torch.tensor(rows)
    return made


def chain(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), *parts)


def one(module: nn.Module, name: str, x: Tensor | None = None, y: Tensor | None = None) -> float:
    """Return one proxy; the default batch is two images of 1 x 1 x 2."""
    images = torch.tensor([[1.0, 0.5], [-2.0, 1.0]]).reshape(2, 1, 1, 2) if x is None else x
    labels = torch.arange(len(images)) % 2 if y is None else y
    return proxies(module, images, labels, [name])[name]


def test_sizes_are_counted() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 4 * 4, 3, bias=False))
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert one(module, "params", x) == 2 * 9 + 2 + 96
    assert one(module, "macs", x) == 16 * 18 + 96
    module[0].requires_grad_(False)
    assert one(module, "params", x) == 96


def test_a_module_is_taken_at_its_word_for_macs() -> None:
    module = chain(linear([[1.0, 2.0], [3.0, 4.0]]))
    module.macs, module.image_macs = 77, 0
    assert one(module, "macs") == 77


def test_l2_norm_sums_the_lengths_of_kernels() -> None:
    assert one(chain(linear([[3.0, -4.0]]), linear([[2.0], [0.0]])), "l2_norm") == 7.0


FLOW = [[1.0, -2.0], [3.0, 4.0]], [[5.0, -6.0]]  # of ones: 3 and 7, then 15 + 42; the same through each layer


def test_synflow_is_what_flows_through_positive_kernels() -> None:
    first, second = map(linear, FLOW)
    assert one(chain(first, second), "synflow") == pytest.approx(math.log(2 * 57))


def test_synflow_leaves_norms_out_and_keeps_what_an_activation_in_place_overwrites() -> None:
    class Skipped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.act = linear(FLOW[0]), nn.BatchNorm1d(2), nn.ReLU(inplace=True)
            self.second = linear(FLOW[1])

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x.flatten(1))
            return self.second(x + self.act(self.norm(x)))

    # either branch carries 57; the second layer sees both, and the first is in both
    assert one(Skipped(), "synflow") == pytest.approx(math.log(2 * 114))


def test_synflow_sees_neither_images_nor_signs() -> None:
    first, second = map(linear, FLOW)
    turned = chain(linear([[-w for w in row] for row in FLOW[0]]), second)
    other = torch.full((3, 1, 1, 2), 9.0)
    assert one(chain(first, second), "synflow") == one(turned, "synflow", other)


def softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(v) for v in logits]
    return [p / sum(powers) for p in powers]


def test_snip_and_grad_norm_are_of_the_loss_gradient() -> None:
    module = chain(linear([[0.5], [-1.0]]))
    x, y = torch.full((1, 1, 1, 1), 2.0), torch.tensor([1])
    p = softmax([1.0, -2.0])
    gradient = [2.0 * p[0], 2.0 * (p[1] - 1)]
    assert one(module, "snip", x, y) == pytest.approx(0.5 * gradient[0] - 1.0 * gradient[1], rel=1e-6)
    assert one(module, "grad_norm", x, y) == pytest.approx(math.hypot(*gradient), rel=1e-6)


def test_snip_weighs_exits_as_training_does(two_exits: nn.Module) -> None:
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    y = torch.arange(8)
    both = one(two_exits, "snip", x, y)
    two_exits.exit_weights = (0.0, 1.0)  # type: ignore[assignment]
    late = one(two_exits, "snip", x, y)
    two_exits.exit_weights = (0.0, 2.0)  # type: ignore[assignment]
    assert one(two_exits, "snip", x, y) == pytest.approx(2 * late, rel=1e-5)
    assert both != late


def score(*values: float) -> float:
    return -sum(math.log(v + K) + 1 / (v + K) for v in values)


def test_jacob_cov_of_one_gradient_for_all_images_and_of_unrelated_ones() -> None:
    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x**2).sum(dim=(1, 2, 3)).unsqueeze(1)

    same = chain(linear([[1.0, 2.0, 5.0]]))
    x = torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]).reshape(2, 1, 1, 3)
    assert one(same, "jacob_cov", x) == pytest.approx(score(2.0, 0.0), rel=1e-6)
    # the gradient of a square is twice the image: these two are orthogonal
    assert one(Squares(), "jacob_cov", x) == pytest.approx(score(1.0, 1.0), rel=1e-6)


def test_naswot_is_the_determinant_of_agreeing_bits() -> None:
    x = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]).reshape(2, 1, 1, 3)
    once = chain(nn.ReLU(inplace=True), linear([[1.0, 1.0, 1.0]]))
    assert one(once, "naswot", x) == pytest.approx(math.log(3 * 3 - 1 * 1))
    twice = chain(nn.GELU(), linear([[1.0, 1.0, 1.0]]), nn.SiLU())  # one more bit, on for both
    assert one(twice, "naswot", x) == pytest.approx(math.log(4 * 4 - 2 * 2))


def test_zen_is_the_change_of_a_random_linear_map() -> None:
    chance = torch.Generator().manual_seed(0)
    wanted = []
    for _ in range(2):
        kernel, _x, change = (torch.randn(2, 2, generator=chance, dtype=torch.float64) for _ in range(3))
        wanted.append(math.log(float((0.01 * change @ kernel.T).abs().sum(dim=1).mean())))
    assert one(chain(linear([[7.0, 7.0], [7.0, 7.0]])), "zen") == pytest.approx(sum(wanted) / 2)


def test_zen_gives_back_what_batch_norm_divides_by() -> None:
    class Loud(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 100 * x

    x = torch.randn(64, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    plain = one(chain(linear([[1.0, 1.0]])), "zen", x)
    normed = one(chain(linear([[1.0, 1.0]]), Loud(), nn.BatchNorm1d(1)), "zen", x)
    assert normed == pytest.approx(plain + math.log(100), abs=0.3)  # the norm also centres the few images


SILENT = {
    "synflow": chain(nn.Identity()),
    "snip": chain(nn.Identity()),
    "grad_norm": chain(nn.Identity()),
    "naswot": chain(linear([[1.0, 1.0], [1.0, 1.0]])),
    "jacob_cov": chain(linear([[1.0, 1.0], [1.0, 1.0]])),  # one gradient, the same in every pixel
    "zen": chain(linear([[0.0, 0.0], [0.0, 0.0]])),
}


@pytest.mark.parametrize("name", SILENT)
def test_an_undefined_proxy_is_lowest_and_says_why(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "trainer"):
        assert one(SILENT[name], name) == -math.inf
    assert caplog.messages[0].startswith(f"{name} is undefined here: ")


def test_where_no_gradient_gets_through() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = linear([[1.0, 1.0], [1.0, 2.0]])

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.flatten(1)).round().int().float()

    for name in ("synflow", "snip", "jacob_cov"):
        assert one(Steps(), name) == -math.inf


def test_what_gives_no_logits_is_an_error_and_an_unknown_word_too() -> None:
    class Wordy(nn.Linear):
        def forward(self, x: Tensor) -> str:  # type: ignore[override]
            return "logits"

    with pytest.raises(ModuleError, match="forward gave str"):
        one(Wordy(2, 2), "snip")
    with pytest.raises(KeyError):
        one(Wordy(2, 2), "depth")


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 10


@pytest.mark.parametrize("name", PROXIES)
def test_module_and_chance_end_as_they_were(name: str, net: Callable[..., nn.Module]) -> None:
    module = net()
    module[0][0].weight.requires_grad_(False)
    module[2].eval()
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    chance = torch.get_rng_state()
    with torch.no_grad():
        first, again = (proxies(module, *batch(), [name]) for _ in range(2))
    assert first == again
    assert math.isfinite(first[name])
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in module.parameters() if p.grad is not None)
    assert [p.requires_grad for p in module.parameters()].count(False) == 1


def test_all_at_once_are_what_each_is_alone(two_exits: nn.Module) -> None:
    together = proxies(two_exits, *batch(), PROXIES)
    assert list(together) == list(PROXIES)
    assert together == {name: proxies(two_exits, *batch(), [name])[name] for name in PROXIES}
