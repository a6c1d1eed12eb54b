"""The tables and JSON values that the command prints: genomes, published networks, trials, the end of a search."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import genome
from genome import Genome, Plan
from genome.totals import Total, totals
from search import formatting
from search.objective import MEASURES, Objective, learnt
from search.proposals import latency_gate, screening
from search.results.bench import Latency
from search.results.formats import FORMATS, FORMATS_KEY
from search.results.reference_text import choice_text, reference_lines
from search.space.point import NOTHING_SEARCHED, Searched, told_recipe
from search.storage.record import Record, shown, spread_over_seeds
from search.storage.trial_files import REPORT_FILE
from search.study import Result

COLUMNS = 120  # width of a terminal, for long lines
ERROR_COLUMNS = 37  # width that the other columns of the zoo leave for the reported error


def genome_json(shown: Genome, plan: Plan, searched: Searched = NOTHING_SEARCHED) -> dict[str, Any]:
    """Return a genome as plain values; `nodes` and `edges` are those of `shown`, as written or expanded.

    searched: values of its recipe that its study searches; without any the result has no `recipe`.
    """
    recipe = {"recipe": dict(searched)} if searched else {}
    return {
        "name": shown.name,
        "params": plan.params,
        "macs": plan.macs,
        "fixed": plan.fixed,
        "memory_bytes": plan.memory_bytes,
        "train_bytes_per_image": plan.train_bytes,
        "depth": plan.depth,
        "receptive_field": plan.receptive_field,
        "input": list(shown.input),
        "classes": shown.classes,
        "nodes": [{"name": node.name, "op": node.op.word, "in": list(node.ins)} for node in shown.nodes],
        "edges": [[source, node.name] for node in shown.nodes for source in node.ins],
        "digest": genome.digest(plan),
        **recipe,
    }


def genome_table(shown: Genome, plan: Plan, searched: Searched = NOTHING_SEARCHED) -> str:
    """Return a genome as a table of its nodes, the inner nodes of a motif summed, with totals and recipe below."""
    rows = [_row(shown, name, total) for name, total in totals(shown, plan).items()]
    memory = formatting.size(plan.memory_bytes)
    fixed = f" and {plan.fixed:,} fixed numbers" if plan.fixed else ""
    sums = (
        f"{shown.name}: params {plan.params:,}{fixed}, macs {formatting.short(plan.macs)}, depth {plan.depth}, "
        f"receptive field {plan.receptive_field}, memory {memory}"
        f"\ndigest {genome.digest(plan)}"
    )
    recipe = f"\nrecipe {told_recipe(searched)}" if searched else ""
    table = formatting.table(("node", "op", "in", "shape", "params", "macs"), rows)
    return f"{table}\n\n{sums}{recipe}"


def _row(shown: Genome, name: str, total: Total) -> list[str]:
    node = shown.by_name[name]
    out = "-" if total.out is None else str(total.out)
    return [name, node.op.word, ", ".join(node.ins), out, f"{total.params:,}", formatting.short(total.macs)]


def zoo_json(found: Genome, plan: Plan) -> dict[str, Any]:
    """Return a published network as plain values: its costs and its reported error."""
    keys = ("name", "params", "fixed", "macs", "memory_bytes", "input", "classes", "digest")
    costs, entry = genome_json(found, plan), genome.zoo.entry(found.name)
    return {key: costs[key] for key in keys} | {
        "error": entry.error,
        "source": entry.source,
        "note": entry.note,
    }


def zoo_table(plans: Sequence[tuple[Genome, Plan]]) -> str:
    """Return published networks as a table with the reported errors, with the notes on them below."""
    rows: list[list[str]] = []
    notes: dict[str, list[str]] = {}
    for g, p in plans:
        entry, fixed = genome.zoo.entry(g.name), f"{p.fixed:,}" if p.fixed else ""
        first, *more = _wrapped(entry.error, ERROR_COLUMNS) or [""]
        rows.append(
            [g.name, str(g.input), str(g.classes), f"{p.params:,}", fixed, formatting.short(p.macs), first]
        )
        rows += [[""] * 6 + [line] for line in more]
        if entry.note:
            notes.setdefault(entry.note, []).append(g.name)
    table = formatting.table(("name", "input", "classes", "params", "fixed", "macs", "reported error"), rows)
    below = ["\n".join(_wrapped(f"{', '.join(of)}: {note}", COLUMNS)) for note, of in notes.items()]
    return "\n\n".join([table, *below])


def _wrapped(text: str, columns: int) -> list[str]:
    """Return the lines of a text; a number is not parted from its %, nor a word at a hyphen."""
    lines = textwrap.wrap(text.replace(" %", "\xa0%"), columns, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]


def best_table(records: Sequence[Record], objectives: Sequence[Objective]) -> str:
    """Return trials as a table: the objectives first, then the other metrics."""
    names, goal = [o.name for o in objectives], learnt(objectives).name
    usual = [name for name, measure in MEASURES.items() if measure.is_usual and name not in names]
    names += [name for name in usual if any(name in r.metrics for r in records)]
    has_finale, has_recipe = any(r.finale for r in records), any(r.searched for r in records)
    rows = [
        [
            str(r.number),
            *([spread_over_seeds(r, goal)] if has_finale else []),
            *(shown(r, name) for name in names),
            str(r.epochs) if r.epochs is not None else "-",
            formatting.seconds(r.seconds),
            *([told_recipe(r.searched) or "-"] if has_recipe else []),
            _ending(r),
        ]
        for r in records
    ]
    finale = [f"{goal} over seeds"] if has_finale else []
    recipe = ["recipe"] if has_recipe else []
    return formatting.table(("trial", *finale, *names, "epochs", "seconds", *recipe, "outcome"), rows)


def exported_weights(record: Record, objectives: Sequence[Objective], folder: Path) -> str:
    """Return which weights the export of a trial in a folder has; empty without a finale and a searched recipe."""
    recipe = f"recipe {told_recipe(record.searched)}" if record.searched else ""
    return "; ".join(filter(None, [_exported_training(record, objectives, folder), recipe]))


def formats_table(folder: Path) -> str:
    """Return what was seen when the files of an export ran in fresh processes, as a table."""
    report = json.loads((folder / REPORT_FILE).read_bytes())[FORMATS_KEY]
    rows = [("built network", "", "", *_latency(report["eager"]), "")]
    for name, one in report["checked"].items():
        if one["is_kept"]:
            error, same = f"{one['largest_difference']:.0e}", f"{one['same_predictions']:.1%}"
            size = formatting.size(one["bytes"])
            rows.append((FORMATS[name].file, error, same, *_latency(one["milliseconds"]), size))
        else:
            rows.append((f"{name}: not written", one["why"], "", "", "", ""))
    images = next((one["images"] for one in report["checked"].values() if one["is_kept"]), 0)
    kind = "test images" if report["test_images"] else "random images, since the test images are missing"
    head = ("file", "difference", "same class", "ms, 1 image", "ms, 64 images", "size")
    return f"{formatting.table(head, rows)}\ncompared on {images} {kind}; latency on one thread of this CPU"


def latency_table(found: Sequence[Latency]) -> str:
    """Return latencies as a table."""
    rows = [
        (
            one.network,
            one.form,
            f"{one.images}",
            f"{one.p50:.2f}",
            f"{one.p95:.2f}",
            f"{one.images_per_second:,.0f}",
        )
        for one in found
    ]
    table = formatting.table(("network", "form", "images", "p50 ms", "p95 ms", "images/s"), rows)
    threads = found[0].threads
    return f"{table}\n{threads} thread{'' if threads == 1 else 's'} of this CPU"


def _latency(milliseconds: Mapping[str, Mapping[str, float]]) -> tuple[str, str]:
    return f"{milliseconds['1']['p50']:.2f}", f"{milliseconds['64']['p50']:.1f}"


def _exported_training(record: Record, objectives: Sequence[Objective], folder: Path) -> str:
    goal = learnt(objectives)
    if record.finale is None or not record.finale.measured:
        return ""
    seed = json.loads((folder / REPORT_FILE).read_bytes())["seeds"]["train"]
    of = f"with seed {seed} of its finale" if seed in record.finale.measured else "in the search"
    spread = record.finale.spread(goal.name)
    over = " over seeds" if spread is not None and spread.seeds > 1 else ""
    return f"trained {of}; {goal.name}{over} {spread}"


def _ending(record: Record) -> str:
    if record.reused is not None:
        return f"{record.outcome}, as trial {record.reused}"
    of = f" (reference {record.reference})" if record.reference else ""
    return f"{record.outcome}{of}: {record.reason}" if record.reason else record.outcome + of


def counts(records: Sequence[Record]) -> str:
    """Return the number of trials of each outcome, in words."""
    endings: dict[str, int] = {}
    for r in records:
        word = "reused" if r.reused is not None else r.outcome
        endings[word] = endings.get(word, 0) + 1
    total = formatting.some(len(records), "trial")
    return ": ".join(filter(None, [total, ", ".join(f"{count} {word}" for word, count in endings.items())]))


def result_text(result: Result, objectives: Sequence[Objective], command: str) -> str:
    """Return the last lines of a search: why it ended, the best networks, the export, how to resume."""
    lines = [
        f"{result.stop}; {counts(result.records)}; {formatting.seconds(result.spent_seconds)} of device time"
    ]
    duplicates = sum(record.reused is not None for record in result.records)
    if duplicates:
        lines.append(formatting.duplicates(duplicates))
    if result.best:
        lines += ["", best_table(result.best, objectives), ""]
    else:
        lines.append("no trial has finished")
    for line in (
        choice_text(result.records, objectives),
        screening.summary(result.records, objectives),
        latency_gate.summary(result.records),
    ):
        if line:
            lines.append(line)
    lines += reference_lines(result.records, result.best, objectives)
    if result.exported:
        weights = exported_weights(result.best[0], objectives, result.exported)
        lines.append(f"the best network is in {result.exported}" + (f", {weights}" if weights else ""))
    if result.is_interrupted:
        lines.append(f"resume with: {command}")
    return "\n".join(lines)
