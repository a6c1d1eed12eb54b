"""A network that a search found, as a model of timm. It needs timm and Pillow, and no Genome:

    python examples/timm_model.py EXPORT PICTURE...

EXPORT is a folder that `genome export --hub` wrote. `register` makes its network known to timm; from then on
`timm.create_model("local-dir:EXPORT", pretrained=True)` builds it, `num_classes=5` gives it a new classifier to
fine-tune, and `timm.data` reads its input size, its normalisation and its interpolation.
"""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from timm.models import build_model_with_cfg, register_model
from torch import Tensor, nn


def register(folder: Path) -> str:
    """Make the network of an export known to timm, and return its name there."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    network, classes = plain(folder).Network, config["num_classes"]

    class Found(network):  # type: ignore[misc, valid-type]
        """The network with what timm asks of a model. (B, C, H, W) -> (B, num_classes)"""

        def __init__(self, num_classes: int = classes, in_chans: Any = None, img_size: Any = None) -> None:
            super().__init__()
            channels, height, width = config["pretrained_cfg"]["input_size"]
            if in_chans not in (None, channels) or img_size not in (None, (height, width), [height, width]):
                raise ValueError(
                    f"the network takes images of {channels} channels and {height}x{width} pixels"
                )
            self.num_classes = classes
            if num_classes != classes:
                self.reset_classifier(num_classes)

        def get_classifier(self) -> nn.Linear:
            return self.get_submodule(classifier(self))

        def reset_classifier(self, num_classes: int) -> None:
            name, old = classifier(self), self.get_classifier()
            self.set_submodule(name, nn.Linear(old.in_features, num_classes))
            self.num_classes = num_classes

        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            return logits[-1] if isinstance(logits, tuple) else logits  # the last of several exits

    known = {"file": str(folder / "model.safetensors"), "source": "", "classifier": classifier(network())}

    def entrypoint(pretrained: bool = False, **settings: Any) -> nn.Module:
        given = {**(settings.pop("pretrained_cfg", None) or config["pretrained_cfg"]), **known}
        return build_model_with_cfg(Found, config["architecture"], pretrained, given, **settings)

    entrypoint.__name__ = config["architecture"]
    register_model(entrypoint)
    return str(config["architecture"])


def classifier(network: nn.Module) -> str:
    """Return the name of the last linear layer."""
    return [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]


def plain(folder: Path) -> ModuleType:
    """Import model.py of an export."""
    spec = spec_from_file_location("found_network", folder / "model.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    folder, *pictures = map(Path, sys.argv[1:])
    register(folder)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = create_transform(**resolve_model_data_config(model))
    mode = "L" if model.pretrained_cfg["input_size"][0] == 1 else "RGB"
    for picture in pictures:
        x = transform(Image.open(picture).convert(mode)).unsqueeze(0)
        with torch.inference_mode():
            scores = model(x).softmax(dim=1)[0]
        best = int(scores.argmax())
        print(f"{picture}: {model.pretrained_cfg['label_names'][best]} ({scores[best]:.1%})")


if __name__ == "__main__":
    main()
