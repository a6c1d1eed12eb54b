"""A network that stops early as ONNX: one file with `If` nodes for an image alone, one file a stage for batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.results.exits.stages import LEAVES, LOGITS, PIXELS, Stage, stages
from search.results.formats.onnx import OPSET, forget_sources
from search.results.formats.quiet import quiet
from search.results.pixels import Pixels

if TYPE_CHECKING:
    from genome.exits.rules import Rule
    from search.storage.data_facts import DataFacts

EXIT = "exit"  # output: the place of the exit that was taken, from 0


def stage_models(whole: Pixels, rule: Rule, facts: DataFacts) -> list[Any]:
    """Return one ONNX model for each exit, for batches of any size.

    It reads pixels or what earlier models give, by name. It gives `leaves` (B,), save the last, `logits` (B, classes),
    and what later models read.
    """
    import torch

    values = {PIXELS: torch.zeros(2, *facts.input, dtype=torch.uint8)}
    found = []
    for stage in stages(whole, rule):
        with torch.inference_mode():
            given = stage.module(*[values[name] for name in stage.reads])
        found.append(_exported(stage, [values[name] for name in stage.reads], facts))
        values.update(zip(stage.gives, given, strict=True))
    return found


def _exported(stage: Stage, examples: Sequence[Any], facts: DataFacts) -> Any:
    import torch

    batch = torch.export.Dim("batch")
    with quiet():
        program = torch.onnx.export(
            stage.module,
            tuple(examples),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=(tuple([{0: batch} for _ in examples]),),
            input_names=list(stage.reads),
            output_names=list(stage.gives),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    forget_sources(model)
    for key, value in (("classes", facts.classes), ("input", facts.input)):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(list(value))
    return model


def nested(models: Sequence[Any], facts: DataFacts) -> Any:
    """Return one ONNX model of the models of `stage_models`, for an image alone.

    Each stage but the first stands in the branch of an `If`, which runs where the image has not left. pixels
    (1, C, H, W) -> logits (1, classes), exit (1,).
    """
    import onnx
    from onnx import TensorProto, helper

    renamed = [
        onnx.compose.add_prefix(model, f"stage{k + 1}/", rename_inputs=False, rename_outputs=False)
        for k, model in enumerate(models)
    ]
    # logits and leaves are outputs of every stage; their names must differ in one file
    graphs = [_unlike(model.graph, k) for k, model in enumerate(renamed)]
    graph = _from(graphs, 0)
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, [1, *facts.input])
    logits = helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [1, len(facts.classes)])
    whole = helper.make_graph(graph.node, "stops_early", [pixels], [logits, _exit_info()], graph.initializer)
    made = helper.make_model(whole, opset_imports=models[0].opset_import, ir_version=models[0].ir_version)
    made.metadata_props.extend(models[0].metadata_props)
    onnx.checker.check_model(made, full_check=True)
    return made


def _from(graphs: Sequence[Any], k: int) -> Any:
    """Return a graph that runs from stage k on, whose outputs are the logits and the exit."""
    from onnx import TensorProto, helper

    own = graphs[k]
    names = [f"after{k}/{LOGITS}", f"after{k}/{EXIT}"] if k else [LOGITS, EXIT]
    number = helper.make_tensor("value", TensorProto.INT64, [1], [k])
    if k == len(graphs) - 1:
        ends = [
            helper.make_node("Identity", [_own(k, LOGITS)], names[:1]),
            helper.make_node("Constant", [], names[1:], value=number),
        ]
    else:
        here = f"leave{k + 1}"
        leave = [
            helper.make_node("Identity", [_own(k, LOGITS)], [f"{here}/{LOGITS}"]),
            helper.make_node("Constant", [], [f"{here}/{EXIT}"], value=number),
        ]
        done = helper.make_graph(
            leave, here, [], [_logits_info(f"{here}/{LOGITS}"), _exit_info(f"{here}/{EXIT}")]
        )
        branches = {"then_branch": done, "else_branch": _from(graphs, k + 1)}
        ends = [helper.make_node("If", [_own(k, LEAVES)], names, **branches)]
    outputs = [_logits_info(names[0]), _exit_info(names[1])]
    return helper.make_graph([*own.node, *ends], own.name, [], outputs, own.initializer)


def _own(k: int, name: str) -> str:
    return f"stage{k + 1}/{name}"


def _unlike(graph: Any, k: int) -> Any:
    """Name the logits and the decision of a stage after it, in place."""
    changed: Mapping[str, str] = {name: _own(k, name) for name in (LOGITS, LEAVES)}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [changed.get(name, name) for name in names]
    graph.name = f"stage{k + 1}"
    return graph


def _logits_info(name: str = LOGITS) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _exit_info(name: str = EXIT) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.INT64, [1])
