"""The number format and layout in which networks run, and that neither changes the accuracy of a network."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

import genome
from trainer.data.data import Data
from trainer.hardware.cache import recall
from trainer.hardware.precision import Form, laid_out, layouts, usual
from trainer.loop.precision_probe import fastest_form
from trainer.recipe import Recipe

CPU = torch.device("cpu")
Make = Callable[..., nn.Module]
Layouts = tuple[str, ...]
RESIDUAL = "{op: residual, in: [stem], stride: 2, width: 8, fit: project}"
MLPCONV = "{op: mlpconv, in: [stem], kernel: 1, stride: 2, width: 8}"


@pytest.mark.parametrize(
    ("module", "wanted"), [(nn.Conv2d(3, 4, 3), "channels_last"), (nn.Linear(3, 4), "contiguous")]
)
def test_channels_last_where_it_was_measured_to_pay(module: nn.Module, wanted: str) -> None:
    assert usual(nn.Sequential(module), CPU) == ("fp32", wanted)
    assert usual(module, CPU, "bf16", "contiguous") == ("bf16", "contiguous")


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (nn.Conv2d(6, 8, 1, stride=2), ("contiguous",)),
        (nn.Conv2d(32, 32, 1, stride=(1, 2), groups=8), ("contiguous",)),
        (nn.Conv2d(6, 8, 1), ("contiguous", "channels_last")),
        (nn.Conv2d(6, 8, 3, stride=2), ("contiguous", "channels_last")),
        (nn.Conv2d(16, 8, 1, stride=2), ("contiguous", "channels_last")),
    ],
)
def test_no_layout_in_which_a_gradient_is_wrong(digits: Data, layer: nn.Conv2d, wanted: Layouts) -> None:
    """Seen: trainings of narrow networks ended in a crash of oneDNN, on processors without AVX-512."""
    module = nn.Sequential(nn.Conv2d(1, layer.in_channels, 3), layer)
    assert layouts(module, CPU) == wanted
    assert layouts(module, torch.device("cuda")) == ("contiguous", "channels_last")
    for layout in ("auto", "channels_last"):
        assert usual(module, CPU, layout=layout).layout == wanted[-1]
        given = Recipe(epochs=100, batch=2, layout=layout)
        assert fastest_form(module, digits, given, CPU, 2).layout == wanted[-1]


def test_the_layers_of_genomes_are_known() -> None:
    text = """
genome: narrow
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], width: 6}
  BODY
  out: {op: exit, in: [a]}
"""
    for body in ("{op: conv, in: [stem], kernel: 1, stride: 2, width: 8}", RESIDUAL, MLPCONV):
        module = genome.build(genome.resolve(genome.loads(text.replace("BODY", f"a: {body}"))))
        assert layouts(module, CPU) == ("contiguous",), body


def test_layouts_agree(net: Make) -> None:
    module, x = net().eval(), torch.rand(4, 1, 28, 28)
    plain = module(x)
    Form("fp32", "channels_last").lay_out(module)
    torch.testing.assert_close(plain, module(laid_out(x, torch.channels_last)))


def test_kernels_of_one_channel_get_the_strides_too() -> None:
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=8))
    for layout, strides in (("channels_last", (9, 1, 3, 1)), ("contiguous", (9, 9, 3, 1))):
        Form("fp32", layout).lay_out(module)
        assert [conv.weight.stride() for conv in module] == [strides, strides]


def test_shared_tensors_stay_shared() -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    module[1].weight = module[0].weight
    for one in module:
        one.register_buffer("mask", torch.ones(2, 3, 4, 4) if one is module[0] else module[0].mask)
    Form("fp32", "channels_last").lay_out(module)
    assert module[0].weight is module[1].weight and module[0].mask.data_ptr() == module[1].mask.data_ptr()
    assert module[0].mask.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_autocast_by_precision(precision: str) -> None:
    form = Form(precision, "contiguous")
    with form.autocast(CPU):
        assert nn.Linear(3, 4)(torch.rand(2, 3)).dtype == form.dtype


def test_the_probe_keeps_what_is_given_and_leaves_the_module_alone(digits: Data, net: Make) -> None:
    module = net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    chance = torch.get_rng_state()
    form = fastest_form(module, digits, Recipe(precision="fp32"), CPU, steps=10_000)
    assert form.precision == "fp32"
    assert torch.get_rng_state().equal(chance)
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, value in module.state_dict().items():
        assert value.equal(before[name]), name
    given = Recipe(precision="fp32", layout="channels_last")
    assert fastest_form(module, digits, given, CPU, 10_000) == ("fp32", "channels_last")
    assert module[0][0].weight.stride() == (9, 1, 3, 1)


def test_a_probe_is_remembered_by_network_and_batch(digits: Data, net: Make) -> None:
    from trainer.hardware.cache import machine, remember
    from trainer.loop import precision_probe

    def key(width: int, batch: int) -> str:
        return f"form {machine(CPU)} {precision_probe._signature(net(width), digits, Recipe(batch=batch))}"

    fastest_form(net(13), digits, Recipe(batch=48), CPU, steps=10_000)
    assert Form(*recall(key(13, 48))).precision in ("fp32", "bf16")
    assert recall(key(13, 47)) is None and recall(key(12, 48)) is None
    remember(key(13, 48), ["fp32", "channels_last"])
    assert fastest_form(net(13), digits, Recipe(batch=48), CPU, 10_000) == ("fp32", "channels_last")
    remember(key(13, 48), ["fp32", "contiguous"])
    assert fastest_form(net(13), digits, Recipe(batch=48), CPU, 10_000) == ("fp32", "contiguous")


def test_short_trainings_are_not_probed(digits: Data, net: Make) -> None:
    module = net(7)
    usually = ("fp32", "channels_last")
    assert fastest_form(module, digits, Recipe(batch=46), CPU, steps=99) == usually
    assert fastest_form(module, digits, Recipe(batch=46), CPU, 10_000, seconds=1e-6) == usually


class OnlyFloats(nn.Module):
    """Raises for images in another number format."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.float32:
            raise TypeError("float32 only")
        return self.net(x)  # type: ignore[no-any-return]


def test_a_form_that_does_not_run_is_not_chosen(digits: Data, net: Make) -> None:
    recipe = Recipe(batch=44)
    assert fastest_form(OnlyFloats(net()), digits, recipe, CPU, 10_000).precision == "fp32"
    # the requested format stays: training then reports the error
    asked = replace(recipe, precision="bf16", layout="channels_last")
    assert fastest_form(OnlyFloats(net()), digits, asked, CPU, 10_000) == ("bf16", "channels_last")
