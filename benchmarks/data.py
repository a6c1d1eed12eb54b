"""Images of one's own: the first read, the read from the cache, memory, and trainings on deep images.

- read: JPEG files of six sizes, made here in a temporary folder (one in ten is another picture), become colour images
  of 64x64. One pass of torchvision's ImageFolder through a DataLoader with two workers, which resizes alike, against
  `trainer.load` with an empty cache, then from the cache; both also with draft: true. The files were read by the
  system before, and the runs alternate. Seconds are of the clock, and of the processors, all processes together.
- pixels: how far the pixels of drafts are from those of the whole image, and their processor time, for sides of a
  JPEG decoded at a fraction that are at least 2 (the project's choice) or 3 times those asked for. What one row and
  one column less of the photo change is a measure beside it. --photos names a folder of JPEG files; by default the
  two photos of scikit-learn.
- memory: the peak of the first read and of the read from the cache, of all processes together, shared pages once,
  against the decoded images. --side makes these larger than a limit of interest, such as 1 GiB.
- workers: what four processes hold that have each gone through 12,000 images of 64x64 (141 MiB), with a cache and
  without, less what they hold by their imports.
- deep: bytes of images that `fit` trains on in a second: uint16 with 8 bands against uint8 with 3.

    python benchmarks/data.py [read pixels memory workers deep] [--images 20000] [--rounds 1] [--side 160]
        [--photos FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import sklearn
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

import trainer
from trainer.data import picture
from trainer.data.data import Data, Split
from trainer.data.reading import Reading
from trainer.data.resize import resized

Seconds = tuple[float, float]  # by the clock, and of the processors

SIDE, BATCH, CLASSES, COPIES, WORKERS, REPEATS = 64, 256, 10, 10, 4, 5
SIZES = [(500, 375), (375, 500), (640, 480), (320, 240), (256, 256), (800, 600)]  # width, height
GIB, LOOK_SECONDS = 2**30, 0.2
THEIRS = "ImageFolder, DataLoader, 2 workers"
READ = """
import json, os, sys, time
from trainer import load
folder, cache, side, draft = sys.argv[1:]
began, spent = time.perf_counter(), sum(os.times()[:4])
data = load(folder, size=int(side), cache=cache, draft=draft == "draft")
seconds = time.perf_counter() - began, sum(os.times()[:4]) - spent
print(json.dumps([*seconds, sum(split.x.nbytes for split in (data.train, data.valid, data.test))]))
"""
HELD = """
import sys, time, torch
from trainer import load
from trainer.data.augment import Augment
from trainer.data.batches import Epochs, Normalise
from trainer.hardware.precision import Form
if sys.argv[1]:
    data = load(sys.argv[1], cache=sys.argv[2] or None)
    normalise = Normalise(data, torch.device("cpu"), Form("fp32", "channels_last"))
    for batch in Epochs(data.train, normalise, Augment(padding=4, flip=True), 128, seed=0).epoch(0):
        batch.x.mean()
print("ready", flush=True)
time.sleep(600)
"""
BARE = "import time, torch, trainer.data.data; time.sleep(1)"


def made(folder: Path, images: int) -> Path:
    """Write files as photos have them, smooth shapes with noise, in a folder for each class."""
    stream = np.random.default_rng(0)
    for number in range(0, images, COPIES):
        sides = SIZES[number // COPIES % len(SIZES)]
        small = Image.fromarray(stream.integers(0, 256, (6, 8, 3), np.uint8))
        shapes = np.asarray(small.resize(sides, Image.Resampling.BICUBIC), np.int16)
        noise = stream.integers(-12, 13, shapes.shape, np.int16)
        photo = Image.fromarray((shapes + noise).clip(0, 255).astype(np.uint8))
        for copy in range(number, min(number + COPIES, images)):
            place = folder / f"class{copy % CLASSES}" / f"{copy}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            photo.save(place, quality=85)
    return folder


def theirs(folder: Path) -> Seconds:
    """Return the seconds of one pass."""
    began, spent = time.perf_counter(), sum(os.times()[:4])
    resize = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor()])
    pictures = datasets.ImageFolder(str(folder), resize)
    count = sum(len(y) for _, y in DataLoader(pictures, BATCH, num_workers=2))
    assert count == len(pictures)
    return time.perf_counter() - began, sum(os.times()[:4]) - spent


def process(folder: Path, cache: Path, side: int, word: str, told: Path) -> subprocess.Popen[bytes]:
    """Start a read in a process of its own."""
    with told.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-c", READ, str(folder), str(cache), str(side), word], stdout=out
        )


def ours(folder: Path, word: str) -> Iterator[Seconds]:
    """Yield the seconds of the first read and of the read from the cache."""
    cache, told = folder.parent / "cache", folder.parent / "told"
    for _ in range(2):
        assert process(folder, cache, SIDE, word, told).wait() == 0
        clock, processors, _ = json.loads(told.read_bytes())
        yield clock, processors
    shutil.rmtree(cache)


def peak_of(started: subprocess.Popen[bytes]) -> int:
    """Wait for a process; return the most bytes that it and its children held together."""
    most, root = 0, psutil.Process(started.pid)
    while started.poll() is None:
        with suppress(psutil.Error):  # one has just ended
            held = sum(one.memory_full_info().pss for one in (root, *root.children(recursive=True)))
            most = max(most, held)
        time.sleep(LOOK_SECONDS)
    assert started.returncode == 0
    return most


def read(folder: Path, rounds: int) -> None:
    """Print the seconds of the reads."""
    seconds: dict[str, list[Seconds]] = {}
    for _ in range(rounds):
        seconds.setdefault(THEIRS, []).append(theirs(folder))
        for word, name in (("exact", "ours"), ("draft", "ours, draft: true")):
            for when, taken in zip(("first", "from the cache"), ours(folder, word), strict=True):
                seconds.setdefault(f"{name}, {when}", []).append(taken)
    for kind, clock in enumerate(("by the clock", "of processors")):
        base = statistics.median(one[kind] for one in seconds[THEIRS])
        for name, found in seconds.items():
            median = statistics.median(one[kind] for one in found)
            each = ", ".join(f"{one[kind]:.2f}" for one in found)
            print(f"{name:34}{median:>9.2f} s {clock}  {base / median:>6.2f} times as fast   ({each})")


def small(file: Path, side: int, draft: bool) -> tuple[npt.NDArray[np.int16], float]:
    """Return a photo as it is read, and the processor seconds that this takes."""
    began = time.process_time()
    for _ in range(REPEATS):
        read = picture.read_picture(file, (side, side), "RGB", Reading(draft=draft))
    return read.astype(np.int16), (time.process_time() - began) / REPEATS


def cropped(file: Path, side: int) -> float:
    """Return how far a photo is, in the mean of 255, from the same without its first row and column."""
    with Image.open(file) as opened:
        whole = opened.convert("RGB")
    both = (whole, whole.crop((1, 1, *whole.size)))
    one, other = (np.asarray(resized(each, (side, side)), np.int16) for each in both)
    return float(np.abs(one - other).mean())


def drafts(photos: Path) -> None:
    """Print how far drafts are from the whole image."""
    files = sorted(one for one in photos.rglob("*") if one.suffix.lower() in (".jpg", ".jpeg"))
    for side in (32, 64, 128):
        moved = statistics.mean(cropped(file, side) for file in files)
        print(
            f"{side:>4}x{side:<4} without the first row and column of a photo: {moved:.2f} of 255 in the mean"
        )
        for picture.GAP in (2, 3):
            far, seconds = [], []
            for file in files:
                (whole, slow), (drafted, fast) = small(file, side, False), small(file, side, True)
                with Image.open(file) as opened:
                    if min(opened.size) >= 2 * picture.GAP * side:
                        far.append(np.abs(whole - drafted))
                seconds.append((slow, fast))
            if not far:
                continue
            means, largest = [float(one.mean()) for one in far], max(int(one.max()) for one in far)
            ratio = sum(slow for slow, _ in seconds) / sum(fast for _, fast in seconds)
            print(
                f"{side:>4}x{side:<4} at least {picture.GAP} times: {len(far):>3} of {len(files)} photos are drafts, "
                f"{statistics.mean(means):.2f} of 255 in the mean, {max(means):.2f} at most of a photo, "
                f"{largest} of a pixel; all photos {ratio:.2f} times as fast"
            )


def memory(folder: Path, side: int) -> None:
    """Print the peak memory of the reads."""
    cache, told = folder.parent / "cache", folder.parent / "told"
    imports = peak_of(subprocess.Popen([sys.executable, "-c", BARE]))
    for when in ("first", "from the cache"):
        peak = peak_of(process(folder, cache, side, "exact", told))
        size = json.loads(told.read_bytes())[-1]
        print(
            f"{when:16}{side}x{side}: {size / GIB:.2f} GiB decoded, peak {peak / GIB:.2f} GiB, of which the imports "
            f"are {imports / GIB:.2f}; {peak / size:.2f} of the decoded set, {(peak - imports) / size:.2f} without them"
        )
    shutil.rmtree(cache)


def held(file: str, cache: str) -> int:
    """Return the bytes that four processes hold together when each has gone through the images once."""
    command = [sys.executable, "-c", HELD, file, cache]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(WORKERS)]
    try:
        for one in started:
            assert one.stdout is not None and one.stdout.readline() == b"ready\n"
        return sum(int(psutil.Process(one.pid).memory_full_info().pss) for one in started)
    finally:
        for one in started:
            one.kill()
            one.communicate()


def workers(folder: Path) -> None:
    """Print the memory of processes that train on the same images."""
    x = np.random.default_rng(0).integers(0, 256, (12_000, 64, 64, 3), np.uint8)
    np.savez(folder / "images.npz", train_x=x, train_y=np.arange(len(x)) % CLASSES)
    file, imports = str(folder / "images.npz"), held("", "")
    trainer.load(file, cache=folder / "cache")
    for name, cache in (("in memory", ""), ("mapped from the cache", str(folder / "cache"))):
        more = held(file, cache) - imports
        print(f"{name:24}{more / 2**20:>7.0f} MiB for {WORKERS} workers, {more / x.nbytes:.2f} of the images")


def drawn(channels: int, kind: torch.dtype) -> Data:
    """Return random images of 32x32 as a data set."""
    stream = torch.Generator().manual_seed(0)
    x = torch.randint(torch.iinfo(kind).max + 1, (6_000, channels, 32, 32), generator=stream).to(kind)
    split, few = Split(x, torch.arange(len(x)) % CLASSES), Split(x[:CLASSES], torch.arange(CLASSES))
    names, half = tuple(map(str, range(CLASSES))), (0.5,) * channels
    return Data("random", (channels, 32, 32), names, split, few, few, half, half, mirror=True)


def network(channels: int) -> nn.Module:
    """Return a network so small that the images are most of the work."""
    convolution = nn.Conv2d(channels, 8, 3, stride=4, padding=1)
    return nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))


def deep(rounds: int) -> None:
    """Print the bytes that `fit` trains on in a second."""
    recipe = trainer.Recipe(
        epochs=3, batch=128, flip=True, crop=2, cutout=8, precision="fp32", layout="channels_last"
    )
    sets = {"uint8, 3 bands": drawn(3, torch.uint8), "uint16, 8 bands": drawn(8, torch.uint16)}
    speeds: dict[str, list[float]] = {name: [] for name in sets}
    for turn in range(rounds + 1):
        for name, data in sets.items():
            began = time.perf_counter()
            trainer.fit(network(data.input[0]), data, recipe=recipe)
            taken = time.perf_counter() - began
            if turn:  # the first is the warm-up
                speeds[name].append(recipe.epochs * data.train.x.nbytes / taken)
    base = statistics.median(speeds["uint8, 3 bands"])
    for name, found in speeds.items():
        median = statistics.median(found)
        images = median / sets[name].train.x[0].nbytes
        print(f"{name:18}{median / 1e6:>8.1f} MB/s{images:>10,.0f} images/s   {median / base:.2f} by bytes")


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=["read", "pixels", "memory", "workers", "deep"])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--side", type=int, default=160, help="of the images of the part memory")
    parser.add_argument("--photos", type=Path, default=Path(sklearn.__file__).parent / "datasets" / "images")
    given = parser.parse_args()
    if {"read", "memory"} & set(given.parts):
        with tempfile.TemporaryDirectory() as parent:
            folder = made(Path(parent, "photos"), given.images)
            if "read" in given.parts:
                read(folder, given.rounds)
            if "memory" in given.parts:
                memory(folder, given.side)
    if "pixels" in given.parts:
        drafts(given.photos)
    if "workers" in given.parts:
        with tempfile.TemporaryDirectory() as parent:
            workers(Path(parent))
    if "deep" in given.parts:
        deep(max(given.rounds, 3))


if __name__ == "__main__":
    main()
