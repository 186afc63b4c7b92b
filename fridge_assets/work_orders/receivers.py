"""Where work orders are handed over: a folder, or the webhook of a maintenance system (SPEC 6)."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from fridge_assets.contracts import WORK_ORDERS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_retry_after
from fridge_assets.settings import Settings
from fridge_assets.stores.disk import FolderNotWritable
from fridge_assets.stores.files import atomic_write
from fridge_assets.work_orders.store import DELIVERY

_CONTENT: Final = [name for name in WORK_ORDERS.column_names if name not in DELIVERY]
_LATER: Final = (408, 409, 425, 429)
"""Answers of the 4xx kind that say nothing against the order."""
_MOST_READ: Final = 65_536
"""Bytes of an answer that are looked at."""
_MOST_QUOTED: Final = 200
"""Characters of an answer that are kept."""


class NotTaken(Exception):
    """An order was not taken, or nobody knows whether it was.

    Args:
        reason: what went wrong, for people.
        refused: the receiver is well and does not want this order as it stands.
        retry_after: how long the receiver asks to be left alone; None when it does not say.
    """

    def __init__(self, reason: str, *, refused: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused
        self.retry_after = retry_after


@dataclass(frozen=True)
class Receipt:
    """What is known of an order that was taken.

    Args:
        delivered_to: file or address.
        reference: what the receiver calls it; empty when it does not say.
    """

    delivered_to: str
    reference: str = ""


class Receiver(Protocol):
    """Takes one order; the same revision may come again, and an older one after a newer."""

    def take(self, order: Mapping[str, Any]) -> Receipt:
        """Hand ``order`` over.

        Args:
            order: WORK_ORDERS columns.

        Raises:
            NotTaken: it was not taken, or perhaps not.
        """


def content_of(order: Mapping[str, Any]) -> bytes:
    """What is handed over: the columns that are not about handing over, as a JSON object; moments are ISO 8601, UTC."""
    content = {name: _plain(order[name]) for name in _CONTENT}
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


class FileDrop:
    """One file for each order, replaced by every newer revision.

    Args:
        folder: where they lie; it is created when the first order comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, order: Mapping[str, Any]) -> Receipt:
        """Write the file of ``order``; whoever reads it finds it whole."""
        path = self._folder / f"{order['work_order_id']}.json"
        try:
            with atomic_write(path) as temporary:
                temporary.write_bytes(content_of(order))
        except FolderNotWritable as error:
            raise NotTaken(str(error)) from error
        return Receipt(str(path))


class Webhook:
    """An address that orders are posted to.

    Args:
        url: http or https.
        token: sent as bearer token; empty for none.
        timeout: how long connecting, sending and answering may take, each.

    Raises:
        FridgeError: ``url`` or ``token`` cannot be used.
    """

    def __init__(self, url: str, token: str, timeout: timedelta) -> None:
        self._url, self._address = url, _address_of(url)
        if not (token.isascii() and token.isprintable()):
            raise FridgeError(
                "FRIDGE_WORK_ORDERS__WEBHOOK_TOKEN has characters that no header can carry", "Copy the token again."
            )
        self._headers = {"Content-Type": "application/json", "User-Agent": "fridge-assets"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout.total_seconds()
        self._opener = urllib.request.build_opener(_NoRedirects)

    def take(self, order: Mapping[str, Any]) -> Receipt:
        """Post ``order``; its key names order and revision, so that the same is recognised when it comes again."""
        key = {"Idempotency-Key": f"{order['work_order_id']}/{order['revision']}"}
        request = urllib.request.Request(self._url, content_of(order), self._headers | key, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return Receipt(self._address, _reference(response))
        except urllib.error.HTTPError as error:
            with error:
                raise _not_taken(self._address, error) from error
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise NotTaken(f"{self._address} does not answer: {reason or type(reason).__name__}") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Following would turn the order into a mere look at another address, which then says that all is well."""

    def redirect_request(self, *_: object) -> None:
        """Never."""


def receiver_of(settings: Settings) -> Receiver:
    """The webhook when there is one, else the folder ``work_orders``.

    Raises:
        FridgeError: the address or the token of the webhook cannot be used.
    """
    chosen = settings.work_orders
    url = chosen.webhook_url.strip()
    if not url:
        return FileDrop(settings.work_orders_dir)
    return Webhook(url, chosen.webhook_token.get_secret_value().strip(), chosen.timeout)


def _address_of(url: str) -> str:
    """The address without what may be a secret in it: fit to be stored and shown."""
    try:
        parts = urlsplit(url)
        # Asking for a port that is no number is refused.
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or any(sign.isspace() for sign in url) or "@" in parts.netloc:
        shown = url.rpartition("@")[2]  # what stands before it may be a password
        raise FridgeError(
            f"FRIDGE_WORK_ORDERS__WEBHOOK_URL, {shown!r}, is no address that orders can be posted to",
            "Write it like https://maintenance.example.com/work-orders, with a token in "
            "FRIDGE_WORK_ORDERS__WEBHOOK_TOKEN; or leave it empty for files in the data folder.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _reference(response: http.client.HTTPResponse) -> str:
    """What an answer calls the order; it has taken it, whatever else it says."""
    try:
        answer = json.loads(response.read(_MOST_READ))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return ""
    known = [answer.get(name) for name in ("id", "reference")] if isinstance(answer, dict) else []
    named = (str(value).strip() for value in known if isinstance(value, str | int) and not isinstance(value, bool))
    return next(filter(None, named), "")[:_MOST_QUOTED]


def _not_taken(address: str, error: urllib.error.HTTPError) -> NotTaken:
    try:
        said = " ".join(error.read(_MOST_READ).decode(errors="replace").split())[:_MOST_QUOTED]
    except (OSError, http.client.HTTPException):
        said = ""
    reason = f"{address} answers {error.code}" + (f": {said}" if said else "")
    if error.code // 100 == 3:
        return NotTaken(f"{address} answers {error.code}; name the address that it redirects to", refused=True)
    if error.code // 100 == 4 and error.code not in _LATER:
        return NotTaken(reason, refused=True)
    return NotTaken(reason, retry_after=parse_retry_after(error.headers.get("Retry-After", ""), datetime.now(UTC)))


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
