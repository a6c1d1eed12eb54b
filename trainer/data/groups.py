"""Groups: what may not be in two splits, such as a patient or a scene, of every file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.data.encoded import File
from trainer.errors import DataError


def numbered_groups(place: Path, names: Mapping[str, Sequence[str]]) -> Mapping[str, list[int]]:
    """Return the number of the group of each file, by part. Raises DataError for a group that is in two parts.

    names: the name of the group of each file, by part.
    """
    part_of: dict[str, str] = {}
    for part, each in names.items():
        for name in each:
            if (other := part_of.setdefault(name, part)) != part:
                raise DataError(
                    f"{place}: the group {name} is in {other} and in {part}; move all of its images to one of them, "
                    "or take group out to use the splits as they are"
                )
    numbers = {name: number for number, name in enumerate(sorted(part_of))}
    return {part: [numbers[name] for name in each] for part, each in names.items()}


def groups_of_files(root: Path, files: Sequence[File], pattern: str) -> list[str]:
    r"""Return the group of each file: the bracketed part of its path below the root, as of patient(\d+).

    pattern: a regular expression that is searched in the path; without brackets its whole match is the group.
    Raises DataError for a pattern that is none, and for files in which it is not found.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"group is {pattern!r}, which is no regular expression ({error})") from None
    if compiled.groups > 1:
        raise DataError(
            f"group is {pattern!r}; it must have one pair of brackets, around the name of the group"
        )
    found = [compiled.search(_below(root, file)) for file in files]
    lacking = [
        file for file, match in zip(files, found, strict=True) if not (match and match[compiled.groups])
    ]
    if lacking:
        raise DataError(
            f"{lacking[0]} has no part that group: {pattern!r} describes ({len(lacking)} of {len(files)} files in "
            r"all); group is a regular expression such as patient(\d+), whose brackets hold the name of the group"
        )
    return [match[compiled.groups] for match in found if match]


def _below(root: Path, file: File) -> str:
    return file.relative_to(root).as_posix() if isinstance(file, Path) else file.name
