"""Who can be told of an alert, and how: mailboxes, webhooks, chats, PagerDuty. What is secret is a key of a Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from components.model.settings import ComponentSettings
from components.model.values import (
    HostPort,
    ObjectName,
    SecretField,
    host_and_port,
    said,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS = "/etc/alertmanager/secrets"
"""Where the pods find the Secrets of receivers, one folder for each."""

_PORTS = {"http": 80, "https": 443}


def _url(text: str) -> str:
    """The same.

    Raises:
        ValueError: it is no address, or has a password in it.
    """
    example = "write it like https://hooks.example.com/alerts"
    if not text.isprintable() or any(each in text for each in ' "{}') or len(text) > 2000:  # noqa: PLR2004 - of an address
        raise ValueError(f"is no URL; {example}")
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"is no URL; {example}")
    if "@" in parts.netloc:
        raise ValueError("has a password in it; give the URL as {secret: name, key: of-it}")
    host_and_port(address_of(text))
    return text


def address_of(url: str) -> str:
    """The ``host:port`` that a URL leads to."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or _PORTS[parts.scheme]}"


Url = Annotated[str, AfterValidator(_url)]
Mailbox = Annotated[
    str, said(whole(r"[^\s@,<>\"]+@[^\s@,<>\"]+", 254), "is no mailbox", "write it like on-call@example.com")
]


class KeyOf(ComponentSettings):
    """One value of a Secret."""

    secret: ObjectName = Field(description="name of the Secret")
    key: SecretField = Field(description="in that Secret")

    @property
    def file(self) -> str:
        """Where Alertmanager reads it."""
        return f"{SECRETS}/{self.secret}/{self.key}"


class Email(ComponentSettings):
    """Mail, one for each group of alerts."""

    to: Annotated[list[Mailbox], Field(min_length=1, max_length=50)]
    sender: Mailbox = Field(alias="from")
    smarthost: HostPort = Field(description="host:port of the mail server")
    username: Annotated[str, Field(min_length=1, max_length=254)] | None = None
    password: KeyOf | None = Field(default=None, description="of that user")
    require_tls: bool = Field(default=True, description="no mail in plain text")

    @model_validator(mode="after")
    def _user_and_password(self) -> Email:
        if (self.username is None) != (self.password is None):
            raise ValueError("username: it goes with a password; give both, or neither")
        return self

    def wire(self) -> dict[str, Any]:
        """As Alertmanager writes it."""
        made: dict[str, Any] = {
            "to": ", ".join(self.to),
            "from": self.sender,
            "smarthost": self.smarthost,
            "require_tls": self.require_tls,
            "send_resolved": True,
        }
        if self.password is not None:
            made |= {"auth_username": self.username, "auth_password_file": self.password.file}
        return made

    def secrets(self) -> Iterator[tuple[str, KeyOf]]:
        """Keys of Secrets, by setting."""
        if self.password is not None:
            yield "password", self.password

    @property
    def address(self) -> str:
        """Where it is sent."""
        return self.smarthost


class Called(ComponentSettings):
    """What is called by a URL that is secret itself."""

    url: KeyOf
    reaches: HostPort | None = Field(
        default=None, description="host:port of that URL; any host on port 443 if not given"
    )

    @property
    def address(self) -> str:
        """Where it is; nothing where that is not said."""
        return self.reaches or ""

    def secrets(self) -> Iterator[tuple[str, KeyOf]]:
        """Keys of Secrets, by setting."""
        yield "url", self.url


class Webhook(ComponentSettings):
    """A program that takes alerts as JSON."""

    url: Url | KeyOf = Field(description="a text, or a key of a Secret where it is secret itself")
    token: KeyOf | None = Field(default=None, description="sent as `Authorization: Bearer`")
    reaches: HostPort | None = Field(
        default=None, description="host:port of a secret URL; any host on port 443 if not given"
    )

    def wire(self) -> dict[str, Any]:
        """As Alertmanager writes it."""
        made: dict[str, Any] = {"send_resolved": True}
        made |= {"url_file": self.url.file} if isinstance(self.url, KeyOf) else {"url": self.url}
        if self.token is not None:
            made["http_config"] = {"authorization": {"credentials_file": self.token.file}}
        return made

    @property
    def address(self) -> str:
        """Where it is; nothing where that is not said."""
        return (self.reaches or "") if isinstance(self.url, KeyOf) else address_of(self.url)

    def secrets(self) -> Iterator[tuple[str, KeyOf]]:
        """Keys of Secrets, by setting."""
        if isinstance(self.url, KeyOf):
            yield "url", self.url
        if self.token is not None:
            yield "token", self.token


class Slack(Called):
    """A channel of Slack, Mattermost, Rocket.Chat, or whatever takes Slack's webhooks."""

    channel: Annotated[str, said(whole(r"[#@]?[^\s\"]+", 80), "is no channel", "write it like '#alerts'")] | None = None

    def wire(self) -> dict[str, Any]:
        """As Alertmanager writes it."""
        channel = {"channel": self.channel} if self.channel else {}
        return {"api_url_file": self.url.file, "send_resolved": True, **channel}


class PagerDuty(ComponentSettings):
    """A service of PagerDuty (Events API v2)."""

    routing_key: KeyOf

    def wire(self) -> dict[str, Any]:
        """As Alertmanager writes it."""
        return {"routing_key_file": self.routing_key.file, "send_resolved": True}

    def secrets(self) -> Iterator[tuple[str, KeyOf]]:
        """Keys of Secrets, by setting."""
        yield "routingKey", self.routing_key

    @property
    def address(self) -> str:
        """Always the same."""
        return "events.pagerduty.com:443"


class Receiver(ComponentSettings):
    """Somebody who is told, in one way or several."""

    email: Email | None = None
    webhook: Webhook | None = None
    slack: Slack | None = None
    pagerduty: PagerDuty | None = None

    @model_validator(mode="after")
    def _in_some_way(self) -> Receiver:
        if not self.ways():
            raise ValueError("is told in no way; give email, webhook, slack or pagerduty")
        return self

    def ways(self) -> dict[str, Email | Webhook | Slack | PagerDuty]:
        """How, by setting."""
        found = {"email": self.email, "webhook": self.webhook, "slack": self.slack, "pagerduty": self.pagerduty}
        return {name: way for name, way in found.items() if way is not None}
