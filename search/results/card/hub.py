"""What model hubs read of an export: config.json, and the YAML that a card begins with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

CONFIG_FILE = "config.json"
TASK = "image-classification"
CROP_MODES = {"stretch": "squash", "crop": "center", "pad": "border"}  # timm's words by ours
TAGS = (TASK, "pytorch", "neural-architecture-search", "genome-nas")


def hub_files(info: Mapping[str, Any], name: str) -> dict[str, bytes]:
    """Return config.json: the keys are those of timm, whose `create_model("local-dir:FOLDER")` reads it.

    The tensors are those of model.safetensors, which every export has. info: the report of the export.
    """
    config = {
        "architecture": architecture(name),
        "num_classes": len(info["classes"]),
        "label_names": info["classes"],
        "pretrained_cfg": {
            "input_size": info["input"],
            "fixed_input_size": True,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": CROP_MODES[(info["pictures"] or {}).get("fit", "stretch")],
            "mean": info["mean"],
            "std": info["std"],
            "num_classes": len(info["classes"]),
            "label_names": info["classes"],
        },
        "params": info["params"],
        "macs": info["macs"],
        "digest": info["digest"],
    }
    return {CONFIG_FILE: json.dumps(config, indent=2, allow_nan=False).encode()}


def architecture(name: str) -> str:
    """Return the name of a network as one word, which registries of models accept."""
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
    return word if word[:1].isalpha() else f"network_{word}".rstrip("_")


def front_matter(info: Mapping[str, Any], title: str) -> str:
    """Return the YAML between two lines of dashes; it has no licence, which only the owner can name."""
    head: dict[str, Any] = {"tags": list(TAGS), "pipeline_tag": TASK, "library_name": "pytorch"}
    several = info.get("multilabel")
    key, metric, name = ("auc", "roc_auc", "mean AUC") if several else ("accuracy",) * 3
    results = [
        {
            "task": {"type": TASK},
            "dataset": {"type": info["data"], "name": info["data"], "split": split},
            "metrics": [{"type": metric, "value": value, "name": name}],
        }
        for split, value in (("test", info[key]["test"]), ("validation", info[key]["valid"]))
        if value is not None
    ]
    if results:
        head["model-index"] = [{"name": title, "results": results}]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n"
