"""Input pipeline: images a second of ours, resident on the device, against torch's DataLoader with torchvision.

Both give batches of 128 normalised float32 images of 3x32x32, randomly cropped (padding 4) and flipped. The
pixels are random, because no step of either depends on them. Runs alternate, so that a busy machine slows both alike.

    python benchmarks/input_pipeline.py [--device cuda] [--images 10000] [--rounds 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from trainer.data.augment import Augment
from trainer.data.batches import Batch, Epochs, Normalise
from trainer.data.data import Data, Split
from trainer.hardware.devices import device_of
from trainer.hardware.meter import synchronize

BATCH = 128
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Pictures(Dataset[Batch]):
    """The same images as a data set of torchvision gives them: one Pillow image at a time, then transformed."""

    def __init__(self, split: Split) -> None:
        to_picture = transforms.ToPILImage()
        self._pictures = [to_picture(x) for x in split.x]
        self._labels = split.y.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Batch:
        return self._transform(self._pictures[index]), self._labels[index]


def images_per_second(batches: Iterable[Batch], device: torch.device) -> float:
    """Run one epoch and bring every batch to the device, as a training does; return images a second."""
    start, images = time.perf_counter(), 0
    for x, _ in batches:
        images += len(x.to(device, non_blocking=True))
    synchronize(device)
    return images / (time.perf_counter() - start)


def pipelines(images: int, device: torch.device) -> dict[str, Callable[[], Iterable[Batch]]]:
    """Return name -> function that gives the batches of an epoch."""
    stream = torch.Generator().manual_seed(0)
    x = torch.randint(256, (images, 3, 32, 32), generator=stream, dtype=torch.uint8)
    split = Split(x, torch.arange(images) % 10)
    classes = tuple(str(label) for label in range(10))
    data = Data("random", (3, 32, 32), classes, split, split, split, MEAN, STD, True).to(device)
    normalise = Normalise(data, device, torch.channels_last)
    ours = Epochs(data.train, normalise, Augment(padding=4, flip=True), BATCH, seed=0)
    pictures = Pictures(split)

    def loader(workers: int) -> DataLoader[Batch]:
        pin = device.type == "cuda"
        return DataLoader(pictures, BATCH, shuffle=True, num_workers=workers, pin_memory=pin)

    return {
        "ours, resident": lambda: ours,
        "DataLoader, 0 workers": lambda: loader(0),
        "DataLoader, 2 workers": lambda: loader(2),
    }


def main() -> None:
    """Print the median of each pipeline and how many times faster ours is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    device = device_of(given.device)
    made = pipelines(given.images, device)
    speeds: dict[str, list[float]] = {name: [] for name in made}
    for round_number in range(given.rounds + 1):
        for name, epoch in made.items():
            speed = images_per_second(epoch(), device)
            if round_number > 0:  # the first round is the warm-up
                speeds[name].append(speed)
    ours = statistics.median(speeds["ours, resident"])
    print(f"{given.images:,} images of 3x32x32, batch {BATCH}, {device}, {torch.get_num_threads()} threads")
    for name, seen in speeds.items():
        median = statistics.median(seen)
        spread = f"{min(seen):,.0f}..{max(seen):,.0f}"
        print(f"{name:24}{median:>12,.0f} images/s  ({spread})   ours is {ours / median:.1f} times as fast")


if __name__ == "__main__":
    main()
