"""E-mail by SMTP (SPEC 7)."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate

from fridge_assets.core.errors import FridgeError
from fridge_assets.notifications.message import Channel, Message, plain
from fridge_assets.notifications.plain_text import body_of
from fridge_assets.notifications.sending import NotSent
from fridge_assets.settings import EmailDestination, NotificationSettings

_MOST = 100_000
"""Characters of a text."""
_LONGEST_SUBJECT = 200
_LONGEST_REASON = 300


class EmailSender:
    """Sends each message as one plain-text mail to all recipients; retrying is left to the outbox.

    Args:
        chosen: server, account and addresses.
        settings: timeout, and addresses that messages link to.
    """

    def __init__(self, chosen: EmailDestination, settings: NotificationSettings) -> None:
        self._chosen = chosen
        self._settings = settings

    def send(self, channel: Channel, message: Message, resend: bool) -> str:  # noqa: ARG002 (told by the destination)
        """Hand ``message`` to the mail server; returns the id of the mail.

        Raises:
            NotSent: the server did not take it, or perhaps not.
        """
        mail = mail_of(message, self._chosen, self._settings, resend)
        handing_over = False
        try:
            with self._connected() as server:
                handing_over = True
                refused = server.send_message(mail)
                handing_over = False
        except smtplib.SMTPResponseException as error:
            # An answer with a code is about this mail, and says that the server has not taken it.
            raise NotSent(self._said(error), certain=True) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise NotSent(self._refused(error.recipients), certain=True) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(self._said(error), certain=not handing_over) from None
        if refused:
            # The others have it, and would have it again and again.
            return f"{mail['Message-ID']}, but {self._refused(refused)}"
        return str(mail["Message-ID"])

    def check(self) -> str:
        """Try server, account and addresses without a mail; what was found.

        Raises:
            FridgeError: one of them does not do.
        """
        chosen = self._chosen
        try:
            with self._connected() as server:
                server.ehlo_or_helo_if_needed()  # which a mail does by itself, and so does a login
                answers = [server.mail(chosen.sender), *(server.rcpt(address) for address in chosen.recipients)]
                server.rset()
        except (smtplib.SMTPException, OSError) as error:
            raise FridgeError(self._said(error), "Check the FRIDGE_NOTIFICATIONS__DESTINATIONS__ variables.") from None
        for address, (code, said) in zip((chosen.sender, *chosen.recipients), answers, strict=True):
            if code >= 400:
                raise FridgeError(f"{chosen.host} refuses {address}: {code} {_text(said)}", "Correct the address.")
        return f"{chosen.host} takes mail from {chosen.sender} to {', '.join(chosen.recipients)}"

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        chosen, timeout = self._chosen, self._settings.timeout.total_seconds()
        context = ssl.create_default_context()
        server = (
            smtplib.SMTP_SSL(chosen.host, chosen.port, timeout=timeout, context=context)
            if chosen.security == "tls"
            else smtplib.SMTP(chosen.host, chosen.port, timeout=timeout)
        )
        try:
            if chosen.security == "starttls":
                server.starttls(context=context)
            if chosen.user:
                server.login(chosen.user, chosen.password.get_secret_value())
            yield server
        finally:
            # What was taken is taken, whatever becomes of the goodbye.
            server.close()

    def _refused(self, answers: dict[str, tuple[int, bytes]]) -> str:
        said = (f"{address}: {code} {_text(text)}" for address, (code, text) in sorted(answers.items()))
        return f"{self._chosen.host} refuses {'; '.join(said)}"[:_LONGEST_REASON]

    def _said(self, error: Exception) -> str:
        if isinstance(error, smtplib.SMTPResponseException):
            return f"{self._chosen.host} answers {error.smtp_code} {_text(error.smtp_error)}"[:_LONGEST_REASON]
        return f"{self._chosen.host} cannot be reached: {type(error).__name__} {plain(str(error))}"[:_LONGEST_REASON]


def mail_of(message: Message, chosen: EmailDestination, settings: NotificationSettings, resend: bool) -> EmailMessage:
    """The message as a mail.

    Mails with the same id are one to programs that care, so that it is the same whenever the message is sent again.
    """
    mail = EmailMessage()
    mail["From"], mail["To"] = chosen.sender, ", ".join(chosen.recipients)
    # On one line and without controls: a name in it cannot end the subject and begin another header.
    mail["Subject"] = plain(message.title)[:_LONGEST_SUBJECT] or "(no title)"
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message.message_id}@{chosen.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{plain(message.title)}\n\n{body_of(message, settings, resend, _MOST)}\n")
    return mail


def _text(said: bytes | str) -> str:
    return plain(said.decode(errors="replace") if isinstance(said, bytes) else said)
