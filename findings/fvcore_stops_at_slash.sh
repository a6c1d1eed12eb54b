#!/usr/bin/env bash
# A module of torch may have any name without a dot, and `add_module("stage1/conv", ..)` works everywhere in torch. fvcore
# 0.1.5 counts by traced scopes, whose parts it separates by "/": it stops with KeyError "Requested module name is not
# among the descendants of the analyzed model."
# Source: fvcore/nn/jit_analysis.py (scope names are split at "/"); seen with torch 2.14.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check fvcore==0.1.5.post20221221 torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn


def count(name: str) -> int | str:
    module = nn.Sequential()
    module.add_module(name, nn.Conv2d(3, 4, 1))
    try:
        return FlopCountAnalysis(module, torch.zeros(1, 3, 8, 8)).total()
    except KeyError as error:
        return f"KeyError: {error.args[0]}"


plain, slash = count("stage1_conv"), count("stage1/conv")
print(f"fvcore 0.1.5, torch {torch.__version__}: stage1_conv: {plain}; stage1/conv: {slash}")
assert plain == 3 * 4 * 64, plain
assert str(slash).startswith("KeyError: Requested module name is not among the descendants"), slash
PYTHON
