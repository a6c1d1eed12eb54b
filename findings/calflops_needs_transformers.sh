#!/usr/bin/env bash
# calflops 0.3.2 counts any nn.Module, and declares accelerate, huggingface-hub and torch as its requirements. It also
# imports transformers, whatever is counted: after `pip install calflops` `import calflops` raises ModuleNotFoundError.
# Source: calflops/flops_counter.py imports AutoTokenizer at its top; METADATA of the wheel has no transformers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check calflops==0.3.2 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import requires

try:
    import calflops
except ModuleNotFoundError as error:
    found = str(error)
else:
    found = "imported"
print("calflops 0.3.2 requires", requires("calflops"), "->", found)
assert not any("transformers" in one for one in requires("calflops") or ())
assert found == "No module named 'transformers'", found
PYTHON
