"""Checks of single values of a study file, as validators of pydantic; each complaint begins behind the key's name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genome import GenomeError, zoo
from genome.yaml.source import shown
from search import objective
from search.config.engine import ENGINES, LOCAL, address_complaint
from search.config.exits import share_of
from search.config.latency import RUNTIMES
from search.objective import MEASURES, Source
from search.pruners import registry as pruners
from search.samplers import registry as samplers
from search.samplers.base import AUTO, NONE, SUFFIX
from trainer import parse_bytes, parse_seconds
from trainer.proxies import PROXIES

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
DATABASE_URL = re.compile(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://")
DATABASES = ("sqlite", "postgresql")
ARTIFACT_SCHEMES = ("s3", "gs", "file")
SQLITE_FILE_URL = re.compile(r"[a-z0-9_+]+:///(?!:memory:)[^?]+")


def study_name(name: str) -> str:
    """Refuse a name that could be a path."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"is {shown(repr(name))}; a name has letters, digits, `.`, `_` or `-`, a letter or digit first, "
            "64 at most, and is no path"
        )
    return name


def _word(choices: tuple[str, ...]) -> Callable[[str], str]:
    def check(word: str) -> str:
        if word not in choices:
            raise ValueError(f"is {shown(repr(word))}; it may be {', '.join(choices)}")
        return word

    return check


def database_url(url: str) -> str:
    """Refuse what is no URL of a database. The message does not repeat the text, which may hold a password."""
    if not DATABASE_URL.match(url):
        raise ValueError(
            "is no database URL such as postgresql://user@host/name; correct it, or leave it out"
        )
    if url.partition(":")[0].partition("+")[0] not in DATABASES:
        raise ValueError(f"is a database of another kind; a study can be stored in {' or '.join(DATABASES)}")
    if url.startswith("sqlite") and not SQLITE_FILE_URL.match(url):
        raise ValueError("names no file; the URL of an SQLite file has three slashes: sqlite:///study.db")
    return url


def artifacts_url(url: str) -> str:
    """Refuse what is no folder. The message does not repeat the text, which may hold a key."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in ARTIFACT_SCHEMES:
        raise ValueError(
            "is no place for files; write s3://bucket/prefix, gs://bucket/prefix or file:///folder, or leave it out"
        )
    if "@" in rest or "?" in rest:
        raise ValueError(
            "holds a key or options; take them out, and give keys by the environment of the process"
        )
    if scheme == "file" and not rest.startswith("/"):
        raise ValueError("names no folder; the URL of a folder has three slashes: file:///nfs/studies")
    if not rest.strip("/"):
        raise ValueError("names no bucket or folder; write it behind the slashes")
    return url.rstrip("/")


def device(word: str) -> str:
    """Refuse what is no device."""
    if not DEVICE.fullmatch(word):
        raise ValueError(f"is {shown(repr(word))}; it may be auto, cpu, cuda or cuda:N")
    return word


def engine(value: Any) -> Any:
    """Take the name of an engine in place of a mapping; give a mapping."""
    if isinstance(value, dict) and len(value) <= 1:
        return {name: {} if inner is None else inner for name, inner in value.items()}
    if value not in ENGINES:
        raise ValueError(
            f"is {shown(repr(value))}; it may be {', '.join(ENGINES)}, or such as {{ray: {{gpus: 0.5}}}}"
        )
    return {} if value == LOCAL else {value: {}}


def ray_address(address: str) -> str:
    """Refuse what is no address of a Ray cluster."""
    if wrong := address_complaint(address):
        raise ValueError(wrong)
    return address


def workers(value: Any) -> Any:
    """Take auto or a number."""
    if value != "auto" and (type(value) is not int or not 1 <= value <= 256):
        raise ValueError(f"is {shown(repr(value))}; it may be auto or a whole number 1..256")
    return value


def objectives(value: Any) -> Any:
    """Take one name, a list of names, or names with directions; give names with directions."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list):
        usual = {name: measure.directions[0] for name, measure in MEASURES.items()}
        names = {name: usual.get(name, "") for name in names if isinstance(name, str)}
    if not isinstance(names, dict) or not names:
        raise ValueError(f"is {shown(repr(value))}; write such as {{accuracy: maximize, macs: minimize}}")
    for name, direction in names.items():
        if wrong := objective.complaint(name, direction):
            raise ValueError(wrong)
    told = [name for name, measure in MEASURES.items() if measure.source is Source.TRAINING]
    if not set(names) & set(told):
        raise ValueError(f"is {', '.join(names)}; one of {', '.join(told)} must be among them")
    return names


def until(value: Any) -> Any:
    """Refuse targets that are no numbers, and shares that no network has, such as percent."""
    if not isinstance(value, dict) or not value:
        raise ValueError("must be a mapping of objectives to values, such as {accuracy: 0.99}")
    for name, target in value.items():
        if isinstance(target, bool) or not isinstance(target, int | float) or not math.isfinite(target):
            raise ValueError(f"has {name}: {shown(repr(target))}; a target is a number, such as 0.99")
        if name in MEASURES and MEASURES[name].perfect == 1.0 and not 0 < target <= 1:
            raise ValueError(f"has {name}: {target:g}; it is a share above 0, at most 1, such as 0.99")
    return {str(name): float(target) for name, target in value.items()}


def named(value: Any) -> Any:
    """Take a name in place of a mapping with one."""
    return {"name": value} if isinstance(value, str) else value


def listed(value: Any) -> Any:
    """Take one in place of a list of one."""
    return [value] if isinstance(value, str) else value


def size(value: Any) -> Any:
    """Take a size in bytes, or with a unit."""
    return parse_bytes(value, "memory")


def latency(value: Any) -> Any:
    """Take a time in seconds, or with a unit."""
    try:
        return parse_seconds(value, "latency")
    except ValueError:
        raise ValueError(
            f"is {shown(repr(value))}; it must be a time such as 2ms or 0.5s, or seconds above 0"
        ) from None


def drop(value: Any) -> Any:
    """Take points of accuracy."""
    share_of(value)
    return value


def runtime(word: str) -> str:
    """Take the name of a runtime."""
    return _word(tuple(RUNTIMES))(word)


def exists(name: str) -> bool:
    """Whether there is a file or folder of that name."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long, a NUL in it
        return False


def sampler_name(word: str) -> str:
    """Take the name of a sampler, of today or of an earlier version; give that of today."""
    return _word(samplers.names())(samplers.current(word))


def pruner_name(word: str) -> str:
    """Take the name of a pruner."""
    return _word(pruners.names())(word)


def proxies(words: list[str]) -> list[str]:
    """Take one or more proxies, each once."""
    if not words or len(set(words)) < len(words):
        raise ValueError(f"is {shown(str(words))}; give one or more, each once: {', '.join(PROXIES)}")
    return [_word(PROXIES)(word) for word in words]


def references(value: Any) -> Any:
    """Take auto, none, or names of the zoo; nothing is the same as auto."""
    if value in ("auto", "none"):
        return value
    if not isinstance(value, list) or not all(
        isinstance(word, str) and word.startswith("zoo:") for word in value
    ):
        raise ValueError(f"is {shown(repr(value))}; it may be auto, none, or a list such as [zoo:resnet-20]")
    for word in value:
        try:
            zoo.entry(word.removeprefix("zoo:"))
        except GenomeError as error:
            raise ValueError(f"has {word}: {error}") from None
    return value


def experience(value: Any) -> Any:
    """Take auto, none, or the name of a file of experience."""
    is_file = isinstance(value, str) and value.endswith(SUFFIX) and value.isprintable()
    if value not in (AUTO, NONE) and not is_file:
        raise ValueError(
            f"is {shown(repr(value))}; it may be auto, none, or a file of `genome experience` such as mine{SUFFIX}"
        )
    return value


def finale(value: Any) -> Any:
    """Take none or a mapping; give a mapping."""
    if value != "none" and not isinstance(value, dict):
        raise ValueError(
            f"is {shown(repr(value))}; it may be none, or such as {{share: 0.2, top: 3, seeds: 3}}"
        )
    return {"top": 0} if value == "none" else value
