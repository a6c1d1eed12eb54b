"""Which status and which sentence an error becomes."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException

from search.dashboard.studies.errors import NotFound, StillReading
from search.dashboard.studies.trial_query import QueryError
from search.dashboard.web.forms import FormError
from search.errors import StudyError

NO_PAGE = "there is no such page"
# every kind of error that the application answers with a page
KINDS = (StillReading, StudyError, NotFound, QueryError, FormError, HTTPException, Exception)


def status_and_message(error: Exception) -> tuple[int, str]:
    """Return the HTTP status of an error and one sentence for the reader."""
    match error:
        case NotFound():
            return 404, str(error)
        case QueryError():
            return 400, str(error)
        case StudyError():
            return 503, str(error)
        case FormError():
            return error.status, str(error)
        case HTTPException(status_code=405):
            return 405, "this address only takes a form that a page of the dashboard sends"
        case HTTPException(status_code=404):
            return 404, NO_PAGE
        case HTTPException():
            return error.status_code, HTTPStatus(error.status_code).phrase.lower()
    return 500, f"this page could not be made ({type(error).__name__}: {error})"
