"""evaluation.json: an evaluation as plain values, and back, each value checked."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from genome.exits.calibration import Bin
from search.results.evaluation.evaluation import Answer, Evaluation, SheetRow

EVALUATION_FILE = "evaluation.json"
FORMAT = 1
PNG = b"\x89PNG\r\n\x1a\n"  # how every PNG begins
LARGEST = 1 << 26  # bytes of a file that is read
COUNTS = ("images", "predicted", "right")

T = TypeVar("T")


def to_json(found: Evaluation) -> dict[str, Any]:
    """Return plain values."""
    return {
        "format": FORMAT,
        **found._asdict(),
        "classes": list(found.classes),
        "calibration_error": found.calibration_error,
        "reliability": [one._asdict() for one in found.reliability],
        "worst": [{**one._asdict(), "png": _text(one.png)} for one in found.worst],
        "sheet": [{**one._asdict(), "png": _text(one.png)} for one in found.sheet],
    }


def of_json(plain: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation of plain values. Raises ValueError for anything but what `to_json` returns."""
    try:
        return _checked(plain)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a value is missing or of another kind ({error})") from None


def _checked(plain: Mapping[str, Any]) -> Evaluation:
    if plain["format"] != FORMAT:
        raise ValueError(f"its format is {plain['format']!r}; this version reads {FORMAT}")
    classes = [_word(one) for one in _list(plain["classes"])]
    size = len(classes)

    def label(value: Any) -> int:
        return _count(value, size - 1)

    return Evaluation(
        _word(plain["weights"]),
        _word(plain["data"]),
        _word(plain["data_digest"]),
        classes,
        plain["is_multilabel"] is True,
        _count(plain["images"]),
        _share(plain["accuracy"]),
        _number(plain["loss"]),
        {
            **{key: _each(plain["by_class"][key], _count, size) for key in COUNTS},
            "auc": [None if one is None else _share(one) for one in _list(plain["by_class"]["auc"])],
        },
        None
        if plain["confusion"] is None
        else _each(plain["confusion"], lambda row: _each(row, _count, size), size),
        [_bin(one) for one in _list(plain["reliability"])],
        [_answer(one, label) for one in _list(plain["worst"])],
        [
            SheetRow(label(one["label"]), _count(one["images"]), _count(one["shown"]), _png(one["png"]))
            for one in _list(plain["sheet"])
        ],
    )


def _bin(plain: Mapping[str, Any]) -> Bin:
    return Bin(_count(plain["answers"]), _share(plain["confidence"]), _share(plain["accuracy"]))


def _answer(plain: Mapping[str, Any], label: Callable[[Any], int]) -> Answer:
    return Answer(
        _count(plain["number"]),
        [label(one) for one in _list(plain["wanted"])],
        [label(one) for one in _list(plain["said"])],
        _number(plain["loss"]),
        [(label(one), _share(share)) for one, share in _list(plain["probabilities"])],
        _png(plain["png"]),
    )


def _text(png: bytes) -> str:
    return b64encode(png).decode()


def _png(value: Any) -> bytes:
    content = b64decode(_word(value), validate=True)
    if not content.startswith(PNG):
        raise ValueError("a picture in it is no PNG")
    return content


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _each(value: Any, read: Callable[[Any], T], length: int) -> list[T]:
    found = [read(one) for one in _list(value)]
    if len(found) != length:
        raise ValueError(f"a list in it has {len(found)} values; there are {length} classes")
    return found


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _count(value: Any, most: float = math.inf) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{str(value)[:40]} stands where a count or a class is expected")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]} stands where a number is expected")
    return float(value)


def _share(value: Any) -> float:
    number = _number(value)
    if not -1e-9 <= number <= 1 + 1e-9:
        raise ValueError(f"{number} stands where a share is expected")
    return min(max(number, 0.0), 1.0)
