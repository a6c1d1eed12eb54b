"""Settings of all tests."""

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Missing, Server, server

# Two processes share two cores: a slow example or a slow draw is no failure. The examples are the same in every run:
# an example that fails for one person fails for all.
settings.register_profile(
    "shared cores", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared cores")

# A shell that starts tests in the background has them, and all processes that they start, ignore Ctrl-C
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their number: what is packed may hold the time, and every process must collect the same tests."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def chance() -> None:
    """Seed torch, so that the draws of a test do not depend on which tests ran before in its process."""
    if torch := sys.modules.get("torch"):  # a process that has not imported torch starts with the seed anyway
        torch.default_generator.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' measurements of this machine out of the user's cache; child processes inherit the setting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENOME_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; without one, the tests that ask for it are skipped."""
    try:
        with server() as made:
            yield made
    except Missing as why:
        pytest.skip(str(why))
