"""What this machine can train: a short probe, whose results are kept for later calls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import psutil

import genome
from genome.zoo.resnet import resnet
from trainer.hardware.cache import machine, recall, remember
from trainer.system.cpu import usable_cores

if TYPE_CHECKING:
    import torch

    from genome import Plan

VERSION = 1  # of the probe; a new number makes every machine be probed again
DEPTH = 8  # of the ResNet that is trained
PIXELS = 1 << 16  # of a batch of the probe
BATCHES = (8, 64)  # fewest and most images of a batch
FEWEST_IMAGES = 2
LARGEST_SIDE = 64  # pixels: networks for larger images halve them twice in the stem
SECONDS = 0.5  # of each measurement
# how much longer a drawn network takes than the model below says, whose rate is that of plain convolutions: the median
# of 16 networks drawn from the preset `stages` was 0.8, 1.7 and 1.8 for images of 8, 28 and 32 pixels
SLOWER = 1.5


class Device(NamedTuple):
    """The device of a study, and the speed with which one worker trains on it."""

    name: str  # cpu or cuda
    cores: int
    workers: int  # networks that share the device
    memory_bytes: int
    images_per_second: float  # of a ResNet-8, trained by one worker
    macs: int  # multiply-adds of that ResNet-8, for one image
    layer_seconds: float  # of a step, for each layer, however small the batch
    mac_seconds: float  # of a step, for each multiply-add of each image
    layer_latency: float  # seconds of a forward pass of one image, for each layer

    def training_seconds(self, plan: Plan, images: int, epochs: int, batch: int) -> float:
        """Return about how many seconds a worker takes to train a network."""
        steps = math.ceil(images / batch) * epochs
        return SLOWER * steps * (self.layer_seconds * len(plan.steps) + self.mac_seconds * plan.macs * batch)

    def latency(self, plan: Plan) -> float:
        """Return about how many seconds a forward pass of one image takes; a third of a step is its forward pass."""
        return self.layer_latency * len(plan.steps) + SLOWER * self.mac_seconds / 3 * plan.macs


class Measured(NamedTuple):
    """The seconds of a small ResNet."""

    small_step: float  # a step of training with two images, as few as a norm takes
    step: float  # with a whole batch
    latency: float  # a forward pass of one image


def probe(input_shape: tuple[int, int, int], classes: int) -> Device:
    """Measure this machine for about two seconds, the first time for images of a shape; later calls recall it."""
    import torch

    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    channels, height, width = (input_shape[0], *(min(side, LARGEST_SIDE) for side in input_shape[1:]))
    plan = genome.resolve(resnet(DEPTH, (channels, height, width), classes))
    batch = min(max(PIXELS // (height * width), BATCHES[0]), BATCHES[1])
    found = _recalled(place, plan, batch)
    layers = len(plan.steps)
    more = batch - FEWEST_IMAGES
    per_mac = max(found.step - found.small_step, 0.1 * found.step) / (more * plan.macs)
    per_layer = max(found.latency - per_mac * plan.macs / 3, 0.2 * found.latency) / layers
    return Device(
        name=place.type,
        cores=usable_cores(),
        workers=usable_cores() if place.type == "cpu" else 1,
        memory_bytes=_memory(place),
        images_per_second=_rounded(batch / found.step),
        macs=plan.macs,
        layer_seconds=_rounded(found.small_step / layers),
        mac_seconds=_rounded(per_mac),
        layer_latency=_rounded(per_layer),
    )


def _recalled(place: torch.device, plan: Plan, batch: int) -> Measured:
    """Return what an earlier process measured, or measure it: with one thread on the CPU, as in a worker."""
    import torch

    threads = torch.get_num_threads()
    if place.type == "cpu":
        torch.set_num_threads(1)
    try:
        key = f"init {VERSION}, {plan.genome.input}, {plan.genome.classes}, {machine(place)}"
        known = recall(key)
        if not isinstance(known, list) or len(known) != len(Measured._fields):
            known = list(_measured(place, plan, batch))
            remember(key, known)
        return Measured(*known)
    finally:
        torch.set_num_threads(threads)


def _measured(place: torch.device, plan: Plan, batch: int) -> Measured:
    from trainer.hardware.latency import latency
    from trainer.hardware.step_seconds import step_seconds

    image, classes = plan.genome.input, plan.genome.classes
    shape = (image.channels, image.height, image.width)
    module = genome.build(plan, seed=0)
    return Measured(
        small_step=step_seconds(module, shape, classes, FEWEST_IMAGES, place, SECONDS),
        step=step_seconds(module, shape, classes, batch, place, SECONDS),
        latency=latency(module, shape, place),
    )


def _memory(place: torch.device) -> int:
    """Return the bytes of the device, or of the host for the CPU."""
    import torch

    if place.type == "cpu":
        return int(psutil.virtual_memory().total)
    return int(torch.cuda.get_device_properties(place).total_memory)


def _rounded(value: float) -> float:
    """Round to two digits."""
    return float(f"{value:.2g}")
