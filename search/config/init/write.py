"""`genome init`: look at the images and the device, choose, and write the file of a first study."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from search.config.init.device import Device, probe
from search.config.init.images import Images, look, study_name
from search.config.init.limits import choose
from search.config.init.study_file import FirstStudy, study_text
from search.config.init.training import plan_training, usual_batch, usual_epochs
from search.config.init.wishes import Wishes
from search.errors import StudyError
from trainer import files
from trainer.data.reading import Reading


class Written(NamedTuple):
    """A file that was written, and what it was written from."""

    file: Path
    study: FirstStudy


def first_study(wishes: Wishes, images: Images, device: Device) -> FirstStudy:
    """Choose limits, widths and recipe: the same choice for the same arguments.

    Raises StudyError, one sentence, where the limits leave no choice.
    """
    batch = usual_batch(images.train, device)
    chosen = choose(wishes, images, device, usual_epochs(images.train), batch)
    inside = chosen.room.inside(chosen.limits.inside)
    return FirstStudy(images, device, wishes, chosen, plan_training(wishes, images, device, inside, batch))


def write(
    place: str, wishes: Wishes, to: Path | None, reading: Reading, root: str | None, is_full: bool
) -> Written:
    """Write the study file of the images at a place, `to` or the study's name.

    Raises StudyError where the file exists, trainer.DataError for images that cannot be read, one sentence each.
    """
    file = to or Path(f"{study_name(place)}.yaml")
    _check_new(file)
    images = look(place, reading, root)
    found = first_study(wishes, images, probe(images.input, images.classes))
    files.write(file, study_text(found, file.parent, is_full).encode())
    return Written(file, found)


def _check_new(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise StudyError(f"{file} exists and is not overwritten; name another file with --to")
    if file.suffix not in (".yaml", ".yml"):
        raise StudyError(f"--to is {file}; a study file ends in .yaml")
