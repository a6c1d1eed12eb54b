"""Settings of all tests."""

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Missing, Server, server

# Two processes share two cores: an example that waits its turn is no failure, nor is a slow draw. The examples are the
# same each time: what fails for one fails for all.
settings.register_profile(
    "shared cores", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared cores")

# A shell that starts tests in the background has them ignore Ctrl-C, and so all that they start
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def chance() -> None:
    """What a test draws does not hang on which tests its process ran before: that is as the machine's speed has it."""
    if torch := sys.modules.get("torch"):  # who has not imported it yet begins with its first numbers
        torch.default_generator.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests remember about this machine stays out of the user's cache; processes that they start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENOME_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; where there can be none, who asks for it is skipped."""
    try:
        with server() as made:
            yield made
    except Missing as why:
        pytest.skip(str(why))
