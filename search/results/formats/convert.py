"""The conversion of a network into the files of a format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.results.formats.format import Format, Refused
from search.results.formats.quiet import quiet

if TYPE_CHECKING:
    from search.results.pixels import Pixels


def file_of(one: Format, module: Pixels) -> dict[str, bytes]:
    """Return the files of a network in a format, by name. Raises Refused where the converter fails."""
    import torch

    example = torch.zeros(2, *module.input, dtype=torch.uint8)
    try:
        with quiet():
            return one.write(module, example, module.outs, module.about)
    except Exception as error:  # converters raise errors of every kind
        said = " ".join(str(error).split())[:200]
        raise Refused(f"its converter fails ({type(error).__name__}: {said})") from error
