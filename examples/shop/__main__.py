"""``python -m shop checkout``, ``python -m shop billing``, and stand-ins of systems that others run."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING

from shop import billing, checkout, outside
from shop.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SERVICES: dict[str, Callable[[Settings], Awaitable[None]]] = {
    "checkout": checkout.run,
    "billing": billing.run,
    "erp": outside.run_erp,
    "his": outside.run_hospital,
    "mes": outside.run_mes,
    "sensors": outside.run_sensors,
}


def main(argv: list[str]) -> int:
    """Run the service named on the command line until SIGTERM; 2 for a wrong call or a wrong environment."""
    if len(argv) != 1 or argv[0] not in SERVICES:
        print(f"usage: python -m shop {{{'|'.join(SERVICES)}}}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(f"shop: {error}", file=sys.stderr)  # noqa: T201
        return 2
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format=f"%(asctime)s level=%(levelname)s service={argv[0]} version={settings.version} %(message)s",
    )
    for noisy in ("aio_pika", "aiormq"):  # every failed attempt to connect is told once, by us
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        asyncio.run(SERVICES[argv[0]](settings))  # type: ignore[arg-type]
    except SettingsError as error:
        print(f"shop: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
