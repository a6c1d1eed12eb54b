"""The formats by name. A format is a file beside this one, with `write` and `load`, and an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from search.errors import StudyError
from search.results.formats import executorch, litert, ncnn, onnx, openvino, pt2
from search.results.formats.format import Format

FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("pt2", ("model.pt2",), (), "", pt2.write, pt2.__file__),
        Format(
            "onnx", ("model.onnx",), ("onnx", "onnxscript", "onnxruntime"), "onnx", onnx.write, onnx.__file__
        ),
        Format("openvino", openvino.FILES, ("openvino",), "openvino", openvino.write, openvino.__file__),
        Format("ncnn", ncnn.FILES, ("ncnn", "pnnx"), "ncnn", ncnn.write, ncnn.__file__),
        Format(
            "litert",
            ("model.tflite",),
            ("litert_torch", "ai_edge_litert"),
            "litert",
            litert.write,
            litert.__file__,
        ),
        Format(
            "executorch", ("model.pte",), ("executorch",), "executorch", executorch.write, executorch.__file__
        ),
    )
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
