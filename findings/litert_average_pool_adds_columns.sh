#!/usr/bin/env bash
# litert-torch 0.10.0 with torch 2.14.1: count_include_pad has no effect on an average pool without padding, but decides
# whether one that rounds up is converted rightly. With False a pool of (2, 3) and stride (2, 1) gives four columns where
# torch gives two, without an error; with True, and for stride (2, 2), it gives the shape of torch.
# Source: build_aten_composite_pass.py leaves a pool with ceil_mode and without count_include_pad to another lowering.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --no-cache-dir --disable-pip-version-check torch==2.14.1 litert-torch==0.10.0 ai-edge-litert==2.3.0
cat > "$folder/pools.py" <<'PYTHON'
import contextlib
import io
import sys

import torch
from torch import nn

import litert_torch
from ai_edge_litert.interpreter import Interpreter

x = torch.rand(1, 4, 5, 4)
for size, stride in (((2, 3), (2, 2)), ((2, 3), (2, 1))):
    for included in (True, False):
        pool = nn.AvgPool2d(size, stride, ceil_mode=True, count_include_pad=included).eval()
        with contextlib.redirect_stdout(io.StringIO()):
            litert_torch.convert(pool, (x,)).export(sys.argv[1])
        runner = Interpreter(sys.argv[1]).get_signature_runner()
        (found,) = runner(**dict.fromkeys(runner.get_input_details(), x.numpy())).values()
        print(size, stride, included, tuple(pool(x).shape), found.shape)
PYTHON
found=$("$folder/venv/bin/python" "$folder/pools.py" "$folder/pool.tflite" 2>/dev/null)
echo "litert-torch 0.10.0: size, stride, count_include_pad, shape in torch, shape in LiteRT"
echo "$found"
[[ "$found" == *"(2, 3) (2, 1) False (1, 4, 3, 2) (1, 4, 3, 4)" && "$found" == *"(2, 1) True (1, 4, 3, 2) (1, 4, 3, 2)"* ]]
