"""Sends a notice: by mail through the site's server, and to a webhook. Each call ends within seconds, and raises when it failed.

Who calls decides what becomes of a failure; a message of ours never holds an address of a webhook or a password.
"""

from __future__ import annotations

import ipaddress
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http.client import HTTPException, HTTPMessage
from typing import IO, Literal
from urllib.parse import urlsplit

from oncoweave.orchestration.notices import Notice

TIMEOUT = 10.0
"""Seconds that the other side may take to answer one call."""


class NotSent(Exception):
    """A notice was not sent; the message says why, without an address or a password."""


@dataclass(frozen=True)
class MailServer:
    """The site's mail server. `tls`: encrypted from the start; `starttls`: once connected; `none`: within the machine or site."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    encryption: Literal["tls", "starttls", "none"] = "starttls"


def send_mail(server: MailServer, to: Sequence[str], notice: Notice) -> None:
    """Send the notice as one plain mail to all of `to`.

    Raises NotSent.
    """
    try:
        message = mail_of(server.sender, to, notice)
        with _connected(server) as client:
            if server.user:
                _login(client, server)
            client.send_message(message)
    except NotSent:
        raise
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotSent(f"the mail server did not take the notice: {type(error).__name__}") from None


def mail_of(sender: str, to: Sequence[str], notice: Notice) -> EmailMessage:
    """The mail; ValueError for an address or a subject that would make a further header."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(to), notice.subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="oncoweave.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text)
    return message


def post(address: str, notice: Notice) -> None:
    """Send the notice as JSON to a webhook; a redirection is not followed.

    Raises NotSent.
    """
    if not _is_address(address):
        raise NotSent("the webhook's address does not begin with https://")
    body = json.dumps(notice.tree, ensure_ascii=False).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_NoRedirection).open(request, timeout=TIMEOUT):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise NotSent(f"the webhook answered {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise NotSent(f"the webhook could not be reached: {type(error).__name__}") from None


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        return False


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """None: what the webhook answered is the end of it."""


def _connected(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.encryption == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=context)
    client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    if server.encryption == "starttls":
        try:
            client.starttls(context=context)
        except Exception:
            client.close()
            raise
    return client


def _login(client: smtplib.SMTP, server: MailServer) -> None:
    if server.encryption == "none" and not _is_here(server.host):
        raise NotSent("the password would go over the network in clear: let the connection use TLS")
    client.login(server.user, server.password)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
