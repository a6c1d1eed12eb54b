#!/usr/bin/env bash
# torch 2.14.1: nn.GroupNorm in eval mode raises for one image where a group is a single number (as many groups as
# channels, behind a global pool), and says that it is training. For two such images it gives its bias. GroupNorm has no
# running statistics, so that training and eval are the same; a network that trained and validated in batches fails when
# it is served one image.
# Source: torch/nn/functional.py, group_norm: _verify_batch_size is called whatever the mode, and counts the batch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn

norm = nn.GroupNorm(8, 8).eval()
two = norm(torch.randn(2, 8, 1, 1))
assert torch.allclose(two, norm.bias.view(1, 8, 1, 1).expand_as(two), atol=1e-4), two
try:
    norm(torch.randn(1, 8, 1, 1))
except ValueError as error:
    found = str(error)
else:
    found = "gave a result"
print(f"torch {torch.__version__}: two images give the bias; one image:", found)
assert found.startswith("Expected more than 1 value per channel when training"), found
PYTHON
