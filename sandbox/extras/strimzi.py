"""The definitions of Strimzi, written by its own generator from its own classes; the operator does not run here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sandbox import pypi
from sandbox.errors import PackageError
from sandbox.extras import maven
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.extras.model import Supplies

JARS = maven.Assembly("strimzi")
MODEL = "io.strimzi.api.kafka.model"
KINDS = {
    "Kafka": f"{MODEL}.kafka.Kafka",
    "KafkaNodePool": f"{MODEL}.nodepool.KafkaNodePool",
    "KafkaTopic": f"{MODEL}.topic.KafkaTopic",
    "KafkaUser": f"{MODEL}.user.KafkaUser",
}
USUAL_S = 30


def definitions(supplies: Supplies) -> tuple[Path, ...]:
    """A file for each kind, made on first use."""
    target = supplies.cache.manifests / f"strimzi-{JARS.key(','.join(KINDS))}"
    if not target.exists():
        with supplies.progress.step("writing the definitions of Strimzi", USUAL_S):
            _write(supplies, target)
    return tuple(sorted(target.iterdir()))


def _write(supplies: Supplies, target: Path) -> None:
    supplies.cache.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=supplies.cache.scratch) as scratch:
        jars, made = Path(scratch, "jars"), Path(scratch, "made")
        maven.checked(JARS, jars, supplies.log("maven-strimzi"))
        made.mkdir()
        files = [f"{name}={made / kind.lower()}.yaml" for kind, name in KINDS.items()]
        program = ["-cp", f"{jars}/*", "io.strimzi.crdgenerator.CrdGenerator", "--target-kube", "1.30+", "--yaml"]
        command = [str(pypi.java(supplies.cache)), "-Xmx256m", *program, *files]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            tail = "\n".join(ended.stderr.splitlines()[-4:])
            raise PackageError(f"Strimzi's generator could not write its definitions:\n{tail}")
        target.parent.mkdir(parents=True, exist_ok=True)
        made.replace(target)


EXTRA = Extra("strimzi", lambda _supplies: (), definitions)
