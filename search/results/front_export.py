"""The Pareto front of a study as exports: a folder for each network, an index, and the front as a picture."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from search import objective
from search.config.study import StudyConfig
from search.errors import StudyError
from search.objective import Objective, learnt
from search.results.card.chart import Spot, front_svg
from search.results.card.markdown import plain, table
from search.results.earlier import check_free, edited, others_in
from search.results.export import WeightsOf, images_of, trained_of
from search.results.exported import CARD_FILE, FORMAT, check_version
from search.results.packing import PLAIN, Options, packed, written_json
from search.storage.record import Record
from search.storage.study import Store
from search.storage.trial_files import REPORT_FILE
from trainer import files

INDEX_FILE, FRONT_FILE = "index.json", "front.svg"
FOLDER = re.compile(r"trial-\d+", re.ASCII)
OWN = (INDEX_FILE, FRONT_FILE, CARD_FILE)


def export_front(
    store: Store,
    config: StudyConfig,
    front: Sequence[Record],
    to: Path,
    weights_of: WeightsOf = "best",
    options: Options = PLAIN,
) -> Path:
    """Write an export of each network of a front and an index of them into a folder, and return the folder.

    All of it is written, or nothing. An earlier export of a front is replaced; what a person added to it stays.
    Raises StudyError, for a folder of other things too.
    """
    earlier = _networks_in(to)
    records, images = store.records(), images_of(store, config)
    kept = _others_beside(to, earlier, [_folder(record) for record in front])
    rows = list[dict[str, Any]]()
    with files.replaced(to.resolve(), kept) as fresh:  # not the link that leads there
        for record in front:
            folder = _folder(record)
            content = packed(trained_of(store, config, record, records, images, weights_of), options)
            changed, others = _of_person(to / folder, content) if folder in earlier else ({}, [])
            _write(fresh / folder, content | changed)
            kept += others
            rows.append(_row(folder, record, json.loads(content[REPORT_FILE])))
        for folder in set(earlier) - {row["folder"] for row in rows}:
            changed, others = _of_person(to / folder, None)
            _write(fresh / folder, changed)
            kept += others
        _write(fresh, _index(config, records, front, rows))
    return to


def _folder(record: Record) -> str:
    return f"trial-{record.number}"


def _write(folder: Path, content: Mapping[str, bytes]) -> None:
    for name, stored in content.items():
        files.write(folder / name, stored)


def _networks_in(to: Path) -> list[str]:
    """Return the folders of an earlier export of a front. Raises StudyError for a folder of other things."""
    if not check_free(to):
        return []
    wrong = StudyError(
        f"{to} holds other things; name a folder that is new, empty or an earlier export of a front"
    )
    try:
        index = json.loads((to / INDEX_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        raise wrong from None
    check_version(index, to / INDEX_FILE)
    networks = index.get("networks") if isinstance(index, dict) and index.get("export") == FORMAT else None
    if not isinstance(networks, list):
        raise wrong
    folders = [str(one.get("folder")) if isinstance(one, dict) else "" for one in networks]
    if not all(map(FOLDER.fullmatch, folders)):
        raise wrong
    return [one for one in folders if (to / one).is_dir()]


def _others_beside(to: Path, earlier: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return what a person added beside the folders of an earlier export."""
    if not check_free(to):
        return []
    others = sorted(one.name for one in to.iterdir() if one.name not in {*OWN, *earlier})
    if taken := set(others) & set(new):
        raise StudyError(f"{to / min(taken)} is in the way; move it elsewhere")
    return others


def _of_person(folder: Path, new: Mapping[str, bytes] | None) -> tuple[dict[str, bytes], list[str]]:
    """Return what a person changed in a network's folder, and the paths of what they added, from the folder above it.

    new: its new files; None where the network is no longer in the front.
    """
    others = others_in(folder)
    names = {one.name for one in folder.iterdir()} - set(others) if new is None else set(new)
    changed = edited(folder, others, names)
    return changed, [f"{folder.name}/{name}" for name in others if name not in names]


def _row(folder: str, record: Record, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the index has of a network."""
    return {
        "folder": folder,
        "trial": record.number,
        "accuracy": report["accuracy"],
        "params": report["params"],
        "macs": report["macs"],
        "metrics": {name: value for name, value in record.metrics.items() if math.isfinite(value)},
        "digest": report["digest"],
    }


def _index(
    config: StudyConfig, records: Sequence[Record], front: Sequence[Record], rows: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    index = {
        "export": FORMAT,
        "study": config.name,
        "objectives": dict(config.objectives),
        "networks": list(rows),
    }
    picture = _picture(config, records, front)
    text = _text(config, rows, bool(picture))
    return {INDEX_FILE: written_json(index), CARD_FILE: text.encode(), **picture}


def _picture(config: StudyConfig, records: Sequence[Record], front: Sequence[Record]) -> dict[str, bytes]:
    """Return the picture of the front; nothing where no network has both numbers."""
    names = _axes(config.objectives)
    chosen = {record.number for record in front}
    spots = {record.number: spot for record in records for spot in _spots(record, names)}
    inside = [spot for number, spot in spots.items() if number in chosen]
    if not inside:
        return {}
    others = [spot for number, spot in spots.items() if number not in chosen]
    title = f"{config.name}: the front of {len(spots)} trained networks"
    direction = dict(config.objectives).get(names[0]) if len(config.objectives) == 2 else None
    return {FRONT_FILE: front_svg(title, names, others, inside, direction).encode()}


def _spots(record: Record, names: tuple[str, str]) -> Iterator[Spot]:
    """Yield the place of a trained trial in the picture."""
    x, y = (record.metrics.get(name, getattr(record, name, None)) for name in names)
    if record.reused is not None or record.values is None or x is None or y is None:
        return
    if math.isfinite(x) and math.isfinite(y):
        told = ", ".join(
            f"{name} {objective.formatted(name, value)}" for name, value in zip(names, (x, y), strict=True)
        )
        yield Spot(float(x), float(y), f"trial {record.number}: {told}", f"trial {record.number}")


def _axes(objectives: Sequence[Objective]) -> tuple[str, str]:
    """Return the objectives across and up: the first that costs, by default params, and the one that is learnt."""
    costs = [one.name for one in objectives if not one.is_learnt]
    return costs[0] if costs else "params", learnt(objectives).name


def _text(config: StudyConfig, rows: Sequence[Mapping[str, Any]], has_picture: bool) -> str:
    names = [one.name for one in config.objectives if one.name not in ("accuracy", "params", "macs")]
    lines = []
    for row in rows:
        accuracies = (row["accuracy"][part] for part in ("test", "valid"))
        lines.append(
            (
                f"[{row['folder']}]({row['folder']}/{CARD_FILE})",
                *(objective.formatted("accuracy", value) for value in accuracies),
                f"{row['params']:,}",
                f"{row['macs']:,}",
                *(objective.formatted(name, row["metrics"].get(name)) for name in names),
            )
        )
    head = ("network", "test accuracy", "valid accuracy", "params", "multiply-adds", *names)
    wanted = ", ".join(f"{one.name} ({one.direction})" for one in config.objectives)
    picture = f"\n\n![The front]({FRONT_FILE})" if has_picture else ""
    return (
        f"# {plain(config.name)}: the best networks\n\nNo trained network of the search is better than one of these in "
        f"every objective: {wanted}.{picture}\n\n{table(head, lines)}\n"
    )
