"""The published networks have the parameters and multiply-adds of their authors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from torchvision.models import get_model

import genome
from genome import Genome, zoo

# params: the authors' code instantiated, or counted from their definition files; torchvision's networks
COUNTS = {
    "nin-cifar10": 966_986,
    "nin-cifar10-avg": 966_986,
    "nin-cifar100": 984_356,
    "nin-svhn": 1_986_026,
    "nin-mnist": 349_674,
    "nin-imagenet": 7_595_176,
    "pyramidnet-110-a48": 1_772_706,
    "pyramidnet-110-a84": 3_904_446,
    "pyramidnet-110-a270": 28_485_477,
    "pyramidnet-110-m4.75": 1_762_206,
    "pyramidnet-110-m8": 3_876_547,
    "pyramidnet-110-m27": 28_361_693,
    "pyramidnet-164-a48-bottleneck": 1_715_442,
    "pyramidnet-164-a84-bottleneck": 3_757_494,
    "pyramidnet-164-a270-bottleneck": 27_216_021,
    "pyramidnet-200-a240-bottleneck": 26_752_702,
    "pyramidnet-236-a220-bottleneck": 26_969_046,
    "pyramidnet-272-a200-bottleneck": 26_210_842,
    "pyramidnet-imagenet-101-a250": 24_956_608,
    "pyramidnet-imagenet-101-a360": 42_455_070,
    "pyramidnet-imagenet-152-a200": 27_341_608,
    "pyramidnet-imagenet-200-a300": 62_368_168,
    "fractalnet-c2": 13_325_322,
    "fractalnet-c3": 33_724_618,
    "fractalnet-c3-official": 33_714_314,
    "fractalnet-c4": 76_106_634,
    "cliquenet-36-12": 935_994,
    "cliquenet-64-15": 4_485_706,
    "cliquenet-80-15": 6_937_546,
    "cliquenet-80-18": 10_135_594,
    "cliquenet-36-12-a": 977_898,
    "cliquenet-36-12-c": 1_037_434,
    "cliquenet-36-12-ac": 1_079_338,
    "cliquenet-80-15-ac": 7_998_138,
    "cliquenet-150-30-abc": 10_480_938,
    "cliquenet-12-36": 1_045_306,
    "cliquenet-24-18": 986_650,
    "cliquenet-64-18": 6_542_410,
    "cliquenet-s0": 6_245_330,
    "cliquenet-s0-plain": 5_703_728,
    "cliquenet-s1": 8_740_046,
    "cliquenet-s1-plain": 7_956_776,
    "cliquenet-s2": 11_008_376,
    "cliquenet-s2-plain": 10_003_756,
    "cliquenet-s3": 14_383_024,
    "cliquenet-s3-plain": 13_170_904,
    "pnn-resnet18-nf64": 1_427_402,
    "pnn-resnet18-nf128": 5_640_074,
    "pnn-resnet34-nf64": 2_568_266,
    "pnn-resnet50-nf64": 13_480_074,
    "pnn-resnet18-nf128-3x3": 5_624_714,
    "pnn-resnet18-nf128-no-noise": 5_611_146,
    "pnn-resnet18-nf128-all": 5_608_202,
    "pnn-resnet18-nf128-m64": 6_813_834,
    "pnn-resnet18-nf128-m64-shared": 1_220_234,
    "pnn-resnet18-nf44-baseline": 5_284_982,
    "mobilenet-v1": 4_231_976,
    "mobilenet-v1-0.75": 2_585_560,
    "mobilenet-v1-0.5": 1_331_592,
    "mobilenet-v1-0.25": 470_072,
    "mobilenet-v1-cifar10": 3_217_226,
    "active-plain": 855_162 + 96,  # and two coordinates of eight taps in six layers
    "active-resnet-32": 464_154 + 30 * 16,  # resnet-32, and the taps of its thirty inner convolutions
    # offsets of 18 channels from 512 channels of 3x3, and biases; v2 has 27; in 101 there are four groups
    "deformable-resnet-50": 25_557_032 + 3 * 18 * (512 * 9 + 1),
    "deformable-resnet-101": 44_549_160 + 3 * 72 * (512 * 9 + 1),
    "deformable-resnet-50-v2": 25_557_032 + 3 * 27 * (512 * 9 + 1),
    "branchy-lenet": 74_694,
    "branchy-alexnet": 605_886,
    "branchy-resnet-110": 2_227_230,
    "lenet": 61_706,
    "alexnet": 61_100_840,
    "resnet-20": 269_722,
    "resnet-32": 464_154,
    "resnet-44": 658_586,
    "resnet-56": 853_018,
    "resnet-110": 1_727_962,
    "resnet-18": 11_689_512,
    "resnet-34": 21_797_672,
    "resnet-50": 25_557_032,
    "resnet-101": 44_549_160,
    "resnet-152": 60_192_808,
    "densenet-40-12": 1_019_722,
    "densenet-bc-100-12": 769_162,
    "densenet-121": 7_978_856,
    "densenet-161": 28_681_000,
    "densenet-169": 14_149_480,
    "densenet-201": 20_013_928,
}

# stored numbers that are never learned
FIXED = {
    "pnn-resnet18-nf64": 34_304,
    "pnn-resnet18-nf128": 68_608,
    "pnn-resnet18-nf128-3x3": 1_097_728,
    "pnn-resnet18-nf128-no-noise": 0,
    "pnn-resnet18-nf128-all": 1_100_800,
    "pnn-resnet18-nf128-m64": 70_254_592,
    "pnn-resnet18-nf128-m64-shared": 412_672,
}

MACS = {
    "cliquenet-36-12": 455_149_216,
    "cliquenet-64-15": 2_102_870_272,
    "cliquenet-80-15": 3_225_751_712,
    "cliquenet-80-18": 4_727_021_632,
    "cliquenet-64-18": 3_071_233_408,
    "cliquenet-36-12-a": 455_190_688,
    "cliquenet-36-12-c": 490_567_504,
    "cliquenet-36-12-ac": 490_608_976,
    "cliquenet-80-15-ac": 3_438_692_944,
    "cliquenet-150-30-abc": 5_280_114_694,
    "mobilenet-v1": 568_740_352,
    "mobilenet-v1-0.75": 325_400_448,
    "mobilenet-v1-0.5": 149_497_088,
    "mobilenet-v1-0.25": 41_030_272,
}

# millions of multiply-adds, rounded as in the sources
MILLIONS = {
    "fractalnet-c2": 296.1,
    "fractalnet-c3": 845.2,
    "fractalnet-c3-official": 845.2,
    "fractalnet-c4": 2036.1,
    "cliquenet-12-36": 517.9,
    "cliquenet-24-18": 486.5,
    "active-plain": 104.4,
    "branchy-lenet": 1.2,
    "branchy-alexnet": 30.5,
    "branchy-resnet-110": 284.9,
}


def without(found: Genome, *exits: str) -> Genome:
    """Return the genome without some exits; its plan leaves out the nodes that only they need."""
    return replace(found, nodes=tuple(node for node in found.nodes if node.name not in exits))


def test_every_name_is_counted_here() -> None:
    assert set(zoo.names()) == set(COUNTS)


@pytest.mark.parametrize("name", zoo.names())
def test_the_parameters_are_those_published(name: str) -> None:
    found = zoo.get(name)
    plan = genome.resolve(found)
    assert found.name == name
    assert plan.params == COUNTS[name]
    assert plan.fixed == FIXED.get(name, plan.fixed)
    assert plan.macs == MACS.get(name, plan.macs)
    if name in MILLIONS:
        assert round(plan.macs / 1e6, 1) == MILLIONS[name]
    assert genome.loads(genome.dump(found)) == found


@pytest.mark.parametrize("name", zoo.names())
def test_the_modules_have_what_the_plan_says(name: str) -> None:
    import torch

    plan = genome.resolve(zoo.get(name))
    with torch.device("meta"):
        net = genome.build(plan)
    assert sum(p.numel() for p in net.parameters()) == plan.params
    assert sum(b.numel() for key, b in net.named_buffers() if key.endswith("masks")) == plan.fixed


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (lambda: zoo.pyramidnet(110, 48, classes=100), 1_778_556),
        (lambda: zoo.pyramidnet(110, 84, classes=100), 3_913_536),
        (lambda: zoo.pyramidnet(110, 270, classes=100), 28_511_307),
        (lambda: zoo.pyramidnet(164, 270, block="bottleneck", classes=100), 27_319_071),
        (lambda: zoo.pyramidnet(200, 240, block="bottleneck", classes=100), 26_844_952),
        (lambda: zoo.pyramidnet(272, 200, block="bottleneck", classes=100), 26_288_692),
        (lambda: zoo.pyramidnet(200, 450, input=(3, 224, 224), classes=1000), 116_775_213),
        (lambda: zoo.fractalnet(1), 3_917_386),
        (lambda: zoo.fractalnet(1, classes=100), 3_963_556),
        (lambda: zoo.fractalnet(2, classes=100), 13_371_492),
        (lambda: zoo.fractalnet(3, classes=100), 33_770_788),
        (lambda: zoo.fractalnet(4, classes=100), 76_152_804),
        (lambda: zoo.fractalnet(1, form="official"), 3_915_914),
        (lambda: zoo.fractalnet(2, form="official"), 13_320_906),
        (lambda: zoo.fractalnet(4, form="official"), 76_084_554),
        (lambda: zoo.fractalnet(3, form="official", classes=100), 33_760_484),
        *[
            (
                lambda c=c: zoo.fractalnet(c, (16, 32, 64, 128, 128), form="official", classes=100),  # type: ignore[misc]
                params,
            )
            for c, params in enumerate((257_924, 846_612, 2_122_628, 4_773_300, 10_173_284, 21_071_892), 1)
        ],
        (lambda: zoo.cliquenet(36, 12, classes=100), 1_006_644),
        (lambda: zoo.cliquenet(64, 15, classes=100), 4_635_556),
        (lambda: zoo.cliquenet(80, 15, classes=100), 7_123_396),
        (lambda: zoo.cliquenet(80, 18, classes=100), 10_357_444),
        (lambda: zoo.cliquenet(64, 18, classes=100), 6_721_060),
        (lambda: zoo.cliquenet(36, 12, True, classes=100), 1_048_548),
        (lambda: zoo.cliquenet(36, 12, compression=True, classes=100), 1_072_804),
        (lambda: zoo.cliquenet(80, 15, True, compression=True, classes=100), 8_091_108),
        (lambda: zoo.cliquenet(150, 30, True, True, True, classes=100), 10_652_658),
        (lambda: zoo.cliquenet(12, 36, classes=100), 1_115_956),
        (lambda: zoo.cliquenet(24, 18, classes=100), 1_057_300),
        (lambda: zoo.cliquenet(36, 12, dropout=0.0), 935_994),
        (lambda: zoo.mobilenet_v1(1.0, (3, 32, 32), 10, layers=((64, 1), (128, 2))), 13_898),
        (lambda: zoo.nin(padded=True), 966_986),
        (lambda: zoo.pnn_resnet(50, 64, input=(3, 224, 224), classes=1000), 15_508_584),
        (lambda: zoo.pnn_resnet(18, 256, stem=0, form="perturb", first=5), 23_546_122),
        (lambda: zoo.pnn_resnet(18, 64, stem=3), 1_419_722),
        (lambda: zoo.pnn_resnet(18, 256, stem=3), 22_390_538),
        (lambda: zoo.pnn_resnet(18, 64, stem=3, form="conv"), 11_173_962),
        (lambda: zoo.pnn_resnet(18, 128, stem=3, form="conv"), 44_662_922),
    ],
)
def test_the_parameters_of_further_settings(make: Callable[[], Genome], params: int) -> None:
    assert genome.resolve(make()).params == params


def test_masks_of_larger_images() -> None:
    assert genome.resolve(zoo.pnn_resnet(50, 64, input=(3, 224, 224), classes=1000)).fixed == 1_906_688
    assert genome.resolve(zoo.pnn_resnet(18, 64, stem=3)).fixed == 548_864
    later = zoo.pnn_resnet(18, 256, stem=0, form="perturb", first=5)
    assert genome.resolve(later).fixed == 6_127_616


@pytest.mark.parametrize(
    ("name", "millions"),
    [("s0-plain", 2225), ("s1-plain", 2906), ("s2", 3029), ("s3-plain", 4073), ("s3", 4074)],
)
def test_cliquenets_multiply_adds_for_imagenet(name: str, millions: int) -> None:
    assert abs(genome.resolve(zoo.get(f"cliquenet-{name}")).macs / 1e6 - millions) < 1


@pytest.mark.parametrize(
    ("name", "params", "millions", "first", "second"),
    [
        ("branchy-lenet", 67_824, 1.140, 0.220, 1.248),
        ("branchy-alexnet", 544_074, 28.25, 17.34, 21.32),
        ("branchy-resnet-110", 1_737_130, 232.4, 48.6, 127.5),
    ],
)
def test_a_branchynet_without_branches_is_its_baseline(
    name: str, params: int, millions: float, first: float, second: float
) -> None:
    found = zoo.get(name)
    exits = [node.name for node in found.nodes if node.op.word == "exit"]
    trunk = genome.resolve(without(found, *exits[:-1]))
    assert trunk.params == params
    assert trunk.macs / 1e6 == pytest.approx(millions, rel=2e-3)
    answers = [genome.resolve(without(found, *exits[i:])).macs / 1e6 for i in range(1, len(exits))]
    answers.append(genome.resolve(found).macs / 1e6)
    assert answers[:2] == [pytest.approx(first, rel=3e-3), pytest.approx(second, rel=2e-3)]
    assert genome.resolve(found).exits and {e.op.weight for e in found.nodes if e.name in exits} == {1.0}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "resnet50",
        "resnet101",
        "densenet121",
        "densenet161",
        "densenet169",
        "densenet201",
        "alexnet",
    ],
)
def test_torchvisions_networks(name: str) -> None:
    import torch

    with torch.device("meta"):
        theirs = sum(p.numel() for p in get_model(name).parameters())
    family = name.rstrip("0123456789")
    ours = zoo.get(name if family == name else f"{family}-{name.removeprefix(family)}")
    assert genome.resolve(ours).params == theirs


def test_images_of_other_sizes() -> None:
    assert genome.resolve(zoo.pyramidnet(20, 12, input=(1, 28, 28))).depth == 20
    assert genome.resolve(zoo.pyramidnet(26, 12, input=(1, 96, 96))).depth == 26
    assert zoo.pyramidnet(18, 12, input=(3, 96, 96)).name == "pyramidnet-imagenet-18-a12"
    assert genome.resolve(zoo.resnet(20, (1, 28, 28), 7)).depth == 20
    assert genome.resolve(zoo.resnet(18, (3, 32, 32), 10)).depth == 18
    for side in (32, 64, 227):
        assert genome.resolve(zoo.alexnet((3, side, side), 10)).depth == 8
    assert genome.resolve(zoo.lenet((1, 32, 32))).depth == 5
    assert genome.resolve(zoo.fractalnet(3, input=(1, 28, 28))).depth == 21
    assert genome.resolve(zoo.mobilenet_v1(input=(3, 64, 64), classes=10)).macs < 2e8


def test_pool2_of_nin_and_the_last_pool_of_imagenets() -> None:
    kinds = [n.op.kind for n in zoo.nin("cifar10", "avg").nodes if n.op.word == "pool"]  # type: ignore[attr-defined]
    assert kinds == ["max", "avg"]
    drops = [node.name for node in zoo.nin("imagenet").nodes if node.op.word == "dropout"]
    assert drops == ["drop3"]


def test_padded_pools_of_nin_give_maps_of_the_same_size() -> None:
    for variant in ("cifar10", "svhn", "mnist"):
        plain, padded = (zoo.nin(variant, padded=given) for given in (False, True))
        shapes = [[step.info.out for step in genome.resolve(found).steps] for found in (plain, padded)]
        assert shapes[0] == shapes[1]
        assert padded.name == f"{plain.name}-padded"
        assert genome.digest(plain) != genome.digest(padded)


@pytest.mark.parametrize("rate", [0.0, 0.35])
def test_every_convolution_of_a_clique_drops(rate: float) -> None:
    for found in (
        zoo.cliquenet(12, 6, True, compression=True, dropout=rate),
        zoo.cliquenet_imagenet("s0", dropout=rate),
    ):
        whole = genome.expand(found)
        rates = {n.name: n.op.dropout for n in whole.nodes if n.op.word == "conv"}  # type: ignore[attr-defined]
        assert rates.pop("stem") == 0.0, "the stem has none"
        assert set(rates.values()) == {rate}


def test_variants_of_cliquenet_differ_in_what_is_read() -> None:
    both, first, split = (zoo.cliquenet(12, 9, variant=v) for v in ("II+II", "I+I", "I+II"))
    plans = [genome.resolve(g) for g in (both, first, split)]
    # the last block of I+II has no second pass either
    assert plans[1].macs < plans[2].macs < plans[0].macs
    assert [g.name for g in (both, first, split)] == [
        "cliquenet-12-9",
        "cliquenet-12-9-i-i",
        "cliquenet-12-9-i-ii",
    ]
    assert genome.loads(genome.dump(split)) == split


def test_deformable_resnets_have_three_layers_that_deform() -> None:
    found = zoo.deformable_resnet(50)
    deformed = [node for node in found.nodes if node.op.word == "deform"]
    assert [node.name for node in deformed] == ["s4.1/conv2", "s4.2/conv2", "s4.3/conv2"]
    assert [node.op.stride for node in deformed] == [2, 1, 1]  # type: ignore[attr-defined]
    small = zoo.deformable_resnet(18, version=2)
    assert [n.name for n in small.nodes if n.op.word == "deform"] == [
        "s4.1/conv2/taps", "s4.2/conv1", "s4.2/conv2/taps"
    ]  # fmt: skip
    plain = genome.resolve(zoo.resnet(18)).params
    assert genome.resolve(small).params == plain + 3 * 27 * (512 * 9 + 1)


def test_disputed_results_are_labelled() -> None:
    disputed = [name for name in zoo.names() if "disputed" in zoo.entry(name).error]
    assert disputed == [name for name in zoo.names() if name.startswith("pnn-") and "baseline" not in name]
    for name in disputed:
        note = zoo.entry(name).note
        assert note.startswith("disputed")
        assert all(figure in note for figure in ("90.53 -> 85.91", "85.5", "86.2", "91.8", "5.28 M", "90.35"))
    assert "ports did not reach" in zoo.entry("fractalnet-c3").note
    assert "10.02 M" in zoo.entry("cliquenet-150-30-abc").note


def test_every_entry_has_a_source() -> None:
    assert all(zoo.entry(name).source for name in zoo.names())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: zoo.get("resnet-19"),
            r"the zoo has no network 'resnet-19' \(resnet-18\?\); `genome zoo` lists its \d+ networks",
        ),
        (
            lambda: zoo.resnet(21),
            "depth is 21; it may be 18, 34, 50, 101, 152, or 2 more than a multiple of 6",
        ),
        (lambda: zoo.pyramidnet(111, 48), "depth is 111; with basic units it is 2 more than a multiple of 6"),
        (
            lambda: zoo.pyramidnet(111, 48, input=(3, 224, 224)),
            "depth is 111; with bottleneck units it is 2 more than a multiple of 12",
        ),
        (lambda: zoo.pyramidnet(110, 48, block="wide"), "block is 'wide'; it may be basic or bottleneck"),
        (lambda: zoo.nin("stl10"), "variant is 'stl10'; it may be cifar10, cifar100, svhn, mnist, imagenet"),
        (lambda: zoo.nin(pool2="sum"), "pool2 is 'sum'; it may be max or avg"),
        (lambda: zoo.fractalnet(form="caffe"), "form is 'caffe'; it may be official or port"),
        (lambda: zoo.fractalnet(widths=(8, 8)), "dropout has 5 rates for 2 blocks; give one per block"),
        (lambda: zoo.cliquenet(36, 13), "layers is 13; without bottleneck it is a multiple of 3"),
        (
            lambda: zoo.cliquenet(36, 15, bottleneck=True),
            "layers is 15; with bottleneck it is a multiple of 6",
        ),
        (lambda: zoo.cliquenet(36, 12, variant="X"), r"variant is 'X'; it may be I\+I, I\+II, II\+II"),
        (lambda: zoo.cliquenet_imagenet("s4"), "size is 's4'; it may be s0, s1, s2, s3"),
        (lambda: zoo.pnn_resnet(20), "depth is 20; it may be 18, 34, 50, 101, 152"),
        (lambda: zoo.pnn_resnet(form="noise"), "form is 'noise'; it may be original, perturb, conv"),
        (lambda: zoo.pnn_resnet(stem=5), "stem is 5; it may be 7, 3, 0"),
        (lambda: zoo.pnn_resnet(stem=3, first=5), "first is 5 and stem is 3; with first the stem is 0"),
        (
            lambda: zoo.mobilenet_v1(layers=((64, 0),)),
            r"layer 1 is \(64, 0\); it is \(channels, stride\), stride 1..8",
        ),
        (lambda: zoo.cliquenet(36, 12, dropout=1.0), "dropout is 1.0; it may be 0.0..0.95"),
        (lambda: zoo.cliquenet_imagenet("s0", dropout=-0.1), "dropout is -0.1; it may be 0.0..0.95"),
        (lambda: zoo.pnn_resnet(50, form="perturb"), "depth is 50; form perturb has only basic units"),
        (lambda: zoo.active_resnet(18), "depth is 18; for small images it is 2 more than a multiple of 6"),
        (lambda: zoo.deformable_resnet(20), "depth is 20; it may be 18, 34"),
        (lambda: zoo.deformable_resnet(50, 3), "version is 3; it may be 1 or 2"),
        (lambda: zoo.branchy_resnet(111), "depth is 111; for small images it is"),
        (lambda: zoo.lenet((1, 8, 8)), "lenet's last map has 0 rows for this input; it may have 1..31"),
        (lambda: zoo.lenet((1, 28, 32)), "input is 28x32 pixels; lenet takes square images"),
        (lambda: zoo.alexnet((3, 32, 64)), "input is 32x64 pixels; alexnet takes square images"),
        (
            lambda: zoo.alexnet((3, 2048, 2048)),
            "alexnet's last map has 63 rows for this input; it may have 1..31",
        ),
        (
            lambda: zoo.densenet(41),
            "depth is 41; it may be 121, 161, 169, 201, or, without bottleneck, 4 more than",
        ),
    ],
)
def test_what_the_zoo_has_not(make: Callable[[], Genome], said: str) -> None:
    with pytest.raises(genome.GenomeError, match=said):
        make()
