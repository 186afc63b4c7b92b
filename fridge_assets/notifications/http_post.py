"""Posting JSON to a destination, and what its answer says of the message (SPEC 7)."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from fridge_assets.core.moments import parse_retry_after
from fridge_assets.notifications.message import plain
from fridge_assets.notifications.sending import NotSent

_LONGEST_REASON = 200
"""Characters kept of what a destination says, which may be a page."""

# It logs every address, and that of a webhook is a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


class JsonPoster:
    """Posts to one address, which never appears in what it says.

    Args:
        name: how the destination is called.
        url: http or https.
        timeout: how long connecting, sending and answering may take, each.
        headers: sent with every post.
    """

    def __init__(self, name: str, url: str, timeout: timedelta, headers: Mapping[str, str] | None = None) -> None:
        self._name, self._url = name, url
        self._timeout = timeout.total_seconds()
        self._headers = dict(headers or {}) | {"User-Agent": "fridge-assets"}

    def post(self, content: Mapping[str, Any], path: str = "") -> str:
        """Post ``content``; the beginning of what was answered.

        Raises:
            NotSent: it was not taken, or perhaps not; certain where the answer says so or there was no connection.
        """
        try:
            # Without following redirects, which would turn a post into a mere look at another address.
            answer = httpx.post(self._url + path, json=content, headers=self._headers, timeout=self._timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSent(f"{self._name} cannot be reached: {self._without_address(error)}", certain=True) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotSent(f"{self._name} gave no answer: {self._without_address(error)}", certain=False) from None
        said = plain(self._hidden(answer.text))[:_LONGEST_REASON]
        if answer.is_success:
            return said
        reason = f"{self._name} answers {answer.status_code}" + (f": {said}" if said else "")
        if answer.status_code == 429:
            wait = parse_retry_after(answer.headers.get("Retry-After", ""), datetime.now(UTC))
            raise NotSent(reason, certain=True, retry_after=wait)
        if answer.is_redirect:
            raise NotSent(f"{reason}; name the address that it redirects to", certain=True)
        wait = parse_retry_after(answer.headers.get("Retry-After", ""), datetime.now(UTC))
        raise NotSent(reason, certain=answer.is_client_error, retry_after=wait)

    def _without_address(self, error: Exception) -> str:
        return f"{type(error).__name__} {plain(self._hidden(str(error)))}"[:_LONGEST_REASON].rstrip()

    def _hidden(self, text: str) -> str:
        for secret in (self._url, *self._headers.values()):
            text = text.replace(secret, "…")
        return text
