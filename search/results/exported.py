"""Reading an export: its network and its report, each file checked against its sha256."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import StudyError
from search.results.exits.file import EXITS_FILE, read_rule
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from trainer import files

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genome import EarlyExit, Plan
    from genome.network import Network

FORMAT = 1
ARCHIVE = "it is a pickle or a zip archive, of which nothing was read"
CARD_FILE = "README.md"
USAGE_FILE = "USAGE.md"  # what earlier versions wrote in its place


def load_export(folder: Path | str) -> tuple[nn.Module, dict[str, Any]]:
    """Return an exported network, in eval mode on the CPU, and its report.

    On the CPU its logits are bit for bit those of the network that was exported. Where `genome exits` has written
    thresholds into the export, the network is a `genome.EarlyExit`. Raises StudyError when a file is missing, was
    changed (sha256), or does not fit the others.
    """
    path = Path(folder)
    network, info = load_network(path)
    return early_exit(path, network, info) or network, info


def load_network(path: Path) -> tuple[Network, dict[str, Any]]:
    """Return an exported network that runs as a whole, in eval mode on the CPU, and its report.

    Raises StudyError, as `load_export`.
    """
    import genome

    info = read_report(path)
    content = {name: checked_bytes(path, name, info) for name in (GENOME_FILE, WEIGHTS_FILE)}
    try:
        text = content[GENOME_FILE].decode()
    except UnicodeDecodeError:
        raise StudyError(f"{path / GENOME_FILE} is no text; export again") from None
    plan = genome.resolve(genome.loads(text, path=str(path / GENOME_FILE)))
    _check_images(info, plan, path / REPORT_FILE)
    module = genome.build(plan)
    load_weights(module, content[WEIGHTS_FILE], path / WEIGHTS_FILE)
    return module.eval(), info


def checked_bytes(path: Path, name: str, info: Mapping[str, Any], mend: str = "export again") -> bytes:
    """Return a file of an export. Raises StudyError unless it is as its report says (sha256)."""
    try:
        content = (path / name).read_bytes()
    except OSError as error:
        raise StudyError(f"{path / name} cannot be read ({error.strerror}); {mend}") from None
    if files.sha256(content) != info["files"].get(name):
        raise StudyError(f"{path / name} was changed since it was exported (sha256); {mend}")
    return content


def early_exit(path: Path, network: Network, info: Mapping[str, Any]) -> EarlyExit | None:
    """Return the network with the thresholds that `genome exits` wrote into its export, None where there are none."""
    import genome

    if EXITS_FILE not in info["files"]:
        if (path / EXITS_FILE).exists():
            raise StudyError(
                f"{path / EXITS_FILE} is not of this export: its {REPORT_FILE} does not list it; delete it, or run "
                f"`genome exits {path}`"
            )
        return None
    again = f"run `genome exits {path}` again"
    rule = read_rule(path / EXITS_FILE, checked_bytes(path, EXITS_FILE, info, again), info)
    try:
        return genome.EarlyExit(network, rule)
    except ValueError as error:
        raise StudyError(f"{path / EXITS_FILE}: {error}; {again}") from None


def _check_images(info: Mapping[str, Any], plan: Plan, path: Path) -> None:
    """Raise StudyError unless a report describes images that the network takes, and its classes."""
    size, classes = list(plan.genome.input), plan.genome.classes
    if info.get("input") != size:
        raise StudyError(f"{path} has another input than its genome, {size}; export again")
    words: Any = info.get("classes")
    if not _is_list(words, str, classes) or len(set(words)) < classes:
        raise StudyError(f"{path} has no {classes} classes of different names; export again")
    for key in ("mean", "std"):
        numbers: Any = info.get(key)
        if not _is_list(numbers, float, size[0]) or not all(map(math.isfinite, numbers)):
            raise StudyError(f"{path} has no {key} for each of {size[0]} channels; export again")
    if min(info["std"]) <= 0:
        raise StudyError(f"{path} has a std that is not above 0; export again")


def _is_list(found: Any, kind: type, length: int) -> bool:
    return isinstance(found, list) and len(found) == length and all(type(one) is kind for one in found)


def load_weights(module: Network, weights: bytes, path: Path, mend: str = "export again") -> None:
    """Copy weights, the bytes of a safetensors file, into a network.

    Raises:
        StudyError: bytes that are no such file, or tensors of other names, shapes or kinds than the network's.
    """
    import safetensors
    import safetensors.torch

    try:
        tensors = safetensors.torch.load(weights)
        reason = _difference(module, tensors)
    except safetensors.SafetensorError as error:
        reason = ARCHIVE if is_pickle(weights) else str(error)
    if reason:
        raise StudyError(f"{path} does not hold the weights of its genome ({reason}); {mend}")
    module.load_state_dict(tensors)


def _difference(module: Network, tensors: Mapping[str, Tensor]) -> str:
    """Return in what tensors differ from those of a network; empty where they do not. Floats of any width fit."""
    own, names = module.state_dict(), module.current_names(tensors)
    given = {names[name]: tensor for name, tensor in tensors.items()}
    if missing := [name for name in own if name not in given]:
        return f"{missing[0]} is missing"
    if more := [name for name in given if name not in own]:
        return f"{more[0]} is none of its tensors"
    for name, tensor in own.items():
        found, wanted = tuple(given[name].shape), tuple(tensor.shape)
        if found != wanted:
            return f"{name} is {found} where {wanted} is expected"
        if given[name].is_floating_point() != tensor.is_floating_point():
            return f"{name} is {given[name].dtype} where {tensor.dtype} is expected"
    return ""


def is_pickle(stored: bytes) -> bool:
    """Whether bytes look like what `torch.save` writes: a zip archive, or a plain pickle."""
    return stored[:4] == b"PK\x03\x04" or (stored[:1] == b"\x80" and stored[1:2] in b"\x02\x03\x04\x05")


def read_report(folder: Path) -> dict[str, Any]:
    """Return the report of an export.

    Raises:
        StudyError: a folder that is no export, or that of a newer version; a report that is no JSON, or has a number
            that JSON does not have.
    """
    path = folder / REPORT_FILE
    try:
        info = json.loads(path.read_bytes(), parse_constant=_no_number, parse_float=_finite)
    except FileNotFoundError:
        mend = "a folder that `genome export` wrote"
        for kind, whole in (("trial", "front"), ("seed", "training")):
            if inside := sorted(folder.glob(f"{kind}-*/{REPORT_FILE}")):
                mend = f"one network of this {whole}, such as {inside[0].parent}"
        raise StudyError(f"{folder} has no {REPORT_FILE}; name {mend}") from None
    except NotADirectoryError:
        raise StudyError(f"{folder} is a file; name a folder that `genome export` wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{path} cannot be read ({error}); export again") from None
    check_version(info, path)
    if not _is_export(info):
        raise StudyError(f"{path} is not the report of an export of format {FORMAT}; export again")
    return dict(info)


def check_version(info: Any, path: Path) -> None:
    """Raise StudyError for the report, or the index, of a newer version."""
    found = info.get("export") if isinstance(info, dict) else None
    if type(found) is int and found > FORMAT:
        raise StudyError(
            f"{path} has format {found} of a newer version, and this version reads format {FORMAT}; "
            "pip install --upgrade genome-nas"
        )


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(f"{text} is beyond the largest number")


def _is_export(info: Any) -> bool:
    if not isinstance(info, dict) or type(info.get("export")) is not int:
        return False
    return bool(info["export"] == FORMAT and isinstance(info.get("files"), dict))
