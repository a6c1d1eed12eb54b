"""Takes away from this project what macOS or Windows lacks. Python imports this file as it starts, in every process.

GENOME_TEST_SYSTEM is `macos` or `windows`. The modules of this project see libraries without what that system lacks;
the libraries themselves see Linux, on which they run.
"""

import builtins
import fcntl
import os
import struct
import sys
from collections.abc import Mapping
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any

OURS = ("genome", "trainer", "search")

# of each module the names that are not there, and those that are something else
ABSENT = {
    "macos": {"os": "sched_getaffinity posix_fadvise", "psutil.Process": "cpu_affinity"},
    "windows": {
        "os": "sched_getaffinity fork forkpty killpg getpgid setsid getuid geteuid getpwuid fchmod pread pwrite mkfifo "
        "uname sysconf statvfs waitid WNOHANG O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_SYNC",
        "signal": "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGSTOP SIGCONT SIGCHLD SIGALRM alarm setitimer pthread_sigmask "
        "pthread_kill sigwait",
        "socket": "AF_UNIX",
        "time": "clock_gettime tzset",
        "multiprocessing": "forkserver",
    },
}
CHANGED: dict[str, dict[str, dict[str, Any]]] = {
    "macos": {"sys": {"platform": "darwin"}},
    "windows": {
        "os": {"supports_dir_fd": set(), "supports_follow_symlinks": set(), "sep": "/"},
        "multiprocessing": {"get_all_start_methods": lambda: ["spawn"]},
        "ctypes": {"CDLL": None},
    },
}
MISSING = {
    "macos": set[str](),
    "windows": {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty"},
}


class Lacking(ModuleType):
    """A module without some of its names."""

    def __init__(self, whole: ModuleType, absent: set[str], changed: Mapping[str, Any]) -> None:
        super().__init__(whole.__name__)
        self.__dict__.update(_whole=whole, _absent=absent, **changed)

    def __getattr__(self, name: str) -> Any:
        if name in self._absent:
            raise AttributeError(f"{self.__name__} has no {name} on this system")
        return getattr(self._whole, name)


def region_lock(file: int, how: int, length: int) -> None:
    """`msvcrt.locking`: a lock of the bytes from the present position on, which belongs to the open file."""
    can_write = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY  # Linux needs it for F_WRLCK
    kind = fcntl.F_UNLCK if how == 0 else fcntl.F_WRLCK if can_write else fcntl.F_RDLCK
    start = os.lseek(file, 0, os.SEEK_CUR)
    command = fcntl.F_OFD_SETLKW if how == 1 else fcntl.F_OFD_SETLK
    fcntl.fcntl(file, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))


MSVCRT = SimpleNamespace(LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2, locking=region_lock)


def is_ours(frame: FrameType | None) -> bool:
    """Whether the code nearest to a frame that is not part of Python is of this project."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module in OURS:
            return True
        if module not in {"pathlib", "os", "posixpath", "genericpath", "io", "_pyio", "sitecustomize"}:
            return False
        frame = frame.f_back
    return False


def take_away(system: str) -> None:
    """Change what the modules of this project import, and hide /proc from them."""
    whole_import, whole_stat = builtins.__import__, os.stat
    made: dict[str, Lacking] = {}

    def seen(module: ModuleType) -> ModuleType:
        name = module.__name__
        absent = set(ABSENT[system].get(name, "").split())
        changed = dict(CHANGED[system].get(name, {}))
        if name == "psutil" and system == "macos":
            changed["Process"] = process_without(module, ABSENT[system]["psutil.Process"])
        if name == "ctypes" and system == "windows":
            changed["CDLL"] = named_only(module.CDLL)
        if not absent and not changed:
            return module
        return made.setdefault(name, Lacking(module, absent, changed))

    def importing(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if level or str((globals or {}).get("__name__", "")).partition(".")[0] not in OURS:
            return whole_import(name, globals, locals, fromlist, level)
        if name in MISSING[system]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name == "msvcrt" and system == "windows":
            return MSVCRT
        return seen(whole_import(name, globals, locals, fromlist, level))

    def stat(path: Any, *rest: Any, **named: Any) -> os.stat_result:
        if is_proc(path) and is_ours(sys._getframe(1)):
            raise FileNotFoundError(2, "No such file or directory", path)
        return whole_stat(path, *rest, **named)

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and is_proc(args[0]) and is_ours(sys._getframe(1)):
            raise FileNotFoundError(2, "No such file or directory", args[0])

    builtins.__import__, os.stat = importing, stat
    sys.addaudithook(audit)


def is_proc(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and os.fspath(path).startswith("/proc/")


def process_without(psutil: ModuleType, name: str) -> type:
    """`psutil.Process` without a method."""

    class Process(psutil.Process):  # type: ignore[name-defined,misc]
        def __getattribute__(self, asked: str) -> Any:
            if asked == name and is_ours(sys._getframe(1)):
                raise AttributeError(name)
            return super().__getattribute__(asked)

    return Process


def named_only(whole: Any) -> Any:
    """`ctypes.CDLL`, which on Windows needs a name."""

    def load(name: str | None, *rest: Any) -> Any:
        if name is None:
            raise TypeError("argument of type 'NoneType' is not iterable")
        return whole(name, *rest)

    return load


if system := os.environ.get("GENOME_TEST_SYSTEM"):
    take_away(system)
