"""The attributes of a study that the dashboard uses: stars, notes and tags of trials, the last stop request, the last
launch, the names of the classes.

Optuna forbids writes to a finished trial. Each star, note and tag is therefore one attribute of the study, whose name
holds the number of the trial. Two persons who tag at the same time do not undo each other's work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.run.launch import Launch
from search.run.stop import STOP
from search.storage.data_facts import DataFacts
from search.storage.study_attributes import set_user_attrs

if TYPE_CHECKING:
    from search.storage.study import Store

KEY = re.compile(r"(star|note):(\d{1,9})", re.ASCII)
TAG_KEY = re.compile(r"tag:(\d{1,9}):([A-Za-z0-9_.-]{1,30})", re.ASCII)
TAG = re.compile(r"[A-Za-z0-9_.-]{1,30}", re.ASCII)
LONGEST_NOTE = 2000  # characters


@dataclass(frozen=True)
class StudyAttrs:
    """The attributes of a study that the dashboard uses."""

    stars: frozenset[int] = frozenset()  # numbers of the starred trials
    notes: Mapping[int, str] = field(default_factory=dict)  # by number of the trial
    tags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # by number of the trial
    stop_at: float | None = None  # unix seconds of the last stop request
    begun: Launch | None = None  # how the last run was launched
    classes: tuple[str, ...] = ()  # of the images

    @staticmethod
    def of_attrs(attrs: Mapping[str, Any]) -> StudyAttrs:
        """Read a study's attributes; an attribute of another form than this module writes is ignored."""
        stars, notes, tags = set[int](), dict[int, str](), dict[int, tuple[str, ...]]()
        for name, value in sorted(attrs.items()):
            tagged = TAG_KEY.fullmatch(name)
            if tagged and value is True:
                tags[int(tagged[1])] = (*tags.get(int(tagged[1]), ()), tagged[2])
            match = KEY.fullmatch(name)
            if match and match[1] == "star" and value is True:
                stars.add(int(match[2]))
            if match and match[1] == "note" and isinstance(value, str) and value:
                notes[int(match[2])] = value[:LONGEST_NOTE]
        at = attrs.get(STOP)
        stop_at = float(at) if isinstance(at, int | float) else None
        facts = DataFacts.of_attrs(attrs)
        classes = tuple(map(str, facts.classes)) if facts else ()
        return StudyAttrs(frozenset(stars), notes, tags, stop_at, Launch.of_attrs(attrs), classes)

    @property
    def known_tags(self) -> list[str]:
        """Every tag that some trial has."""
        return sorted({tag for tags in self.tags.values() for tag in tags})


def set_tag(store: Store, numbers: Iterable[int], tag: str, is_tagged: bool) -> None:
    """Tag trials, or take the tag away, in one transaction."""
    set_user_attrs(store.study, {f"tag:{number}:{tag}": is_tagged for number in numbers})


def set_star(store: Store, number: int, is_starred: bool) -> None:
    """Star a trial, or remove its star."""
    store.study.set_user_attr(f"star:{number}", is_starred)


def set_note(store: Store, number: int, text: str) -> None:
    """Store the note of a trial in place of the former note; an empty text removes the note."""
    store.study.set_user_attr(f"note:{number}", text)
