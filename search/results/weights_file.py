"""A network whose weights a person brings as a safetensors file, as it is exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import genome
from genome import Genome
from search.config.dataset import Dataset
from search.errors import StudyError
from search.results.export import Images
from search.results.exported import load_weights
from search.results.model_file import TENSORS_FILE
from search.results.packing import Trained
from search.results.refs import fitted
from search.storage.data_facts import DataFacts
from trainer import files
from trainer.data.reading import Reading

if TYPE_CHECKING:
    from torch import nn

MEND = "name the weights of this genome, such as the weights.safetensors of its export"


def with_weights(network: Genome, file: Path, images: Images | None) -> Trained:
    """Return a network with the weights of a file, to be exported.

    images: those that it was trained on, for their classes and their normalisation; without any, classes are numbered
    and pixels stay as they are.

    Raises:
        StudyError: a file that cannot be read, is no safetensors file, or has other tensors than the network; numbers
            that are not finite; a genome that does not fit the images.
    """
    import safetensors.torch

    stored = _read(file)
    if images and images.data:
        network = fitted(network, images.data)
    module = genome.build(network)
    load_weights(module, stored, file, MEND + _hint(file))
    _check_finite(module, file)
    about: dict[str, Any] = {"weights": {"file": file.name, "sha256": files.sha256(stored)}}
    if images is None:
        about["images_unknown"] = True
    return Trained(
        name=network.name,
        text=genome.dump(network),
        # clones, because the passes of a loop share their tensors, which safetensors refuses
        weights=safetensors.torch.save({name: one.clone() for name, one in module.state_dict().items()}),
        facts=images.facts if images else _numbered(network),
        data=images.data if images else None,
        about=about,
        training=None,
    )


def given_images(name: str, root: str | None, reading: Reading) -> Images:
    """Return the images of a data set, or own images. Raises trainer.DataError."""
    data = Dataset(name, root, reading).found(None).load()
    return Images(DataFacts.of(data), data)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StudyError(
            f"--weights {str(file)!r} cannot be read ({error.strerror}); it may be best, search, finale or a "
            "safetensors file"
        ) from None


def _hint(file: Path) -> str:
    return f"; {TENSORS_FILE} belongs to model.py" if file.name == TENSORS_FILE else ""


def _check_finite(module: nn.Module, file: Path) -> None:
    import torch

    for name, tensor in module.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise StudyError(f"{file} has numbers that are not finite in {name}; export weights that are")


def _numbered(network: Genome) -> DataFacts:
    """Return what stands for unknown images: numbered classes, and pixels that are not normalised."""
    channels, height, width = network.input
    classes = tuple(map(str, range(network.classes)))
    return DataFacts("", "", (channels, height, width), classes, (0.0,) * channels, (1.0,) * channels, {})
