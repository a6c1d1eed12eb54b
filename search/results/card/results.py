"""The results in a model card: accuracy, accuracy by class, the confusion matrix."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from search.results.card.markdown import plain, table

MOST_ROWS = 50  # classes that are listed; of more, those with the lowest accuracy
MOST_CONFUSED = 20  # classes of a confusion matrix

UNTOLD = "-"
# title and key of what a report has of each class; of a label, recall and precision
CELLS = (
    ("", "accuracy"),
    (" recall", "recall"),
    (" precision", "precision"),
    (" AUC", "auc"),
    (" images", "images"),
)


def accuracy(info: Mapping[str, Any]) -> str:
    """Return the accuracy and the loss on the test and the validation images."""
    several = info.get("multilabel")
    words = (
        ("all labels of an image right" if several else "accuracy", "accuracy"),
        ("AUC, mean of the labels" if several else "AUC, mean of the classes", "auc"),
        ("binary cross-entropy, mean of the labels" if several else "cross-entropy", "loss"),
    )
    rows = [
        (name, *(_number(info[key][part]) for part in ("test", "valid")))
        for name, key in words
        if any(value is not None for value in info.get(key, {}).values())
    ]
    exits = {part: info["exits"][part] or [] for part in ("test", "valid")}
    if (count := max(map(len, exits.values()))) > 1:
        names = info.get("exit_names") or [
            str(i) for i in range(count)
        ]  # exports of earlier versions have none
        rows += [
            (f"accuracy of exit {plain(name)}", *(_number(one[i] if one else None) for one in exits.values()))
            for i, name in enumerate(names)
        ]
    counts = [str(info["images"].get(part, UNTOLD)) for part in ("test", "valid")]
    return "\n\n".join([table(("", "test", "valid"), [*rows, ("images", *counts)]), *_remarks(info)])


def _remarks(info: Mapping[str, Any]) -> list[str]:
    found = []
    if info.get("images_unknown"):
        found.append("No images were given when this was written: no accuracy is known.")
    elif info["accuracy"]["test"] is None:
        found.append("The test images were missing when this was written: there is no test accuracy.")
    elif info["training"]:
        found.append("No search and no training has seen the test images.")
    else:
        found.append("Whether the weights were trained on the test images is not known.")
    if folds := (info["training"] or {}).get("folds"):
        scores = [fold["valid_accuracy"] for fold in folds]
        found.append(
            f"The validation column is the mean over {len(folds)} folds; the standard deviation of its accuracy is "
            f"{statistics.stdev(scores):.4f}. The weights are those of the first fold, which were trained on all "
            "images but its own and the test images; the validation columns below are of that fold alone."
            if len(folds) > 1
            else "The budget ended after the first fold, of which the validation column is."
        )
    if over := info.get("over_seeds"):
        spread = over.get("accuracy")
        if spread and spread["deviation"] is not None:
            told = f"{spread['mean']:.4f} ± {spread['deviation']:.4f}"
            found.append(f"Over {spread['seeds']} seeds, the accuracy on the validation images is {told}.")
    return found


def by_class(info: Mapping[str, Any]) -> str:
    """Return the accuracy of each class; of many classes, those with the lowest."""
    parts = {part: one for part, one in info["per_class"].items() if one}
    if not parts:
        return ""
    columns = {
        f"{part}{title}": one[key] for part, one in parts.items() for title, key in CELLS if key in one
    }
    rows = [
        (plain(word), *(_cell(column[i]) for column in columns.values()))
        for i, word in enumerate(info["classes"])
    ]
    head = ("label" if info.get("multilabel") else "class", *columns)
    if len(rows) <= MOST_ROWS:
        return table(head, rows)
    first = next(iter(parts.values()))
    order = _worst_first(first.get("accuracy") or first["recall"])
    return f"The {MOST_ROWS} classes with the lowest accuracy:\n\n{table(head, [rows[i] for i in order[:MOST_ROWS]])}"


def _worst_first(found: list[float | None]) -> list[int]:
    return sorted(range(len(found)), key=lambda i: 2.0 if found[i] is None else found[i])  # type: ignore[arg-type,return-value]


def confusion(info: Mapping[str, Any]) -> str:
    """Return the confusion matrix of the test images, for a number of classes that a page can show."""
    rows = info["confusion"]["test"]
    if rows is None or len(rows) > MOST_CONFUSED:
        return ""
    words = [plain(word) for word in info["classes"]]
    cells = [(f"**{word}**", *map(str, row)) for word, row in zip(words, rows, strict=True)]
    return f"Test images by their class (rows) and the predicted class (columns):\n\n{table(('', *words), cells)}"


def _cell(value: float | int | None) -> str:
    return str(value) if isinstance(value, int) else _number(value)


def _number(value: float | None) -> str:
    return UNTOLD if value is None else f"{value:.4f}"
