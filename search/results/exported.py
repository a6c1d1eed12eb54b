"""Reading an export: its network and its report, each file checked against its sha256."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import StudyError
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from trainer import files

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1


def load_export(folder: Path | str) -> tuple[nn.Module, dict[str, Any]]:
    """Return an exported network, in eval mode on the CPU, and its report.

    On the CPU its logits are bit for bit those of the network that was exported. Raises StudyError when a
    file is missing, was changed (sha256), or does not fit the others.
    """
    import genome

    path = Path(folder)
    info = read_report(path)
    content = {}
    for name in (GENOME_FILE, WEIGHTS_FILE):
        try:
            content[name] = (path / name).read_bytes()
        except OSError as error:
            raise StudyError(f"{path / name} cannot be read ({error.strerror}); export again") from None
        if files.sha256(content[name]) != info["files"].get(name):
            raise StudyError(f"{path / name} was changed since it was exported (sha256); export again")
    module = genome.build(genome.loads(content[GENOME_FILE].decode(), path=str(path / GENOME_FILE)))
    load_weights(module, content[WEIGHTS_FILE], path / WEIGHTS_FILE)
    return module.eval(), info


def load_weights(module: nn.Module, weights: bytes, path: Path) -> None:
    import safetensors
    import safetensors.torch

    try:
        module.load_state_dict(safetensors.torch.load(weights))
    except (safetensors.SafetensorError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise StudyError(f"{path} does not hold the weights of its genome ({first}); export again") from None


def read_report(folder: Path) -> dict[str, Any]:
    path = folder / REPORT_FILE
    try:
        info = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{folder} has no {REPORT_FILE}; name a folder that `genome export` wrote") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} cannot be read ({error}); export again") from None
    if not _is_export(info):
        raise StudyError(f"{path} is not the report of an export of format {FORMAT}; export again")
    return dict(info)


def _is_export(info: Any) -> bool:
    return isinstance(info, dict) and info.get("export") == FORMAT and isinstance(info.get("files"), dict)
