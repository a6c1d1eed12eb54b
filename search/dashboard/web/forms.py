"""A form that a page sent: its fields, once it is known to come from a page of this server."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

MOST_BYTES = 400_000  # of a form: a long genome, each character of it written as three
MOST_FIELDS = 8
TYPE = "application/x-www-form-urlencoded"
TOKEN = "token"  # the field in which every form has it


class FormError(ValueError):
    """A form that is refused; the message is one sentence, `status` the answer's."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def read_form(request: Request, token: str, names: Collection[str]) -> Mapping[str, str]:
    """Return the fields of a form, the token left out; one that was left empty is the empty text.

    Raises FormError for one that is too long, cannot be read, has other fields than `names`, or not the token.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise FormError(f"the form is longer than {MOST_BYTES:,} bytes", 413)
    fields = _fields(bytes(body))
    if not hmac.compare_digest(fields.pop(TOKEN, "").encode(), token.encode()):
        raise FormError(
            "this form is of an earlier start of the dashboard; open its page again and send it from there",
            403,
        )
    if unknown := sorted(fields.keys() - set(names)):
        raise FormError(f"{unknown[0][:40]!r} is nothing that this form knows")
    return {name: fields.get(name, "").replace("\r\n", "\n") for name in names}


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise FormError("what was sent is no form that a page of the dashboard has") from None
    if len(dict(pairs)) != len(pairs):
        raise FormError("a field is given twice; give it once")
    return dict(pairs)
