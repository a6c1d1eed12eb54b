"""The formats by name. A format is a file beside this one and an entry here.

The file has FILES, NEEDS, BATCH, `write` and `load`; see `Format`."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from search.errors import StudyError
from search.results.formats import executorch, litert, ncnn, onnx, openvino, pt2
from search.results.formats.format import Format


def _format(name: str, module: ModuleType) -> Format:
    return Format(name, module.FILES, module.NEEDS, module.write, str(module.__file__), module.BATCH)


FORMATS: Mapping[str, Format] = {
    "pt2": _format("pt2", pt2),
    "onnx": _format("onnx", onnx),
    "openvino": _format("openvino", openvino),
    "ncnn": _format("ncnn", ncnn),
    "litert": _format("litert", litert),
    "executorch": _format("executorch", executorch),
}


def chosen(words: str) -> list[Format]:
    """Return the formats of words such as `onnx,pt2`; `all` are those whose extras are installed.

    Raises:
        StudyError: a word that is no format, or a format whose extra is missing.
    """
    if words == "all":
        return [one for one in FORMATS.values() if not one.missing]
    return [_named(word) for word in dict.fromkeys(part.strip() for part in words.split(",") if part.strip())]


def _named(word: str) -> Format:
    if word not in FORMATS:
        raise StudyError(f"--formats has {word!r}; it may be all, or some of {', '.join(FORMATS)}")
    found = FORMATS[word]
    if missing := found.missing:
        raise StudyError(
            f"--formats {word} needs {', '.join(missing)}; pip install 'genome-nas[{found.extra}]'"
        )
    return found
