"""Facts measured once on this machine and kept for the next process, in one small file of the user's cache."""

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MOST = 10_000  # facts in the file; the newest stay


def recall(key: str) -> Any:
    """The value remembered under `key` by this process or any before it; None where there is none."""
    return _facts().recall(key)


def remember(key: str, value: Any) -> None:
    """Keep a plain JSON value under `key`: for this process, and for later ones where the cache can be written."""
    _facts().remember(key, value)


def machine(device: "torch.device") -> str:
    """What a measured time depends on beside the work: device, torch and, on the CPU, its number of threads."""
    import torch

    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{_processor()}, torch {torch.__version__}, threads {torch.get_num_threads()}"


class Facts:
    """The facts in one folder. Any number of processes may read and write them at once.

    A file that is broken, or that can't be read or written, is no error: facts then last as long as this object.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "facts.json"
        self._own: dict[str, Any] = {}
        self._read: dict[str, Any] = {}
        self._stamp: tuple[int, ...] = ()

    def recall(self, key: str) -> Any:
        """The value under `key`, or None."""
        if key in self._own:
            return self._own[key]
        if key not in self._read:
            self._refresh()
        return self._read.get(key)

    def remember(self, key: str, value: Any) -> None:
        """Put a plain JSON value under `key`, in place of what was there."""
        self._own[key] = value
        with suppress(OSError), self._alone():
            found = _parsed(self._file)
            found.pop(key, None)  # or it would stay where the older facts are
            found[key] = value
            self._replace(dict(list(found.items())[-MOST:]))

    def _refresh(self) -> None:
        """Read the file again if another was put in its place since."""
        with suppress(OSError):
            now = self._file.stat()
            stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
            if stamp != self._stamp:
                self._read, self._stamp = _parsed(self._file), stamp

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process writes meanwhile. The kernel drops the lock of one that ends."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, facts: dict[str, Any]) -> None:
        """Readers see the old file or the new one, never a part."""
        new = self._file.with_suffix(".new")  # one name for all: whoever writes is alone
        new.write_text(json.dumps(facts, indent=0), encoding="utf-8")
        new.replace(self._file)


def _parsed(file: Path) -> dict[str, Any]:
    """What a file holds, oldest first; nothing where it is no JSON mapping. Raises OSError, but not for absence."""
    try:
        facts = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _facts() -> Facts:
    return _in_folder(os.environ.get("GENOME_CACHE"), os.environ.get("XDG_CACHE_HOME"))


@cache
def _in_folder(own: str | None, shared: str | None) -> Facts:
    """The facts of the folder that the environment names, else of the user's cache."""
    if own:
        return Facts(Path(own))
    # a user without a home leaves `~`, in which nothing is made: /dev/null is no folder
    home = os.path.expanduser("~")
    return Facts(Path(shared or (os.path.join(home, ".cache") if home != "~" else os.devnull), "genome"))


@cache
def _processor() -> str:
    """The processor's name; with family and model, since virtual ones may all be called alike."""
    fields: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    named = [fields[name] for name in ("model name", "cpu family", "model") if name in fields]
    return " ".join(named) or platform.processor() or platform.machine()
