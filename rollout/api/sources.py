"""Where signals are read: addresses of the sources that need one."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from rollout.api.paths import LONGEST, PAGE, checked
from rollout.api.texts import told
from rollout.api.wire import PORT_NUMBER, Model

BASE_URL = rf"^https?://[A-Za-z0-9][A-Za-z0-9.-]{{0,252}}(:{PORT_NUMBER})?(/\.?[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"
LONGEST_URL, MOST_LABELS = 512, 64

LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LONGEST_LABEL = 317


def _page_alone(path: str) -> str:
    return checked(path, query=False)


def _base_url(url: str) -> str:
    """The base URL of a Prometheus.

    Raises:
        ValueError: it is none; says what to write.
    """
    if len(url) > LONGEST_URL or not re.fullmatch(BASE_URL[1:-1], url):
        raise ValueError(f"{told(url)!r} is no base URL; write http://HOST:PORT, without user, query or fragment")
    return url


def _labels(selector: dict[str, str]) -> dict[str, str]:
    """Labels by key.

    Raises:
        ValueError: a key is none.
    """
    if odd := [key for key in selector if len(key) > LONGEST_LABEL or not re.fullmatch(LABEL_KEY[1:-1], key)]:
        raise ValueError(f"selector: {told(odd[0])!r} is no key of a label; write app.kubernetes.io/name: envoy")
    return selector


class ControlPlane(StrEnum):
    """Whose configuration the Envoys of a gateway have, and who names what they count."""

    CONTOUR = "contour"
    ENVOY_GATEWAY = "envoy-gateway"


class GatewayStats(Model):
    """Which pods are the gateway's data plane, and where they show their statistics (Envoy's `/stats`)."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    selector: Annotated[
        dict[str, Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]],
        Field(min_length=1, max_length=MOST_LABELS),
        AfterValidator(_labels),
    ]
    port: Annotated[int, Field(ge=1, le=65535)] = 8002
    path: Annotated[
        str, AfterValidator(_page_alone), Field(json_schema_extra={"pattern": PAGE, "maxLength": LONGEST})
    ] = "/stats"
    control_plane: ControlPlane = Field(
        default=ControlPlane.CONTOUR, description="who names the clusters of the proxies; each does it in its own way"
    )


class Sources(Model):
    """Addresses of the sources that need one."""

    gateway: GatewayStats | None = None
    prometheus: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None,
        description="base URL, http://prometheus.monitoring:9090",
        json_schema_extra={"pattern": BASE_URL, "maxLength": LONGEST_URL},
    )
