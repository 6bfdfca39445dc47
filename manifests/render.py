"""Configuration files from templates: a value that is missing is an error, never an empty string."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent


@cache
def _environment() -> Environment:
    return Environment(  # noqa: S701 - the templates are configuration files, not HTML
        loader=FileSystemLoader(HERE / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def text(template: str, /, **values: Any) -> str:
    """One configuration file.

    Raises:
        jinja2.UndefinedError: the template names a value that was not given.
        jinja2.TemplateNotFound: there is no such template.
    """
    return _environment().get_template(template).render(**values)


@cache
def known_keys(program: str) -> frozenset[str]:
    """Keys that the configuration file of ``program`` may have; a part that begins with ``$`` stands for any one.

    Raises:
        OSError: there is no list for it.
    """
    lines = (HERE / "keys" / f"{program}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def definitions() -> list[dict[str, Any]]:
    """The custom resource definitions of Grayling's own objects, by file name."""
    return _objects("crds")


def policies() -> list[dict[str, Any]]:
    """The admission policies that make Grayling's own objects true, with their bindings."""
    return _objects("policies")


def _objects(folder: str) -> list[dict[str, Any]]:
    files = sorted((HERE / folder).glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]
