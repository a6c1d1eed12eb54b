"""What an exported network says of pictures, read as the pictures that it was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from search.errors import StudyError
from search.results.exported import load_export

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainer.data.reading import Reading

BATCH = 64  # pictures that run together
COLOURS = {1: "L", 3: "RGB"}  # modes of Pillow, by the channels of a network


class Prediction(NamedTuple):
    """The classes, or the labels, of one picture."""

    picture: str
    # with its probability, the most likely first
    classes: tuple[tuple[str, float], ...]
    # the labels whose probability is above 1/2; None where a picture has one class
    labels: tuple[str, ...] | None = None

    def text(self) -> str:
        """Return it as one line, without characters that a terminal would act on."""
        classes = ", ".join(f"{name} {score:.1%}" for name, score in self.classes)
        if self.labels is not None:
            classes = f"{', '.join(self.labels) or 'no label'} ({classes})"
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in f"{self.picture}: {classes}")

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        best, probability = self.classes[0]
        if self.labels is not None:
            top = [list(one) for one in self.classes]
            return {"picture": self.picture, "labels": list(self.labels), "top": top}
        return {
            "picture": self.picture,
            "class": best,
            "probability": probability,
            "top": [list(one) for one in self.classes],
        }


class Unread(NamedTuple):
    """A picture that cannot be read, and why."""

    picture: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"picture": self.picture, "error": self.why}


def pictures_in(paths: Iterable[Path]) -> list[Path]:
    """Return the pictures that are named, those of a folder in the order of their names.

    Raises:
        StudyError: a path that does not exist, or a folder without pictures.
    """
    from trainer.data.picture import SUFFIXES

    found = list[Path]()
    for path in paths:
        if path.is_dir():
            inside = sorted(
                one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and one.is_file()
            )
            if not inside:
                raise StudyError(f"{path} has no picture; it may hold {', '.join(sorted(SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise StudyError(f"{path} does not exist; name pictures, or folders of them")
    return found


def predictions(export: Path, pictures: Sequence[Path], top: int = 5) -> Iterator[Prediction | Unread]:
    """Yield what an exported network says of each picture, by its last exit, or by the one at which it stops early.

    Raises:
        StudyError: a folder that is no export, or a network that takes no pictures.
    """
    import torch

    from trainer.data.reading import Reading

    module, info = load_export(export)
    channels, height, width = info["input"]
    if channels not in COLOURS:
        raise StudyError(f"the network of {export} takes images of {channels} channels; pictures have 1 or 3")
    reading, several = Reading.parse(info.get("reading", {})), info.get("multilabel") is True
    mean, std = (torch.tensor(info[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    for start in range(0, len(pictures), BATCH):
        read = [_read(one, channels, (height, width), reading) for one in pictures[start : start + BATCH]]
        batch = [one for one in read if not isinstance(one, Unread)]
        scores = iter(())
        if batch:
            with torch.inference_mode():
                x = (torch.stack(batch) - mean) / std
                scores = iter(_probabilities(module, x, several).tolist())
        for path, one in zip(pictures[start : start + BATCH], read, strict=True):
            yield (
                one
                if isinstance(one, Unread)
                else _best(str(path), next(scores), info["classes"], top, several)
            )


def _probabilities(module: nn.Module, x: Tensor, several: bool) -> Tensor:
    """Return the probabilities of an image's exit, with its temperature where the network stops early. (B, classes)

    several: whether an image may have several labels, each of which has a probability of its own.
    """
    import torch

    found = module(x)
    logits, temperatures = found[-1], getattr(getattr(module, "rule", None), "temperatures", ())
    if temperatures:
        logits = logits / torch.tensor(temperatures)[found.exits].unsqueeze(1)
    made: Tensor = logits.sigmoid() if several else logits.softmax(1)
    return made


def _best(
    picture: str, scores: Sequence[float], classes: Sequence[str], top: int, several: bool
) -> Prediction | Unread:
    if not all(map(math.isfinite, scores)):
        return Unread(picture, f"the network's answer to {picture} is not a number")
    ranked = sorted(zip(classes, scores, strict=True), key=lambda pair: -pair[1])
    labels = tuple(name for name, score in ranked if score > 0.5) if several else None
    return Prediction(picture, tuple(ranked[:top]), labels)


def _read(path: Path, channels: int, size: tuple[int, int], reading: Reading) -> Tensor | Unread:
    """Return a picture (C, H, W) of 0..1, in the colours and the size of the network."""
    import torch

    from trainer import DataError
    from trainer.data.picture import read_picture
    from trainer.data.raw import white_of
    from trainer.errors import OpenQuestion

    try:
        pixels = read_picture(path, size, COLOURS[channels], reading)
    except OpenQuestion as question:
        return Unread(
            str(path), f"{question.found}, other than the images of the training; save it as these were"
        )
    except DataError as error:
        return Unread(str(path), str(error))
    x = torch.from_numpy(pixels.copy()) / white_of(pixels.dtype)
    return x.permute(2, 0, 1) if x.dim() == 3 else x.unsqueeze(0)
