#!/usr/bin/env bash
# thop 0.1.1 looks layers up by their exact class. A subclass of nn.Conv2d that changes nothing, such as one with another
# initialisation, counts as 0 multiply-adds; with verbose=False nothing is said. ptflops 0.7.5 (backend "pytorch") does the
# same; torchinfo 1.8.0 counts it, because it goes by the parameters.
# Source: thop/profile.py, register_hooks[type(m)]; ptflops/pytorch_engine.py, type(module) in MODULES_MAPPING.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check thop==0.1.1.post2209072238 ptflops==0.7.5 \
  torchinfo==1.8.0 torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from ptflops import get_model_complexity_info
from thop import profile
from torch import nn
from torchinfo import summary


class Conv2d(nn.Conv2d):
    """The same layer under another class."""


def counted(layer: nn.Module) -> dict[str, int]:
    image = torch.zeros(1, 3, 8, 8)
    module = nn.Sequential(layer)
    by_info = summary(module, input_data=image, verbose=0).total_mult_adds
    by_thop, _ = profile(nn.Sequential(layer), inputs=(image,), verbose=False)
    by_ptflops, _ = get_model_complexity_info(
        nn.Sequential(layer), (3, 8, 8), as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )
    return {"thop": int(by_thop), "ptflops": int(by_ptflops or 0), "torchinfo": int(by_info)}


plain, subclass = (counted(kind(3, 4, 1, bias=False)) for kind in (nn.Conv2d, Conv2d))
print(f"torch {torch.__version__}, 3 * 4 * 64 multiply-adds; nn.Conv2d: {plain}; its subclass: {subclass}")
assert plain == {"thop": 768, "ptflops": 768, "torchinfo": 768}, plain
assert subclass == {"thop": 0, "ptflops": 0, "torchinfo": 768}, subclass
PYTHON
