"""Settings of all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import Missing, Server, server

# Two processes share two cores: an example that waits its turn is no failure. Speeds have tests of their own.
settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")


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
