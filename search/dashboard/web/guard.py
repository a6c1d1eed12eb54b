"""The guard before every page: who may ask, for what, and what a browser may do with the answer."""

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
# the addresses that take a form; each asks for the page's token besides
FORMS = re.compile(r"/study/[^/]+/(?:stop|resume|enqueue|trial/\d{1,9}/(?:star|note))", re.ASCII)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# a picture has its own style and nothing else; the sandbox holds where it is opened by itself
PICTURE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; sandbox"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # to this machine alone; with none at all a browser would not say either from where a form comes
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """An application behind the guard.

    host: where it listens. Elsewhere than on loopback a browser may call it by any number, or by this machine's
    name: a name of somebody else's, which leads here (DNS rebinding), is refused.  token: what every request must
    have, given once in the address and kept by the browser; None asks for none.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
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
        if not self._is_ours(request.headers):
            return PlainTextResponse("this is no name of the dashboard's machine\n", 400)
        is_form = request.method == "POST" and FORMS.fullmatch(request.url.path) is not None
        if request.method not in METHODS and not is_form:
            return PlainTextResponse("this address is only read\n", 405, {"allow": ", ".join(METHODS)})
        if is_form and (refusal := _refused_form(request.headers)):
            return refusal
        if self.token is None:
            return None
        if _is_same(request.cookies.get(self.cookie, ""), self.token):
            return None
        if _is_same(request.query_params.get("token", ""), self.token):
            return self._welcome(request)
        return PlainTextResponse("open the address with the token that `genome dashboard` printed\n", 403)

    def _is_ours(self, headers: Headers) -> bool:
        name = named(headers)
        return name in self.names or (not self.is_local and _is_number(name))

    def _welcome(self, request: Request) -> Response:
        """Keep the token in the browser, and lead to the same page without it: it stays in no history."""
        rest = [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
        # one slash: with two, the path would be read as the name of another machine
        target = "/" + quote(request.url.path.lstrip("/")) + (f"?{urlencode(rest)}" if rest else "")
        answer = RedirectResponse(target, 303)
        answer.set_cookie(self.cookie, self.token or "", httponly=True, samesite="lax")
        return answer


def named(headers: Headers) -> str:
    """Return the name by which a request calls this machine, without the port; nothing where it is none."""
    try:
        return urlsplit("//" + headers.get("host", "")).hostname or ""
    except ValueError:
        return ""


def _refused_form(headers: Headers) -> Response | None:
    """Why a form is not taken; None for one that a page of this server has sent, of a fitting type and size."""
    if not is_from_here(headers):
        return PlainTextResponse("a form is taken from a page of this dashboard alone\n", 403)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != TYPE:
        return PlainTextResponse(f"a form is sent as {TYPE}\n", 415)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return PlainTextResponse("a form says how long it is\n", 411)
    if len(length) > 9 or int(length) > MOST_BYTES:
        return PlainTextResponse(f"a form has at most {MOST_BYTES:,} bytes\n", 413)
    return None


def is_from_here(headers: Headers) -> bool:
    """Whether a browser says that the page that sends this has the same origin. One that says nothing is refused."""
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
