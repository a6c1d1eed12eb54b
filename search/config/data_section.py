"""The sections `data:` and `valid:` of a study file: the images, how their files are read, and folds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from genome.yaml.source import shown
from search.config import checks
from search.config.dataset import SHAPES
from search.config.sections import Section
from trainer.data.reading import Reading

MOST_FOLDS = 20


def _read(key: str) -> AfterValidator:
    """Let the reader of images judge one key of its own: its sentence is ours."""

    def check(value: Any) -> Any:
        Reading.parse({key: value})
        return value

    return AfterValidator(check)


def _told(meaning: str, kind: str, unset: str = "told by the files, else refused") -> Any:
    return Field(default=None, description=meaning, json_schema_extra={"kind": kind, "unset": unset})


class DataSection(Section):
    """`data:`"""

    name: str | None = Field(
        default=None, description=f"A known data set, one of {', '.join(SHAPES)}; or a path, as in `path`."
    )
    path: str | None = Field(
        default=None,
        description="Images of your own, in one of the [layouts](data.md): a folder with one subfolder per class, an "
        "`.npz` file, a CSV file. It is always a path, also `digits`. A relative path is relative to the study file.",
    )
    root: str | None = Field(
        default=None,
        description="Folder that holds the named data sets; `--data-root` overrides it. Missing sets are downloaded "
        "into it.",
        json_schema_extra={"unset": "`GENOME_DATA`, else `~/.cache/genome/data`"},
    )
    mirror: bool | None = Field(
        default=None,
        description="Whether a mirrored image keeps its class, so that training may flip images.",
        json_schema_extra={"unset": "known for named sets, `false` for your own images"},
    )
    size: Annotated[Any, _read("size")] = _told(
        "Height and width in pixels to which pictures are resized; `auto` is the median side, at most 96.",
        "whole number, `[height, width]` or `auto`",
        "no resizing",
    )
    fit: Annotated[Any, _read("fit")] = _told(
        "How a picture of other proportions becomes `size`: stretched, its middle cropped, or padded with black.",
        "`stretch`, `crop` or `pad`",
        "`stretch`",
    )
    draft: Annotated[Any, _read("draft")] = _told(
        "Whether JPEG files at least four times as large as `size` are decoded at a half, quarter or eighth of theirs: "
        "faster, by slightly other pixels.",
        "`true` or `false`",
        "`false`",
    )
    megapixels: Annotated[Any, _read("megapixels")] = _told(
        "The largest picture that is read, in millions of pixels.", "number", "89, Pillow's limit"
    )
    damaged: Annotated[Any, _read("damaged")] = _told(
        "The share of picture files that may be damaged, such as `1%`: they are named and left out.",
        "share below 50%",
        "a damaged file is refused",
    )
    layout: Annotated[Any, _read("layout")] = _told(
        "How the files lie ([layouts](data.md)).", "a word of the layouts"
    )
    channels: Annotated[Any, _read("channels")] = _told(
        "Which axis of an array of images is the channels.", "`first` or `last`"
    )
    alpha: Annotated[Any, _read("alpha")] = _told(
        "The ground below transparent pixels; `drop` takes the colours that are stored below the transparency.",
        "`white`, `black` or `drop`",
    )
    bits: Annotated[Any, _read("bits")] = _told(
        "Bits a channel of the pixels, such as 12: the values `0 .. 2**bits - 1` are black to white.",
        "whole number",
    )
    depth: Annotated[Any, _read("depth")] = _told(
        "Bits a channel in which pixels are kept for the training.",
        "`8` or `16`",
        "8 where they hold every value",
    )
    range: Annotated[Any, _read("range")] = _told(
        "The values that are black and white; values outside are clipped.", "`[low, high]`"
    )
    pages: Annotated[Any, _read("pages")] = _told(
        "Of files with several pages or frames: the first alone, or each as an image of the class.",
        "`first` or `each`",
    )
    classes: Annotated[Any, _read("classes")] = _told(
        "The folders that are the classes; of arrays and tables, the names of the classes by their labels.",
        "list of text",
    )
    multilabel: Annotated[Any, _read("multilabel")] = _told(
        "Whether an image may have several labels, or none, in place of one class ([several "
        "labels](data.md#several-labels)).",
        "`true` or `false`",
        "`false`",
    )
    skip: Annotated[Any, _read("skip")] = _told(
        "Patterns of files that are left out, such as `'*_mask.png'`.",
        "list of text",
        "masks beside their images",
    )
    image: Annotated[Any, _read("image")] = _told("Column of files, or array of images.", "text")
    label: Annotated[Any, _read("label")] = _told("Column or array of labels.", "text")
    group: Annotated[Any, _read("group")] = _told(
        "Images of one group, such as a patient, are never in two splits: a column of a table, or of class folders a "
        "regular expression that finds it in a file's path.",
        "text",
    )


class ValidSection(Section):
    """`valid:`"""

    folds: Annotated[int, Field(ge=2, le=MOST_FOLDS)] | None = Field(
        default=None,
        description="Train every network once for each of so many folds; its scores are the means over the folds.",
        json_schema_extra={"kind": f"whole number 2..{MOST_FOLDS}", "unset": "one split"},
    )


def one_source(data: DataSection) -> DataSection:
    """Refuse data with no source, with two, or with a name that is not known."""
    if bool(data.name) == bool(data.path):
        raise ValueError(
            "needs one of `name:` (a known data set) and `path:` (a file or folder of images of yours)"
        )
    if (
        data.name
        and data.name not in SHAPES
        and not re.search(r"[/\\.~]", data.name)
        and not checks.exists(data.name)
    ):
        known = ", ".join(SHAPES)
        raise ValueError(
            f"is {shown(repr(data.name))}; it may be {known} or a path that exists, such as ./images"
        )
    return data
