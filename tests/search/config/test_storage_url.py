"""The storage of a study: databases of other kinds are refused where the study is read."""

import pytest

from search.config.checks import database_url


@pytest.mark.parametrize("url", ["mysql://host/name", "oracle+cx://host/name", "mssql://x"])
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a study can be stored in sqlite or postgresql"):
        database_url(url)


@pytest.mark.parametrize(
    "url", ["postgresql://user@host/name", "postgresql+psycopg://host/name", "sqlite:///a.db"]
)
def test_these_are_taken(url: str) -> None:
    assert database_url(url) == url
