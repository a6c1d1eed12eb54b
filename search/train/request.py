"""What a person asks for with `genome train`, checked: which network, data, recipe and folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genome
from genome import Genome, GenomeError
from genome.op import Shape
from search.config.dataset import Dataset
from search.errors import StudyError
from search.results.refs import genome_of, open_study, split_trial
from search.train.train import Training

if TYPE_CHECKING:
    from trainer import Data, Recipe


def order(
    ref: str,
    data: str | None,
    epochs: int | None,
    seeds: int,
    settings: Sequence[str],
    to: Path | None,
    device: str,
    size: int | None,
    runs: Path,
    data_root: str | None,
) -> Training:
    """Return the training that was asked for.

    Of STUDY#TRIAL, data and recipe are the study's unless given. Raises StudyError, genome.SourceError,
    GenomeError, trainer.DataError or trainer.RecipeError, each one sentence.
    """
    import torch

    network = genome_of(ref, runs)
    study = _study(ref, runs, data_root)
    if data is None and study is None:
        raise StudyError(f"{ref} says nothing of data; add `--data NAME`, such as --data digits")
    dataset = study.data if study and data is None else Dataset(str(data), data_root, size)
    images = dataset.found(None).load()
    begun = study.recipe if study else None
    return Training(
        network=_fitted(network, images),
        data=images,
        recipe=_recipe(begun, epochs, settings),
        seeds=tuple(range(seeds)),
        folder=to or runs / "train" / f"{_short(ref)}-{Path(images.name).stem}",
        device=_device(device),
        threads=torch.get_num_threads(),
    )


def _fitted(network: Genome, data: Data) -> Genome:
    """The genome for the data's images and classes, after a look whether it can be built for them."""
    shape, classes = Shape(*data.input), len(data.classes)
    if (network.input, network.classes) == (shape, classes):
        return network
    fitted = replace(network, input=shape, classes=classes)
    try:
        genome.resolve(fitted)
    except GenomeError as error:
        made = f"{network.name} is made for images of {network.input}"
        raise StudyError(f"{made} and does not fit those of {data.name}, {shape}: {error}") from None
    return fitted


def _short(ref: str) -> str:
    """What a REF may be called as a folder."""
    return Path(ref.removeprefix("zoo:").replace("#", "-")).name.removesuffix(".yaml")


def _study(ref: str, runs: Path, data_root: str | None) -> Any:
    if ref.startswith("zoo:") or "#" not in ref or Path(ref).exists():
        return None
    return open_study(split_trial(ref)[0], runs, data_root).config


def _recipe(begun: Recipe | None, epochs: int | None, settings: Sequence[str]) -> Recipe:
    """The study's recipe, or the default one, with what was given; its seed is set for each training."""
    from trainer import Recipe

    given = dict(_setting(text) for text in settings)
    if "seed" in given:
        raise StudyError("--set seed: every seed from 0 on is trained; say how many with --seeds")
    if epochs is not None:
        given["epochs"] = epochs
    known = begun.to_dict() if begun else {}
    if "optimizer" in given and given["optimizer"] != known.get("optimizer"):
        for key in ("lr", "weight_decay"):  # those of the other optimizer would not do
            known.pop(key, None)
    return replace(Recipe.parse({**known, **given}), seed=0)


def _setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value as YAML reads it: a number, true, null or a word."""
    from genome.source import parse

    key, mark, value = text.partition("=")
    if not mark or not key or not value.strip():
        raise StudyError(f"--set {text}: write KEY=VALUE, such as --set lr=0.2")
    return key.strip(), parse(f"value: {value}", f"--set {key}").value["value"]


def _device(name: str) -> str:
    """The device; auto is the first GPU where there is one."""
    from trainer import DeviceError, device_of

    try:
        return str(device_of(name)) if name != "auto" else _best_device()
    except DeviceError as error:
        raise StudyError(str(error)) from None


def _best_device() -> str:
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"
