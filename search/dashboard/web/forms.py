"""Reading a form: its fields, after its size, its token and the names of its fields have been checked."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

MOST_BYTES = 400_000  # largest form: a long genome, each character of it percent-encoded as three
MOST_FIELDS = 8
TYPE = "application/x-www-form-urlencoded"
TOKEN = "token"  # name of the field that holds the token in every form


class FormError(ValueError):
    """A form that is refused; the message is one sentence."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status  # HTTP status of the answer


async def read_form(request: Request, token: str, names: Collection[str]) -> Mapping[str, str]:
    """Return the fields of a form without its token; a missing field is an empty text.

    Raises FormError for a form that is too long or malformed, has a field not in `names`, or has a wrong token.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise FormError(f"the form is longer than {MOST_BYTES:,} bytes", 413)
    fields = _fields(bytes(body))
    if not hmac.compare_digest(fields.pop(TOKEN, "").encode(), token.encode()):
        raise FormError(
            "this form belongs to an earlier start of the dashboard; reload its page and send the form again",
            403,
        )
    if unknown := sorted(fields.keys() - set(names)):
        raise FormError(f"{unknown[0][:40]!r} is no field of this form")
    return {name: fields.get(name, "").replace("\r\n", "\n") for name in names}


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise FormError("the request body is not a form of the dashboard") from None
    if len(dict(pairs)) != len(pairs):
        raise FormError("a field is given twice; give it once")
    return dict(pairs)
