#!/usr/bin/env bash
# torch 2.14.1 with onnx 1.23.2: a model exported by torch.onnx.export(dynamo=True) or torch.export.save carries, for each
# node, the path and the source lines of the Python file that defined it. Whoever gets the model reads the folders of the
# machine that exported it, and the same network exported from another folder has other bytes.
# Source: metadata_props pkg.torch.onnx.stack_trace of the nodes; meta["stack_trace"] of the nodes of the exported graph.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check torch==2.14.1 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2
mkdir "$folder/private" "$folder/elsewhere"
cat > "$folder/private/export.py" <<'PYTHON'
import hashlib
import io
import sys
import zipfile

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return torch.relu(self.conv(x))


torch.manual_seed(0)
net, x = Net().eval(), torch.zeros(2, 1, 8, 8)
onnx = torch.onnx.export(net, (x,), dynamo=True, verbose=False).model_proto.SerializeToString(deterministic=True)
stored = io.BytesIO()
torch.export.save(torch.export.export(net, (x,)), stored)
archive = zipfile.ZipFile(stored)
pt2 = b"".join(archive.read(name) for name in archive.namelist())
here = __file__.encode()
print(here in onnx, here in pt2, hashlib.sha256(onnx).hexdigest())
PYTHON
cp "$folder/private/export.py" "$folder/elsewhere/"
first=$("$folder/venv/bin/python" "$folder/private/export.py" 2>/dev/null | tail -1)
second=$("$folder/venv/bin/python" "$folder/elsewhere/export.py" 2>/dev/null | tail -1)
echo "torch 2.14.1: path of the source in model.onnx, in model.pt2, sha256 of model.onnx"
echo "$first" | sed 's/ [0-9a-f]*$/ (sum 1)/'
echo "$second" | sed 's/ [0-9a-f]*$/ (sum 2)/'
[[ "$first" == "True True "* && "$second" == "True True "* && "$first" != "$second" ]]
