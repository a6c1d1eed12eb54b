"""Measurements of this machine that later processes reuse, in small files of the user's cache."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.system import file_lock, folders
from trainer.system.cpu import cpu_fields, cpu_name

if TYPE_CHECKING:
    import torch

MAX_FACTS = 10_000  # in a file; the oldest are dropped
FACTS = "facts"  # the file of what belongs to no other


def recall(key: str) -> Any:
    """Return the value that this process or an earlier one stored under `key`, or None."""
    return facts().recall(key)


def remember(key: str, value: Any) -> None:
    """Store a plain JSON value under `key`, for this process and, if the cache can be written, for later ones."""
    facts().remember(key, value)


def machine(device: "torch.device") -> str:
    """Return what measured times depend on: the device, torch and, on the CPU, the number of threads."""
    import torch

    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{processor()}, torch {torch.__version__}, threads {torch.get_num_threads()}"


def facts(name: str = FACTS) -> "Facts":
    """Return the measurements of this user in the file of a name."""
    return _in_folder(os.environ.get("GENOME_CACHE"), os.environ.get("XDG_CACHE_HOME"), name)


def folder() -> Path:
    """Return the folder of the measurements of this user, which may not exist yet."""
    return _folder(os.environ.get("GENOME_CACHE"), os.environ.get("XDG_CACHE_HOME"))


class Facts:
    """The measurements in one file of a folder, which any number of processes may read and write at once.

    A file that is damaged or cannot be read or written is no error: facts then last as long as this object.
    """

    def __init__(self, folder: Path, name: str = FACTS) -> None:
        self._file = folder / f"{name}.json"
        self._own: dict[str, Any] = {}
        self._read: dict[str, Any] = {}
        self._stamp: tuple[int, ...] = ()

    def recall(self, key: str) -> Any:
        """Return the value under `key`, or None."""
        if key in self._own:
            return self._own[key]
        if key not in self._read:
            self._refresh()
        return self._read.get(key)

    def remember(self, key: str, value: Any) -> None:
        """Store a plain JSON value under `key`, in place of an earlier one."""
        self._own[key] = value
        with suppress(OSError), self._alone():
            found = _parsed(self._file)
            found.pop(key, None)  # so that the new value is appended as the newest
            found[key] = value
            self._replace(dict(list(found.items())[-MAX_FACTS:]))

    def all(self) -> Mapping[str, Any]:
        """Return every value by its key, the oldest first."""
        self._refresh()
        return {**self._read, **self._own}

    def _refresh(self) -> None:
        """Read the file again if it was replaced since."""
        with suppress(OSError):
            now = self._file.stat()
            stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
            if stamp != self._stamp:
                self._read, self._stamp = _parsed(self._file), stamp

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing. The kernel releases the lock of a process that ends."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("a") as lock:
            file_lock.wait_and_lock(lock.fileno())
            try:
                yield
            finally:
                file_lock.unlock(lock.fileno())

    def _replace(self, facts: dict[str, Any]) -> None:
        """Replace the file atomically."""
        new = self._file.with_suffix(".new")  # one name is enough: the lock admits one writer
        new.write_text(json.dumps(facts, indent=0), encoding="utf-8")
        folders.replace(new, self._file)


def _parsed(file: Path) -> dict[str, Any]:
    """Return the content of a file, oldest first; nothing if it is absent or no JSON mapping. Raises OSError."""
    try:
        facts = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


@cache
def _in_folder(own: str | None, shared: str | None, name: str = FACTS) -> Facts:
    """Return the facts of the folder that the environment names, else of the user's cache."""
    return Facts(_folder(own, shared), name)


def _folder(own: str | None, shared: str | None) -> Path:
    if own:
        return Path(own)
    # a user without a home keeps `~`; below /dev/null, which is no folder, nothing is written
    home = os.path.expanduser("~")
    return Path(shared or (os.path.join(home, ".cache") if home != "~" else os.devnull), "genome")


def processor() -> str:
    """Return the processor's name with family and model, because virtual processors may share a name."""
    fields = cpu_fields()
    named = [fields[name] for name in ("model name", "cpu family", "model") if name in fields]
    return " ".join(named) or cpu_name()
