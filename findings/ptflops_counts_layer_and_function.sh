#!/usr/bin/env bash
# ptflops 0.7.5 counts an activation and a pool twice with its default backend: once by a hook on the layer, and once in
# the torch function that the layer calls, which it replaces while it counts. A ReLU over 8x16x16 numbers is 4,096
# operations and not 2,048; a 2x2 max-pool over the same numbers, too. Convolutions and linear layers are counted once.
# The backend "aten" counts no activation and no pool.
# Source: ptflops/pytorch_engine.py (layer hooks and patched functions are both active); seen with torch 2.14.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check ptflops==0.7.5 torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from ptflops import get_model_complexity_info
from torch import nn


def count(layer: nn.Module, backend: str = "pytorch") -> int:
    macs, _ = get_model_complexity_info(
        nn.Sequential(layer), (8, 16, 16), as_strings=False, print_per_layer_stat=False, backend=backend
    )
    return macs or 0


numbers = 8 * 16 * 16
found = {
    "ReLU": count(nn.ReLU()),
    "MaxPool2d": count(nn.MaxPool2d(2)),
    "Conv2d": count(nn.Conv2d(8, 4, 1, bias=False)),
    "ReLU, aten": count(nn.ReLU(), "aten"),
}
print(f"ptflops 0.7.5, torch {torch.__version__}, {numbers} numbers:", found)
assert found == {"ReLU": 2 * numbers, "MaxPool2d": 2 * numbers, "Conv2d": 4 * numbers, "ReLU, aten": 0}, found
PYTHON
