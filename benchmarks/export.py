"""Latency of the forms that an export has, against the network as built. One thread, CPU time, in eval mode.

Ten published networks with drawn weights and norms: `model.py`, a folded `model.py`, and the folded file of ONNX in
onnxruntime. Every form is compared with the built network before any timing: the largest difference of
logits is at most 1e-4 of the largest.

    python benchmarks/export.py [--batch 1] [--rounds 7] [--only TEXT]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

import genome
from benchmarks._rounds import Compared, measure, prepare, setting
from genome import Plan, zoo
from genome.network import Network
from genome.plain.source import source
from search.results.formats import CLOSE, FORMATS, file_of
from search.results.pixels import Pixels
from search.storage.data_facts import DataFacts

NETWORKS = (
    "lenet",
    "resnet-20",
    "densenet-40-12",
    "nin-cifar10",
    "mobilenet-v1-cifar10",
    "fractalnet-c3",
    "cliquenet-36-12",
    "pnn-resnet18-nf64",
    "active-plain",
    "branchy-alexnet",
)
# forms, and the ratio to the built network's time that is wanted: of each network, or of the median
GOALS = {"model.py": 1.02, "folded": 0.70, "onnx, folded": 0.25}

Form = Callable[[], Sequence[Tensor]]


def stirred(plan: Plan) -> Network:
    """Return a built network whose norms are those of no fresh network, so that folding them has something to do."""
    network = genome.build(plan, seed=0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
    return network.eval()


def imported(text: str, folder: Path) -> ModuleType:
    """Return the source of a network as a module of Python."""
    path = folder / "model.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain_network(network: Network, plan: Plan, fold: bool, folder: Path) -> nn.Module:
    """Return a network as `model.py` has it."""
    written = source(network, plan, fold)
    made: nn.Module = imported(written.text, folder).Network()
    made.load_state_dict(dict(written.tensors))
    return made.eval()


def forms(name: str, batch: int, folder: Path) -> dict[str, Form]:
    """Return the forms of a network, the built one first, each as a function that runs it on the same pixels."""
    import onnxruntime

    plan = genome.resolve(zoo.get(name))
    network = stirred(plan)
    channels = plan.genome.input[0]
    facts = DataFacts(
        name,
        "",
        plan.genome.input,
        tuple(map(str, range(plan.genome.classes))),
        (0.5,) * channels,
        (0.5,) * channels,
        {},
    )
    pixels = torch.randint(0, 256, (batch, *plan.genome.input), dtype=torch.uint8)
    x = (pixels / 255 - 0.5) / 0.5
    plain, folded = (plain_network(network, plan, fold, folder) for fold in (False, True))
    folded = folded.to(memory_format=torch.channels_last)
    file = folder / "model.onnx"
    file.write_bytes(file_of(FORMATS["onnx"], Pixels(network, plan, facts, fold=True))["model.onnx"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    given = {"pixels": pixels.numpy()}

    def in_torch(module: nn.Module) -> Form:
        def run() -> Sequence[Tensor]:
            with torch.inference_mode():
                found = module(x)
            return found if isinstance(found, tuple) else (found,)

        return run

    return {
        "built": in_torch(network),
        "model.py": in_torch(plain),
        "folded": in_torch(folded),
        "onnx, folded": lambda: [torch.from_numpy(np.asarray(one)) for one in session.run(None, given)],
    }


def check(found: dict[str, Form]) -> None:
    """Raise AssertionError where a form gives other logits than the built network."""
    wanted = found["built"]()
    for name, run in found.items():
        for mine, other in zip(run(), wanted, strict=True):
            error = float((mine - other).abs().max() / other.abs().max())
            assert error <= CLOSE, f"{name}: off by {error:.2g}"


def compared(name: str, batch: int, rounds: int) -> dict[str, Compared]:
    """Return how many times the built network's time each form takes."""
    with tempfile.TemporaryDirectory() as folder:
        found = forms(name, batch, Path(folder))
        check(found)
        built = found.pop("built")
        seen = measure(built, found, rounds=rounds)
        return {form: seen.against(form) for form in found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="networks whose name contains this text")
    given = parser.parse_args()
    prepare()
    print(f"{setting()}, batch {given.batch}; time of each form over the built network's\n")
    print(f"| network | {' | '.join(GOALS)} | control |\n| --- | {'--- | ' * len(GOALS)}--- |")
    ratios: dict[str, list[float]] = {form: [] for form in GOALS}
    for name in NETWORKS:
        if given.only not in name:
            continue
        row = compared(name, given.batch, given.rounds)
        for form, one in row.items():
            ratios[form].append(one.ratio)
        control = next(iter(row.values())).control
        cells = " | ".join(f"{one.ratio:.3f}" for one in row.values())
        print(f"| {name} | {cells} | {control:.3f} |", flush=True)
    medians = {form: statistics.median(all_ratios) for form, all_ratios in ratios.items()}
    print(f"| median | {' | '.join(f'{one:.3f}' for one in medians.values())} | |")
    print(f"| goal at the median | {' | '.join(f'{goal:.2f}' for goal in GOALS.values())} | |")


if __name__ == "__main__":
    main()
