"""One look at an address: connect, ask, and say how it went, how long it took, and until when its certificate holds."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.externals.prober.speaking import LONGEST, SPEAKERS, WrongAnswerError

if TYPE_CHECKING:
    from components.externals.prober.target import Target

WELL = "ok"
OUTCOMES = (WELL, "name", "refused", "timeout", "tls", "protocol", "status")


@dataclass(frozen=True, slots=True)
class Look:
    """How one look went.

    Attributes:
        outcome: one of :data:`OUTCOMES`.
        said: why, in words; empty where all is well.
        seconds: until the answer was there.
        expires: when the certificate ends, in seconds since 1970; None where there is none, or it is not known.
    """

    outcome: str
    said: str
    seconds: float
    expires: float | None = None

    @property
    def well(self) -> bool:
        """Whether it answered as it should."""
        return self.outcome == WELL


async def look_at(target: Target) -> Look:
    """Ask once; nothing is raised for what is wrong on the other side."""
    loop = asyncio.get_running_loop()
    begun, expires = loop.time(), _Expiry()
    outcome, said = WELL, ""
    try:
        async with asyncio.timeout(target.timeout):
            await _asked(target, expires)
    except WrongAnswerError as error:
        outcome, said = error.outcome, str(error)
    except TimeoutError:
        outcome, said = "timeout", f"no answer within {target.timeout:g} s"
    except ssl.SSLError as error:
        outcome, said = "tls", getattr(error, "verify_message", "") or error.reason or str(error)
    except socket.gaierror as error:
        outcome, said = "name", error.strerror or str(error)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        outcome, said = "protocol", str(error)
    except OSError as error:
        outcome, said = "refused", error.strerror or str(error)
    return Look(outcome, said, loop.time() - begun, expires.at)


@dataclass(slots=True)
class _Expiry:
    at: float | None = None


async def _asked(target: Target, expires: _Expiry) -> None:
    host, port = target.address
    context = ssl.create_default_context(cafile=target.authority or None) if target.encrypted else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=LONGEST)
    try:
        expires.at = _end_of(writer.get_extra_info("peercert"))
        await SPEAKERS[target.how](reader, writer, target)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            writer.transport.abort()


def _end_of(certificate: dict[str, str] | None) -> float | None:
    return float(ssl.cert_time_to_seconds(certificate["notAfter"])) if certificate else None
