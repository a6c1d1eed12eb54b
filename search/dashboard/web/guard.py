"""The guard in front of every page: it checks who asks and for what, and sets the security headers of the answer."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.dashboard.web.forms import MOST_BYTES, TYPE

METHODS = ("GET", "HEAD")
# the addresses that take a form; each of them also requires the token of the page
FORMS = re.compile(r"/study/[^/]+/(?:stop|resume|enqueue|check|tag|trial/\d{1,9}/(?:star|note))", re.ASCII)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# a picture may use its own style and nothing else; the sandbox also holds where the picture is opened alone
PICTURE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; sandbox"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # sent to this server only; without any referrer a browser would not send the origin of a form either
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens at this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """An application behind the guard."""

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        """Put `app`, which listens on `host`, behind the guard.

        A browser may call the server by a loopback name or, where `host` is not loopback, by any IP address and by
        this machine's name. Every other name is refused: a foreign name may resolve to this machine (DNS rebinding).
        Every request must have `token`: given once in the address, then stored by the browser as a cookie. None
        requires no token.
        """
        self.app, self.token = app, token
        self.is_local = is_loopback(host)
        self.names = LOOPBACK | ({host} if self.is_local else {host, socket.gethostname(), socket.getfqdn()})
        self.cookie = "genome-" + hashlib.sha256((token or "").encode()).hexdigest()[:12]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        if not self._has_our_name(request.headers):
            return PlainTextResponse("the host name of this request is not a name of the dashboard\n", 400)
        is_form = request.method == "POST" and FORMS.fullmatch(request.url.path) is not None
        if request.method not in METHODS and not is_form:
            return PlainTextResponse("this address is read-only\n", 405, {"allow": ", ".join(METHODS)})
        if is_form and (refusal := _refused_form(request.headers)):
            return refusal
        if self.token is None:
            return None
        if _is_same(request.cookies.get(self.cookie, ""), self.token):
            return None
        if _is_same(request.query_params.get("token", ""), self.token):
            return self._welcome(request)
        return PlainTextResponse("open the address with the token that `genome dashboard` printed\n", 403)

    def _has_our_name(self, headers: Headers) -> bool:
        name = host_name(headers)
        return name in self.names or (not self.is_local and _is_number(name))

    def _welcome(self, request: Request) -> Response:
        """Store the token in the browser and redirect to the same page without it, so that no history holds it."""
        rest = [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
        # one leading slash: a browser would read two as the name of another machine
        target = "/" + quote(request.url.path.lstrip("/")) + (f"?{urlencode(rest)}" if rest else "")
        answer = RedirectResponse(target, 303)
        answer.set_cookie(self.cookie, self.token or "", httponly=True, samesite="lax")
        return answer


def host_name(headers: Headers) -> str:
    """Return the name by which a request calls this machine, without the port; empty where the header is invalid."""
    try:
        return urlsplit("//" + headers.get("host", "")).hostname or ""
    except ValueError:
        return ""


def _refused_form(headers: Headers) -> Response | None:
    """The refusal of a form that another site sent, or whose type or size is wrong; None for an acceptable form."""
    if not is_same_origin(headers):
        return PlainTextResponse("forms are accepted from pages of this dashboard only\n", 403)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != TYPE:
        return PlainTextResponse(f"a form must be sent as {TYPE}\n", 415)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return PlainTextResponse("a form must have a content-length header\n", 411)
    if len(length) > 9 or int(length) > MOST_BYTES:
        return PlainTextResponse(f"a form may have at most {MOST_BYTES:,} bytes\n", 413)
    return None


def is_same_origin(headers: Headers) -> bool:
    """Return whether the headers of a request show that a page of the same origin sent it; without them: False."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is None and site is None:
        return False
    if site is not None and site != "same-origin":
        return False
    host = headers.get("host", "")
    return origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add(message)
        await send(message)

    return sent


def _add(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def _is_same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
