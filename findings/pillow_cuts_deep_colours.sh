#!/usr/bin/env bash
# Pillow 13.0.0: a PNG of 16 bits a channel is read whole where it is grey (mode I;16), and with the upper 8 bits alone
# where it has an alpha channel or colours, without a warning and with nothing in the image that tells. Of a camera's 12
# bits in 16 there are 16 levels left of 4,096; grey with alpha also becomes RGBA. A data set of both kinds is read at two
# scales.
# Source: PIL/PngImagePlugin.py, _MODES: (16, 0) is I;16, (16, 2) is RGB by RGB;16B, (16, 4) is RGBA by LA;16B.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 pypng==0.20220715.0
"$folder/venv/bin/python" -W error - <<'PYTHON'
import io

import numpy as np
import PIL
import png
from PIL import Image


def read(planes: int) -> tuple[str, int]:
    """Write 4,096 levels of 12 bits as PNG of 16 bits; return the mode and the levels that Pillow reads."""
    levels = np.repeat(np.arange(4096, dtype=np.uint16).reshape(64, 64, 1), planes, axis=2)
    if planes in (2, 4):
        levels[..., -1] = 65535  # opaque
    file = io.BytesIO()
    writer = png.Writer(64, 64, bitdepth=16, greyscale=planes < 3, alpha=planes in (2, 4))
    writer.write(file, levels.reshape(64, -1).tolist())
    with Image.open(file) as image:
        pixels = np.asarray(image)
        return image.mode, len(np.unique(pixels if pixels.ndim == 2 else pixels[..., 0]))


found = {name: read(planes) for name, planes in (("grey", 1), ("grey+alpha", 2), ("colour", 3), ("colour+alpha", 4))}
print(f"Pillow {PIL.__version__}: mode, and levels of 4,096:", found)
assert found == {
    "grey": ("I;16", 4096),
    "grey+alpha": ("RGBA", 16),
    "colour": ("RGB", 16),
    "colour+alpha": ("RGBA", 16),
}
PYTHON
