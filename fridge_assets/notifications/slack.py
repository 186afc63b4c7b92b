"""Slack, through Dagster's own resource; importing this module imports Dagster (SPEC 7)."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import URLError

from dagster_slack import SlackResource
from slack_sdk.errors import SlackApiError

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_retry_after
from fridge_assets.notifications.blocks import blocks_of, content_of, metadata_of
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.sending import NotSent
from fridge_assets.settings import NotificationSettings

_CONTENT_REFUSED = frozenset(
    {
        "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "block_mismatch",
        "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large", "metadata_must_be_sent_from_app",
    }
)  # fmt: skip

_PERHAPS_POSTED = frozenset({"fatal_error", "internal_error"})
"""Of these Slack itself says that some of the work may have been done."""

_FAR_AHEAD = 100 * 24 * 3600
"""Seconds; Slack takes scheduled messages up to 120 days ahead, and nobody should see one that was not taken back."""

_LONGEST_REASON = 300
"""Characters kept of what a proxy says in Slack's place, which may be a page."""

_NEW_TOKEN = "Create a bot token (xoxb-…) and set FRIDGE_NOTIFICATIONS__TOKEN to it."
_REMEDIES: Mapping[str, str] = {
    "channel_not_found": "Create {name}, or name another one in {variable}; invite the app when it is private.",
    "not_in_channel": "Invite the app: type /invite in {name}.",
    "is_archived": "Take {name} out of the archive, or name another channel in {variable}.",
    "missing_scope": "Give the app the scope chat:write and install it again.",
    "invalid_auth": _NEW_TOKEN,
    "not_authed": _NEW_TOKEN,
    "token_revoked": _NEW_TOKEN,
    "token_expired": _NEW_TOKEN,
    "account_inactive": _NEW_TOKEN,
}


class SlackSender:
    """Posts messages as Slack's Web API takes them; retrying is left to the outbox.

    Args:
        settings: token, address, timeout and channel names.

    Raises:
        FridgeError: the token has characters that no token has.
    """

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        token = settings.token.get_secret_value().strip()
        if not (token.isascii() and token.isprintable()):
            # The HTTP client would refuse it with a message that contains it.
            raise FridgeError("the Slack token has characters that no token has", _NEW_TOKEN)
        client = SlackResource(token=token).get_client()
        client.base_url = f"{settings.api_url.rstrip('/')}/"
        client.timeout = settings.timeout.total_seconds()  # type: ignore[assignment] # sockets take fractions
        # Two policies would multiply, and the client's own does not know what was perhaps posted.
        client.retry_handlers = []
        self._client = client

    def send(self, channel: Channel, message: Message, resend: bool) -> str:
        """Post ``message`` and return Slack's timestamp of the post.

        Blocks that Slack refuses are posted as plain text at once, so that no message blocks its channel for ever.

        Raises:
            NotSent: it was not posted, or perhaps not.
        """
        content = content_of(message, self._settings, resend)
        rich = {"blocks": blocks_of(message, self._settings, resend), "metadata": metadata_of(message, resend)}
        try:
            return self._post(channel, content | rich)
        except _ContentRefused:
            return self._post(channel, content)

    def check_token(self) -> str:
        """Who the token belongs to, as ``app in workspace``.

        Raises:
            FridgeError: Slack refuses the token or cannot be reached.
        """
        try:
            answer = self._client.auth_test()
        except SlackApiError as error:
            code = _error_code(error)
            remedy = _REMEDIES.get(code, "Try again later; messages wait in the outbox meanwhile.")
            raise FridgeError(f"Slack refuses the token in FRIDGE_NOTIFICATIONS__TOKEN: {code}", remedy) from error
        except Exception as error:
            raise self._unreachable(error) from error
        return f"{answer.get('user')} in {answer.get('team')}"

    def check_channel(self, channel: Channel) -> str:
        """Try whether the app may post to a channel, without a post: it schedules one and takes it back at once.

        Nothing else tells it with the one scope that posting needs.

        Returns:
            The channel's name in Slack.

        Raises:
            FridgeError: it may not, or Slack cannot be reached.
        """
        name = getattr(self._settings.channels, channel)
        text = "fridge-assets doctor tries whether it may post here; it takes this message back at once."
        try:
            answer = self._client.chat_scheduleMessage(channel=name, text=text, post_at=int(time.time() + _FAR_AHEAD))
            self._client.chat_deleteScheduledMessage(
                channel=str(answer["channel"]), scheduled_message_id=str(answer["scheduled_message_id"])
            )
        except SlackApiError as error:
            remedy = self._remedy(channel, _error_code(error))
            raise FridgeError(f"Slack says {_error_code(error)} for {name}", remedy) from error
        except Exception as error:
            raise self._unreachable(error) from error
        return str(name)

    def _unreachable(self, error: Exception) -> FridgeError:
        return FridgeError(
            f"Slack cannot be reached at {self._client.base_url}: {error}",
            "Check the network and FRIDGE_NOTIFICATIONS__API_URL; messages wait in the outbox meanwhile.",
        )

    def _remedy(self, channel: Channel, code: str) -> str:
        return _REMEDIES.get(code, "See Slack's documentation of chat.postMessage.").format(
            name=getattr(self._settings.channels, channel),
            variable=f"FRIDGE_NOTIFICATIONS__CHANNELS__{channel.upper()}",
        )

    def _post(self, channel: Channel, content: Mapping[str, Any]) -> str:
        name = getattr(self._settings.channels, channel)
        try:
            answer = self._client.chat_postMessage(channel=name, unfurl_links=False, unfurl_media=False, **content)
        except SlackApiError as error:
            raise self._refusal(error, channel) from error
        except URLError as error:
            # urllib raises it until the whole request was handed over, so that Slack cannot have acted on it.
            raise NotSent(f"Slack cannot be reached: {error.reason}", certain=True) from error
        except Exception as error:
            # No answer, half an answer, or whatever a proxy said in Slack's place.
            raise NotSent(f"Slack gave no answer: {type(error).__name__} {error}", certain=False) from error
        return str(answer.get("ts", ""))

    def _refusal(self, error: SlackApiError, channel: Channel) -> Exception:
        status, code = error.response.status_code, _error_code(error)
        if status == 429:
            return NotSent("Slack is told too much at once", certain=True, retry_after=_retry_after(error))
        if status >= 500:
            return NotSent(f"Slack answered {status}", certain=False)
        if not code.isidentifier():
            # Not one of Slack's codes, so that something in between has answered; 4xx says that it refused.
            return NotSent(f"Slack's answer is not Slack's: {code}", certain=status >= 400)
        if code in _CONTENT_REFUSED:
            return _ContentRefused(f"Slack refuses the message: {code}", certain=True)
        name = getattr(self._settings.channels, channel)
        reason = f"Slack says {code} for {name}. {self._remedy(channel, code)}"
        return NotSent(reason, certain=code not in _PERHAPS_POSTED)


class _ContentRefused(NotSent):
    """Slack takes no such blocks."""


def _error_code(error: SlackApiError) -> str:
    data = error.response.data  # whatever JSON came back
    code = data.get("error") if isinstance(data, dict) else None
    return str(code or "no reason given")[:_LONGEST_REASON]


def _retry_after(error: SlackApiError) -> timedelta | None:
    return parse_retry_after(str(error.response.headers.get("Retry-After", "")), datetime.now(UTC))
