"""Who may talk to the Dagster UI: it asks nobody for a password, and every web page can reach this machine.

A browser says for which host it asks, and which page asks. Both must be ours, or the pages of others could launch runs
and pause models; a name that an attacker has pointed at this machine (DNS rebinding) is none of ours either.
"""

from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SCHEMES = ("http://", "https://")
_READING = ("GET", "HEAD", "OPTIONS")
_JSON = ("application/json", "application/graphql")
_GRAPHQL = "/graphql"


def allowed_hosts(port: int, further: frozenset[str]) -> frozenset[str]:
    """The hosts that a browser may ask for.

    Args:
        port: where the UI listens; its loopback names count with this port.
        further: hosts in lower case, with their port unless it is that of http or https.
    """
    return further | {f"{name}:{port}" for name in _LOOPBACK}


def refusal(scope: Scope, hosts: frozenset[str]) -> tuple[HTTPStatus, str] | None:
    """Why a request or a websocket is refused; None for one that may pass.

    Args:
        scope: of the ASGI connection.
        hosts: see :func:`allowed_hosts`.
    """
    headers = Headers(scope=scope)
    asked, pages = headers.getlist("host"), headers.getlist("origin")
    if len(asked) != 1 or asked[0].lower() not in hosts:
        return HTTPStatus.MISDIRECTED_REQUEST, (
            f"The Dagster UI is not reached as {', '.join(asked) or 'a host without a name'}. "
            "Open it as http://127.0.0.1 with its port; behind a proxy, name the host in FRIDGE_UI__ALLOWED_HOSTS."
        )
    # A page of ours, or no page at all: a program of this machine, or a link that somebody follows, which only reads.
    if any(_host_of(page) not in hosts for page in pages):
        return HTTPStatus.FORBIDDEN, (
            f"Pages of {', '.join(pages)} may not use the Dagster UI. "
            "If it is where a proxy shows it, name its host in FRIDGE_UI__ALLOWED_HOSTS."
        )
    if scope["type"] == "http" and str(scope["path"]).rstrip("/").endswith(_GRAPHQL):
        return _refused_query(str(scope["method"]), headers)
    return None


def _refused_query(method: str, headers: Headers) -> tuple[HTTPStatus, str] | None:
    if method not in _READING:
        if headers.get("content-type", "").startswith(_JSON):
            return None
        # Forms of any page can send the other kinds, without the browser asking us before.
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "GraphQL is asked in application/json."
    if "text/html" in headers.get("accept", ""):
        return None  # the page that helps to write queries; it posts them
    return HTTPStatus.METHOD_NOT_ALLOWED, "GraphQL is asked by POST: what is asked by GET must change nothing."


class Guard:
    """An ASGI application that lets through to another what may pass, and answers everything else itself.

    Args:
        app: what is guarded.
        hosts: see :func:`allowed_hosts`.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refused = refusal(scope, self._hosts)
        if refused is None:
            await self._app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1][:120]})
        else:
            status, why = refused
            await PlainTextResponse(f"{why}\n", status)(scope, receive, send)


def _host_of(page: str) -> str | None:
    """The host of an ``Origin``, with its port where it is not the scheme's own; None for 'null' and other oddities."""
    for scheme in _SCHEMES:
        if page.lower().startswith(scheme):
            return page.lower().removeprefix(scheme)
    return None


def _unframed(send: Send) -> Send:
    """``send`` that keeps pages of others from showing ours in a frame, where people click without knowing on what."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("X-Frame-Options", "SAMEORIGIN")
        await send(message)

    return sending
