"""A network that a search found, in a LightningModule that trains it on. It needs lightning and Pillow, and no Genome:

    python examples/lightning_module.py EXPORT IMAGES TUNED.safetensors

EXPORT is a folder that `genome export` wrote, IMAGES a folder with one subfolder of pictures for each of its classes.
The tuned tensors are those of model.py: `load("TUNED.safetensors")` of that file reads them.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import lightning
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, Dataset

EPOCHS, BATCH, LR = 3, 16, 0.005


class Tuned(lightning.LightningModule):
    """A trained network, and how it is trained on. (B, C, H, W) -> (B, classes)"""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return logits[-1] if isinstance(logits, tuple) else logits  # the last of several exits

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        x, y = batch
        logits = self(x)
        self.log("accuracy", (logits.argmax(1) == y).float().mean(), on_epoch=True, on_step=False)
        return F.cross_entropy(logits, y)

    def configure_optimizers(self) -> Optimizer:
        return SGD(self.parameters(), LR, momentum=0.9, nesterov=True)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures in one folder for each class, as the network reads them."""

    def __init__(self, folder: Path, model: ModuleType) -> None:
        self.model = model
        self.files = [
            (file, label)
            for label, name in enumerate(model.CLASSES)
            for file in sorted((folder / name).iterdir())
        ]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> tuple[Tensor, int]:
        file, label = self.files[at]
        return self.model.pixels(file)[0], label


def plain(folder: Path) -> ModuleType:
    """Import model.py of an export."""
    spec = spec_from_file_location("found_network", folder / "model.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    export, images, to = map(Path, sys.argv[1:])
    lightning.seed_everything(0, verbose=False)
    model = plain(export)
    tuned = Tuned(model.load())
    loader = DataLoader(Pictures(images, model), BATCH, shuffle=True)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    tuned.train()
    trainer.fit(tuned, loader)
    save_file(tuned.network.state_dict(), to)
    print(
        f"accuracy in the last epoch {float(trainer.callback_metrics['accuracy']):.3f}; {to} has the tensors"
    )


if __name__ == "__main__":
    main()
