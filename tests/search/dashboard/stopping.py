"""A trial whose network of three exits was trained for a moment, with the exits.json of `genome exits`."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch

import genome
import trainer
from search.results.exits.solved import find, to_json
from search.results.exits.target import wanted
from search.results.exits.write import write_beside
from search.results.trained import Trained
from search.storage.data_facts import DataFacts
from search.storage.study import Store
from search.storage.trial_files import WEIGHTS_FILE
from tests.search.conftest import THREE
from tests.search.dashboard.kept import add
from trainer import files


def add_three(store: Store) -> int:
    """Add a trial of three exits, whose thresholds nobody has asked for; return its number."""
    plan = genome.resolve(genome.loads(THREE))
    known = {"params": plan.params, "macs": plan.macs, "digest": "3" * 32}
    return add(store, "done", 0.9, genome.dump(plan.genome), plan=known)


def keep_exits(folder: Path) -> None:
    """Train the network, and write its weights and its exits.json into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    plan, data = genome.resolve(genome.loads(THREE)), trainer.load("digits")
    network = genome.build(plan, seed=0)
    trainer.fit(network, data, recipe=trainer.Recipe(epochs=2, compile="never", precision="fp32"))
    weights = safetensors.torch.save({name: t.contiguous() for name, t in network.state_dict().items()})
    files.write(folder / WEIGHTS_FILE, weights)
    facts = DataFacts.of(data)
    one = Trained("three", network.eval(), plan, facts, files.sha256(weights), None, folder, None)
    found = find(one, data, "entropy", wanted("1%", None, None, plan.macs))
    write_beside(folder, to_json(one, data, found))
