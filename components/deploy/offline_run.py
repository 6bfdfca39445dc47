"""Runs the Pulumi program with nobody behind it and writes down what it declares.

A process of its own for each stack (``python -m components.deploy.offline_run``): a second program in one process would
find the first one's root. Configuration comes in on stdin, so that no secret stands in an argument list.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from contextlib import redirect_stdout
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from components.model.component import PROJECT
from components.model.credentials import GENERATE_ANNOTATION
from components.model.mistakes import StackError

FOR_PULUMI = "pulumi.com/"
SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105 - how Pulumi marks one


class Nothing(mocks.Mocks):
    """Every resource comes out as it went in."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The inputs are the outputs."""
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:  # noqa: ARG002
        """No function answers anything."""
        return {}, None


class OfflineMonitor(mocks.MockMonitor):
    """Keeps the inputs of every Kubernetes object that is registered."""

    def __init__(self) -> None:
        super().__init__(Nothing())
        self.manifests: list[dict[str, Any]] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        """Keep the object, and answer without outputs: no component reads any.

        Not through the mock's own method: it takes every property apart and puts it together again, which is half of
        the time that a render of a thousand objects takes.
        """
        if request.type.startswith("kubernetes:"):
            self.manifests.append(_manifest(request.object))
        urn = self.make_urn(request.parent, request.type, request.name)
        identifier = f"{request.name}-id" if request.custom else ""
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier)


def _manifest(struct: Any) -> dict[str, Any]:
    made: dict[str, Any] = opened(unpacked(struct))
    notes = made["metadata"].get("annotations") or {}
    if GENERATE_ANNOTATION in notes:
        made.pop("data", None)
    for note in [note for note in notes if note.startswith(FOR_PULUMI)]:
        del notes[note]
    return made


def unpacked(value: Any) -> Any:
    """A protobuf Struct, ListValue or Value as plain Python."""
    if hasattr(value, "fields"):
        return {key: unpacked(inner) for key, inner in value.fields.items()}
    match kind := value.WhichOneof("kind"):
        case "struct_value":
            return unpacked(value.struct_value)
        case "list_value":
            return [unpacked(inner) for inner in value.list_value.values]
        case None | "null_value":
            return None
        case _:
            return getattr(value, kind)


def opened(value: Any) -> Any:
    """A value with what Pulumi keeps secret in it opened."""
    if isinstance(value, dict):
        if SECRET_SIGNATURE in value:
            return opened(value["value"])
        return {key: opened(inner) for key, inner in value.items()}
    return [opened(inner) for inner in value] if isinstance(value, list) else value


def record(program: Path, stack: str, config: dict[str, Any], secret_keys: list[str]) -> list[dict[str, Any]]:
    """The objects that ``program`` declares for ``stack``, in the order in which it does."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    monitor = OfflineMonitor()
    asyncio.set_event_loop(asyncio.new_event_loop())
    mocks.set_mocks(Nothing(), project=PROJECT, stack=stack, preview=True, monitor=monitor)
    set_all_config(texts, secret_keys)
    run = run_pulumi_func(lambda: _run(program))
    asyncio.get_event_loop().run_until_complete(run)
    return monitor.manifests


def _run(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def main() -> int:
    """Read a request from stdin, answer on stdout."""
    request = json.load(sys.stdin)
    answer: dict[str, Any]
    with redirect_stdout(sys.stderr):
        try:
            found = record(Path(request["program"]), request["stack"], request["config"], request["secret_keys"])
            answer = {"manifests": found}
        except pulumi.RunError as error:
            cause = error.__cause__
            told = [astuple(mistake) for mistake in cause.mistakes] if isinstance(cause, StackError) else []
            answer = {"mistakes": told} if told else {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
