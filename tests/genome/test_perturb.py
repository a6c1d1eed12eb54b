"""Perturbation layers: streamed against the direct form, masks, the control without noise, published counts."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import genome
import genome.ops._perturb as streaming
from genome.op import Cost, Op, Shape
from genome.ops.perturb import Perturb
from genome.testing import Case, around
from genome.testing.measure import check_peak_memory, check_plan, saved_bytes
from genome.testing.variants import INPUT
from tests.pairwise import pairs
from tests.variants import variants

SOURCE, WIDTH = Shape(6, 9, 8), 4
ORDERS = ("act-norm-mix", "act-mix-norm-act", "mix-norm-act", "act-mix", "norm-act-mix-norm-act")
ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky-relu": F.leaky_relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
}


def perturb(**genes: Any) -> Op:
    return genome.lookup("perturb")(**genes)


def made(source: Shape = SOURCE, width: int = WIDTH, seed: int = 0, **genes: Any) -> nn.Module:
    op = perturb(**genes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return op.build([source], op.shape([source], width))


def cost(source: Shape, width: int, **genes: Any) -> Cost:
    op = perturb(**genes)
    return op.cost([source], op.shape([source], width))


def images(source: Shape = SOURCE, batch: int = 3, seed: int = 0) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(batch, *source, dtype=torch.float64, generator=stream)


def obvious(op: Any, module: Any, x: Tensor) -> Tensor:
    """Compute the definition with all maps in memory: channel c under mask m is map c * M + m."""
    x = torch.stack([x + mask for mask in module.noise.masks], dim=2).flatten(1, 2)
    act, norms = ACTIVATIONS[op.activation], 0
    for part in op.order.split("-"):
        if part == "mix":
            x = F.conv2d(x, module.mix.weight, module.mix.bias, groups=module.mix.groups)
        elif part == "act":
            x = act(x)
        else:
            norm = module.norm2 if norms else module.norm
            norms += 1
            x = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
    assert norms == op.order.count("norm")
    return x


def gradients(module: nn.Module, y: Tensor, x: Tensor) -> list[Tensor]:
    weights = [x, *module.parameters()]
    gy = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    return [y.detach(), *torch.autograd.grad((y * gy).sum(), weights)]


def assert_obvious(op: Any, last: bool = False) -> None:
    module = made(**{g.name: vars(op)[g.name] for g in op.genes}).double().train()
    x = images()
    if last:
        module, x = (
            module.to(memory_format=torch.channels_last),
            x.contiguous(memory_format=torch.channels_last),
        )
    x.requires_grad_()
    y = module(x)
    expected = gradients(module, obvious(op, module, x), x)
    for ours, theirs in zip(gradients(module, y, x), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("order", "masks", "shared", "mix"), pairs(ORDERS, [1, 5], [False, True], ["dense", "grouped"])
)
def test_output_and_gradients_are_those_of_the_definition(
    order: str, masks: int, shared: bool, mix: str
) -> None:
    for last, bias in itertools.product([False, True], repeat=2):
        assert_obvious(perturb(order=order, masks=masks, shared=shared, mix=mix, bias=bias), last)


@pytest.mark.parametrize("order", ["act-mix", "act-norm-mix"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str, order: str) -> None:
    assert_obvious(perturb(order=order, masks=3, activation=activation, level=1.5))


@pytest.mark.parametrize("rows_channels", [1, 64])  # both layouts of the maps
@pytest.mark.parametrize("room", [1, 600, 2 * 18 * 72])  # some rows, one sample, two samples and then one
def test_any_room_gives_the_same(room: int, rows_channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BUFFER", room)
    monkeypatch.setattr(streaming, "ROWS_CHANNELS", rows_channels)
    monkeypatch.setattr("genome.ops._buffer.COLUMNS", 16)
    for last, mix in itertools.product([False, True], ["dense", "grouped"]):
        for activation in ("relu", "gelu"):
            assert_obvious(perturb(order="act-mix", masks=3, mix=mix, activation=activation), last)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_needs_no_gradient_gets_none(activation: str) -> None:
    module = made(order="act-mix", masks=4, activation=activation).double()
    x = images()
    whole = gradients(module, module(x.requires_grad_()), x)
    module.mix.weight.requires_grad_(False)
    y = module(x)
    gy = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    (gx,) = torch.autograd.grad((y * gy).sum(), x)
    assert torch.equal(gx, whole[1])
    module.requires_grad_(True)
    module(x.detach()).sum().backward()
    assert module.mix.weight.grad is not None and x.grad is None
    with torch.no_grad():
        assert torch.equal(module(x), whole[0])


# --- the registry's checks of the defaults, applied to the streamed form

STREAMED = [
    perturb(order="act-mix", masks=8),
    perturb(order="act-mix-norm-act", masks=4, activation="gelu"),
    perturb(order="mix-norm-act", masks=4, mix="grouped"),
    perturb(order="act-mix-norm-act", masks=4, mix="grouped", shared=True, bias=False, norm="group"),
]


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("op", STREAMED)
def test_streamed_layers_cost_what_is_planned(op: Op, inputs: int) -> None:
    image = Shape(3, 33, 31)  # large enough that the smallest of three images is streamed too
    plan = genome.resolve(genome.Genome("one", image, 5, around(op, inputs).nodes))
    module = check_plan(plan)
    assert any(isinstance(part, streaming.Streamed) for part in module.modules())
    assert plan.train_bytes == saved_bytes(module, plan)
    check_peak_memory(module, plan)


@pytest.mark.parametrize("op", STREAMED)
def test_streamed_layers_train_in_bfloat16(op: Op) -> None:
    Case("bfloat16", op).run()


def test_more_masks_keep_no_more() -> None:
    source = Shape(64, 32, 32)
    few, many = (cost(source, 64, order="act-mix", masks=m) for m in (2, 64))
    assert few.saved == many.saved == 0 and few.reads
    assert many.macs == 32 * few.macs and many.fixed == 64 * source.size
    assert many.scratch < 64 * source.size // 4  # a part of one image's maps


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_number_format_is_that_of_the_plain_form(dtype: torch.dtype) -> None:
    module = made(order="act-mix", masks=4)
    plain = nn.Sequential(module.noise, module.act, module.mix)
    x = images().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, theirs = module(x), plain(x)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), theirs.float(), rtol=0.05, atol=0.05)
    module.to(dtype)
    x = x.to(dtype).requires_grad_()
    for one, other in zip(gradients(module, module(x), x), gradients(module, plain(x), x), strict=True):
        assert one.dtype == other.dtype == dtype
        close = 0.1 if dtype == torch.bfloat16 else 1e-4
        torch.testing.assert_close(one, other, rtol=close, atol=close)


def test_the_layout_of_the_images_is_kept() -> None:
    x = images(Shape(32, 9, 8)).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = made(Shape(32, 9, 8), order="act-mix", masks=4).double()(x)
    y.sum().backward()
    for tensor in (y, x.grad):
        assert tensor is not None and tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("order", ORDERS)
def test_a_compiler_sees_one_graph(order: str) -> None:
    module = made(order=order, masks=4).double().train()
    x = images().requires_grad_()
    twin = copy.deepcopy(module)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    pairs = zip(gradients(module, module(x), x), gradients(twin, compiled(x), x), strict=True)
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-10) for a, b in pairs)


# --- masks


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("masks", [1, 8])
def test_masks_are_those_of_the_seed(masks: int, shared: bool) -> None:
    one, same, other = (made(masks=masks, shared=shared, seed=s).noise.masks for s in (0, 0, 1))
    assert one.shape == (masks, 1 if shared else 6, 9, 8)
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert cost(SOURCE, WIDTH, masks=masks, shared=shared).fixed == one.numel()


def test_uniform_masks_lie_within_the_level_and_normal_ones_deviate_by_it() -> None:
    source = Shape(16, 32, 32)
    uniform = made(source, masks=4, level=0.5).noise.masks
    assert -0.5 <= uniform.min() < -0.49 and 0.49 < uniform.max() < 0.5
    normal = made(source, masks=4, level=0.5, noise="normal").noise.masks
    assert normal.std().item() == pytest.approx(0.5, abs=0.01) and normal.abs().max() > 1
    assert not made(level=0.0).noise.masks.any()


@pytest.mark.parametrize("order", ORDERS)
def test_masks_are_saved_with_the_weights_and_never_learned(order: str) -> None:
    module = made(order=order, masks=4).train()
    assert "noise.masks" in module.state_dict()
    assert all("masks" not in name for name, _ in module.named_parameters())
    before = copy.deepcopy(module.state_dict())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for step in range(3):
        optimizer.zero_grad()
        module(images(seed=step).float()).square().mean().backward()
        optimizer.step()
    assert torch.equal(module.noise.masks, before["noise.masks"])
    assert not torch.equal(module.mix.weight, before["mix.weight"])


def test_a_network_comes_back_from_safetensors_with_its_masks() -> None:
    plan = genome.resolve(around(perturb(order="act-mix-norm-act", masks=4), 1))
    module, image = genome.build(plan).eval(), torch.randn(2, *plan.genome.input)
    other = genome.build(plan, seed=1).eval()
    assert not torch.equal(other(image)[0], module(image)[0])
    other.load_state_dict(safetensors.torch.load(safetensors.torch.save(module.state_dict())))
    for twin in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(image)[0], module(image)[0])


@pytest.mark.parametrize("masks", [1, 4])
@pytest.mark.parametrize("order", ORDERS)
def test_another_image_size_is_refused(order: str, masks: int) -> None:
    module = made(order=order, masks=masks)
    with pytest.raises(ValueError, match="drawn for images of 9x8 here, not 8x9; masks are never resized"):
        module(torch.zeros(2, 6, 8, 9))
    with pytest.raises(ValueError, match="not 1x1"):  # such a mask would broadcast
        module(torch.zeros(2, 6, 1, 1))


# --- genes


@pytest.mark.parametrize("order", ORDERS)
def test_off_is_the_same_layer_without_masks(order: str) -> None:
    """The control of the re-implementation uses only 1x1 convolutions."""
    module = made(order=order, noise="off").double().train()
    assert not [name for name in module.state_dict() if "mask" in name]
    silent = made(order=order, level=0.0).double().train()
    silent.load_state_dict({**module.state_dict(), "noise.masks": silent.noise.masks})
    assert torch.equal(module(images()), silent(images()))
    assert cost(SOURCE, WIDTH, order=order, noise="off").fixed == 0


def test_off_silences_the_genes_of_noise() -> None:
    off = perturb(noise="off", masks=8, shared=True, level=0.3, mix="grouped")
    assert off == perturb(noise="off")
    text = """\
genome: g
input: [3, 8, 8]
classes: 2
nodes:
  p: {op: perturb, in: [image], width: 4, noise: off, bias: no}
  o: {op: exit, in: [p]}
"""
    with pytest.raises(ValueError, match="bias"):  # YAML 1.2 does not know `no`
        genome.loads(text)
    read = genome.loads(text.replace("bias: no", "bias: false"))
    assert read.nodes[0].op == perturb(noise="off", bias=False)
    assert 'noise: "off", bias: false' in genome.dump(read)  # quoted for readers of YAML 1.1
    assert genome.loads(genome.dump(read)) == read


@pytest.mark.parametrize(("channels", "width", "groups"), [(6, 6, 6), (6, 4, 2), (6, 5, 1), (1, 3, 1)])
def test_groups_are_reduced_to_what_divides_channels_and_width(
    channels: int, width: int, groups: int
) -> None:
    source = Shape(channels, 9, 8)
    module = made(source, width, masks=4, mix="grouped", order="act-mix")
    assert module.mix.groups == groups
    assert module.mix.weight.shape == (width, 4 * channels // groups, 1, 1)


def test_equal_layers_have_equal_digests() -> None:
    def digest(width: int = 5, **genes: Any) -> str:
        plan = around(perturb(masks=4, **genes), 1)
        nodes = (*plan.nodes[:1], plan.nodes[1]._replace(width=width), *plan.nodes[2:])
        return genome.digest(genome.resolve(genome.Genome("one", plan.input, 5, nodes)))

    assert digest(mix="grouped") == digest()  # 6 channels, 5 wide: one group
    assert digest(6, mix="grouped") != digest(6)
    assert digest(shared=True) != digest()


@pytest.mark.parametrize("masks", [1, 3, 1024])
@pytest.mark.parametrize("order", ORDERS)
def test_an_image_of_one_pixel(order: str, masks: int) -> None:
    source = Shape(2, 1, 1)
    module = made(source, 3, order=order, masks=masks, mix="grouped").eval()
    assert module(torch.randn(2, *source)).shape == (2, 3, 1, 1)


# --- published numbers


def test_the_authors_layer_has_their_numbers() -> None:
    """NoiseLayer is a norm over the inputs, a 1x1 with bias, and one mask per input channel."""
    made = cost(Shape(64, 8, 8), 128)
    assert made.weights + made.norms == 64 * 128 + 128 + 2 * 64
    assert made.fixed == 64 * 8 * 8


def test_the_layer_of_the_reimplementation_has_its_numbers() -> None:
    """PerturbLayer is 64 masks per channel, a 1x1 in as many groups as channels, and a norm over the outputs."""
    genes = {"masks": 64, "mix": "grouped", "order": "act-mix-norm-act"}
    made = cost(Shape(128, 16, 16), 256, **genes)
    assert made.weights + made.norms == 64 * 256 + 256 + 2 * 256
    assert made.fixed == 64 * 128 * 16 * 16
    assert cost(Shape(128, 16, 16), 256, shared=True, **genes).fixed == 64 * 16 * 16


def test_the_layers_of_the_authors_resnet_add_up() -> None:
    """noiseresnet18 with 64 filters and a 7x7 stem has 1,427,402 learned numbers on CIFAR-10, and 34,304 in masks."""
    learned = 3 * 64 * 49 + 2 * 64 + 512 * 10 + 10  # stem with its norm, classifier
    fixed, source = 0, Shape(64, 8, 8)
    for stage in range(4):
        planes = 64 << stage
        for block in range(2):
            learned += 2 * (2 * planes)  # the norms between and after the two layers
            if source.channels != planes:  # a 1x1 with norm on the shortcut
                learned += source.channels * planes + 2 * planes
            step = 2 if stage and not block else 1
            for place in (source, Shape(planes, source.height // step, source.width // step)):
                layer = cost(place, planes)
                learned += layer.weights + layer.norms
                fixed += layer.fixed
                source = place.with_channels(planes)
    assert (learned, fixed) == (1_427_402, 34_304)


def test_the_tests_of_the_register_reach_streamed_layers() -> None:
    assert any(isinstance(op, Perturb) and op.streams(INPUT) for op in variants("perturb"))
