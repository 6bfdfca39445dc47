"""What a value in a stack file may be: one type for each sort, and one sentence for what is none.

Sentences name what is wrong and how to write it. The key path and the value found are added by whoever reads the file,
who also knows which values are secrets: here they are repeated only where a rule of their own says so (images).
"""

from __future__ import annotations

import ipaddress
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from components.model.images import exact
from rollout.api.durations import Seconds, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_NAME = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"  # of an object: its parts may be long
_LAST_PORT = 65535
LONGEST_SUFFIX = 200
"""Of a hostname that the name of a service is put before."""

SHORTEST_LIMIT, LONGEST_LIMIT = 0.001, 86400.0
"""Seconds until an answer has to be there: less would be written as 0, which is no limit."""

MOST_ANNOTATIONS = 200_000
"""Bytes of all annotations that a person may add to an object (it takes 256 KiB, with those that others add)."""

MOST_IN_ONE_OBJECT = 1_000_000
"""Bytes of files or values that a ConfigMap or Secret takes (1 MiB with its names and labels)."""


def said(condition: Callable[[str], object], problem: str, fix: str) -> AfterValidator:
    """A rule for texts, with what is said of those that break it."""

    def check(value: str) -> str:
        """The value itself.

        Raises:
            ValueError: it breaks the rule.
        """
        if not condition(value):
            raise ValueError(f"{problem}; {fix}")
        return value

    return AfterValidator(check)


def whole(pattern: str, longest: int) -> Callable[[str], object]:
    """Whether a text is of ``pattern`` from its first letter to its last, and not too long."""
    compiled = re.compile(pattern)
    return lambda value: len(value) <= longest and compiled.fullmatch(value)


def choice(known: Sequence[str], what: str) -> BeforeValidator:
    """One word of a few; a word that is near one of them, or begins as it does, is asked back."""

    def check(value: Any) -> Any:
        """The value itself.

        Raises:
            ValueError: it is none of them.
        """
        if not isinstance(value, str) or value in known:
            return value
        near = [each for each in known if value.lower().startswith(each)] or get_close_matches(value, known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"is no {what}; {fix}")

    return BeforeValidator(check)


def _host_of(text: str) -> str:
    """What was meant by a URL or a name in capitals, if that is a hostname; else an example."""
    meant = re.sub(r"^[a-z]+://", "", text.strip().lower()).split("/")[0].split(":")[0]
    return f"did you mean {meant!r}?" if is_hostname(meant) else "write it like shop.example.com or *.example.com"


def is_label(text: str) -> bool:
    """One part of a name."""
    return bool(whole(_LABEL, 63)(text))


def is_hostname(text: str) -> bool:
    """A name as the Gateway API takes it: a wildcard for the first label alone, no address."""
    plain = text.removeprefix("*.")
    return bool(whole(_SUBDOMAIN, 253)(plain)) and len(text) <= 253 and not plain.replace(".", "").isdigit()  # noqa: PLR2004 - of DNS


def _hostname(text: str) -> str:
    """The name itself.

    Raises:
        ValueError: it is none.
    """
    if not is_hostname(text):
        raise ValueError(f"is no hostname; {_host_of(text)}")
    return text


def is_file_name(text: str) -> bool:
    """A name as ConfigMaps and Secrets take it for a key: a mounted one becomes a file."""
    return bool(whole(r"[-._a-zA-Z0-9]+", 253)(text)) and text != "." and not text.startswith("..")


def host_and_port(text: str) -> tuple[str, int]:
    """Both parts of ``host:port``; an IPv6 address stands in brackets.

    Raises:
        ValueError: it is not one.
    """
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    known = is_hostname(host) or _is_address(bare, 6) or _is_address(host, 4)
    if not known or host.startswith("*") or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= _LAST_PORT:
        raise ValueError("is no host:port; write it like alertmanager.monitoring.svc:9093, without https:// and path")
    return host, int(port)


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _host_port(text: str) -> str:
    host_and_port(text)
    return text


def _limit(value: Any) -> float:
    """Seconds; 0 for none.

    Raises:
        ValueError: it is no duration.
    """
    seconds = 0.0 if value == "infinity" else seconds_of(value)
    if seconds and not SHORTEST_LIMIT <= seconds <= LONGEST_LIMIT:
        raise ValueError("is no limit that a route may have; from 1ms to 24h, 0s for none")
    return seconds


Namespace = Annotated[
    str, said(whole(_LABEL, 63), "is no namespace", "use at most 63 of a-z, 0-9 and -, a letter or digit at both ends")
]
Label = Annotated[
    str, said(whole(_LABEL, 63), "is no name", "use at most 63 of a-z, 0-9 and -, a letter or digit at both ends")
]
ObjectName = Annotated[
    str,
    said(
        whole(_NAME, 253),
        "is no name of an object",
        "use a-z, 0-9, - and ., a letter or digit at both ends of each part",
    ),
]
Hostname = Annotated[str, AfterValidator(_hostname)]
HostnameSuffix = Annotated[
    str,
    said(
        lambda text: is_hostname(text) and "*" not in text and len(text) <= LONGEST_SUFFIX,
        "is no end of a hostname",
        "write it like example.com",
    ),
]
HostPort = Annotated[str, AfterValidator(_host_port)]
EnvName = Annotated[
    str,
    said(
        whole(r"[-._a-zA-Z][-._a-zA-Z0-9]*", 1000),
        "is no name of a variable",
        "use letters, digits, _, - and ., no digit first",
    ),
]
FileName = Annotated[
    str,
    said(
        is_file_name,
        "is no name of a file in one folder",
        "use letters, digits, -, _ and .",
    ),
]
SecretField = Annotated[
    str,
    said(
        is_file_name,
        "is no key of a Secret",
        "use letters, digits, -, _ and .",
    ),
]
PortNumber = Annotated[int, Field(ge=1, le=_LAST_PORT)]
PortName = Annotated[
    str,
    said(
        whole(r"[a-z](-?[a-z0-9])*", 15),
        "is no name of a port",
        "use at most 15 of a-z, 0-9 and single -, a letter first",
    ),
]
AppProtocol = Annotated[
    str,
    said(
        whole(rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?", 317),
        "is no protocol",
        "write it like kubernetes.io/h2c",
    ),
]
HttpPath = Annotated[str, said(whole(r"/[!-~]*", 1024), "is no path", "write it like /healthz")]
MountPath = Annotated[
    str,
    said(
        lambda text: whole(r"(/[^/:\x00]+)+", 200)(text) and not {".", ".."} & set(text.split("/")),
        "is no path in a container",
        "write it like /etc/app, without a slash at its end",
    ),
]
MountedVolume = Annotated[
    str,
    said(
        lambda text: whole(rf"{_LABEL}(#[^/:][^:]*)?", 300)(text) and ".." not in text.partition("#")[2].split("/"),
        "is no volume",
        "write its name, or name#path-inside",
    ),
]
LabelName = Annotated[
    str,
    said(
        whole(rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?", 317),
        "is no name of a label",
        "write it like example.com/name",
    ),
]
AnnotationName = Annotated[
    str,
    said(
        whole(rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?", 317),
        "is no name of an annotation",
        "write it like example.com/name",
    ),
]


def _few(annotations: dict[str, str]) -> dict[str, str]:
    """The same.

    Raises:
        ValueError: one object does not take them.
    """
    size = sum(len(name) + len(text.encode()) for name, text in annotations.items())
    if size > MOST_ANNOTATIONS:
        raise ValueError(f"is {size} bytes together, and one object takes {MOST_ANNOTATIONS}; put it into a file")
    return annotations


Annotations = Annotated[dict[AnnotationName, str], AfterValidator(_few)]
LabelValue = Annotated[
    str,
    said(
        whole(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", 63),
        "is no value of a label",
        "use at most 63 letters, digits, -, _ and ., a letter or digit at both ends",
    ),
]
Image = Annotated[str, AfterValidator(exact)]
Limit = Annotated[Seconds, BeforeValidator(_limit)]
