"""The checked request of `genome train`: network, data, recipe, seeds and output folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genome
from genome import Genome
from genome.op import Shape
from search import formatting
from search.config.dataset import Dataset
from search.errors import StudyError
from search.results.refs import fitted, named, open_study, split_trial

if TYPE_CHECKING:
    from trainer import Data, Recipe
    from trainer.data.reading import Reading

TRAINING_FILE = "training.json"  # identity of the training; another training is refused in the same folder


@dataclass(frozen=True)
class TrainOptions:
    """The options of `genome train`."""

    ref: str  # a YAML file, zoo:NAME or STUDY#TRIAL
    data: str | None  # data set; None for that of the study
    epochs: int | None  # None for those of the recipe
    seeds: int  # number of trainings, with the seeds 0, 1, 2 ..
    settings: tuple[str, ...]  # other keys of the recipe, as KEY=VALUE
    to: Path | None  # output folder; None for runs/train/NAME-DATA
    device: str
    reading: Reading  # how own images are read
    runs: Path  # folder of studies
    data_root: str | None  # folder of the named data sets


@dataclass(frozen=True)
class TrainRequest:
    """A genome to be trained once for each seed."""

    network: Genome  # fitted to the data
    data: Data
    recipe: Recipe  # its seed is set for each training
    seeds: tuple[int, ...]
    folder: Path  # of all outputs
    device: str
    threads: int  # of the CPU

    def identity(self) -> dict[str, Any]:
        """Return the values that tell this training from another one; more seeds may be added later."""
        recipe = _identity(self.recipe)
        return {"genome": genome.dump(self.network), "data": self.data.digest(), "recipe": recipe}

    def opening(self) -> str:
        """Return a line that describes the network, the data and the device."""
        plan, data = genome.resolve(self.network), self.data
        where = f"{self.device}, {self.threads} threads" if self.device == "cpu" else self.device
        return (
            f"{self.network.name} ({plan.params:,} params, {formatting.short(plan.macs)} macs) on {data.name}, "
            f"{len(data.train):,} train and {len(data.valid):,} valid images of {Shape(*data.input)}, "
            f"{self.recipe.epochs} epochs, {where}"
        )

    def seed_folder(self, seed: int) -> Path:
        return self.folder / f"seed-{seed}"


def read_request(options: TrainOptions) -> TrainRequest:
    """Return the training that the options ask for.

    Data and recipe of STUDY#TRIAL are those of the trial unless the options give others. Raises StudyError,
    genome.SourceError, GenomeError, trainer.DataError or trainer.RecipeError, each with one sentence.
    """
    import torch

    ref, runs = options.ref, options.runs
    found = named(ref, runs)
    study = _study(ref, runs, options.data_root)
    if options.data is None and study is None:
        raise StudyError(f"{ref} has no default data set; add `--data NAME`, such as --data digits")
    own = Dataset(str(options.data), options.data_root, options.reading)
    dataset = study.data if study and options.data is None else own
    images = dataset.found(None).load()
    folder = options.to or runs / "train" / f"{_short(ref)}-{Path(images.name).stem}"
    return TrainRequest(
        network=fitted(found.genome, images),
        data=images,
        recipe=_recipe(found.recipe, options.epochs, options.settings, folder),
        seeds=tuple(range(options.seeds)),
        folder=folder,
        device=_device(options.device),
        threads=torch.get_num_threads(),
    )


def _short(ref: str) -> str:
    """The part of the output folder's name that stands for a REF."""
    return Path(ref.removeprefix("zoo:").replace("#", "-")).name.removesuffix(".yaml")


def _study(ref: str, runs: Path, data_root: str | None) -> Any:
    if ref.startswith("zoo:") or "#" not in ref or Path(ref).exists():
        return None
    return open_study(split_trial(ref)[0], runs, data_root).config


def _recipe(base: Recipe | None, epochs: int | None, settings: Sequence[str], folder: Path) -> Recipe:
    """The recipe of the trial, or the default recipe, with the changes of the options.

    A folder that was begun with the defaults of version 0.1.0 keeps them.
    """
    from trainer import Recipe

    given = dict(_setting(text) for text in settings)
    if "seed" in given:
        raise StudyError("--set seed: the seeds are 0, 1, 2 ..; give their count with --seeds")
    if epochs is not None:
        given["epochs"] = epochs
    known = base.to_dict() if base else {}
    if "optimizer" in given and given["optimizer"] != known.get("optimizer"):
        # the values for the trial's optimizer do not suit another optimizer
        for key in ("lr", "weight_decay"):
            known.pop(key, None)
    values = {**known, **given}
    now, earlier = Recipe.parse(values), Recipe.parse_earlier(values)
    return replace(earlier if _begun(folder) == _identity(earlier) else now, seed=0)


def _identity(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in recipe.identity().items() if key != "seed"}


def _begun(folder: Path) -> Any:
    """The recipe that a training was begun with in the folder; None where there is none, or none can be read."""
    try:
        return json.loads((folder / TRAINING_FILE).read_bytes()).get("recipe")
    except (OSError, ValueError, AttributeError):
        return None


def _setting(text: str) -> tuple[str, Any]:
    """The key and the value of KEY=VALUE; YAML reads the value: a number, true, null or a word."""
    from genome.yaml.source import parse

    key, mark, value = text.partition("=")
    if not mark or not key or not value.strip():
        raise StudyError(f"--set {text}: write KEY=VALUE, such as --set lr=0.2")
    return key.strip(), parse(f"value: {value}", f"--set {key}").value["value"]


def _device(name: str) -> str:
    """The device of this name; auto is the first GPU, or the CPU where there is none."""
    from trainer import DeviceError, device_of

    try:
        return str(device_of(name)) if name != "auto" else _best_device()
    except DeviceError as error:
        raise StudyError(str(error)) from None


def _best_device() -> str:
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"
