"""Settings that differ from their defaults, in this stack and in others beside it. No value that could be a secret.

What a stack file names by reference stays a reference. Texts of files, variables and routes are not repeated: they are
long, and a password that somebody wrote into one in plain text would travel with the manual.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.manual.document import Code, Section, table, text
from components.policy.of_objects import names_a_secret, url_holds_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from components.manual.document import Block
    from components.manual.subject import Subject
    from components.model.component import Component

HIDDEN = "(hidden)"
_FREE = {"env", "config", "routes", "schemas", "args", "command", "properties", "extraConfig", "jwks", "podAnnotations",
         "accountAnnotations", "init", "sidecars", "headers", "scrape", "sql", "jobs"}  # fmt: skip
"""Settings whose values are free texts: names are shown, and how many there are."""

_LONGEST = 120
_OPAQUE = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\b")


def configuration(subject: Subject, beside: Sequence[Subject]) -> Section:
    """The chapter; ``beside`` are other stacks whose settings stand in columns of their own."""
    others = [each.platform.stack for each in beside]
    note = text(
        "Only what differs from the defaults is listed. Values of variables, files and routes are not repeated here: "
        "the stack file has them. A Secret is named, never shown."
    )
    inner = [Section(f"Settings of {name}", (_of(subject, name, beside, others),)) for name in subject.members]
    return Section("Configuration", (note, _environments([subject, *beside])), tuple(inner))


def _environments(subjects: Sequence[Subject]) -> Block:
    """What holds for everything in each of the stacks."""
    rows = []
    for each in subjects:
        place = each.platform.environment
        profile = place.profile.model_dump(mode="json", by_alias=True)
        told = ", ".join(f"{key} {value}" for key, value in sorted(profile.items()) if not isinstance(value, dict))
        rows.append((each.platform.stack, place.tier.value, place.namespace, place.cluster or "not named", told))
    head = ("stack", "tier", "namespace", "cluster", "profile")
    return table("Where the stack goes, and what its tier brings.", head, rows, "")


def _of(subject: Subject, name: str, beside: Sequence[Subject], others: Sequence[str]) -> Block:
    own = said(subject.members[name])
    columns = [_beside(subject.members[name], each) for each in beside]
    keys = sorted({key for column in (own, *columns) for key in column})
    rows = [(Code(key), *(_cell(column.get(key)) for column in (own, *columns))) for key in keys]
    head = ("setting", subject.platform.stack, *others)
    return table(f"{name} is a {subject.members[name].kind}.", head, rows, f"{name} has all defaults of its kind.")


def _beside(member: Component, other: Subject) -> dict[str, str]:
    """The same member of another stack; nothing where that has none, or one of another kind."""
    found = other.members.get(member.name)
    if found is None or found.kind != member.kind:
        return {"(declared)": "no"}
    return said(found)


def _cell(value: str | None) -> Code | str:
    return "default" if value is None else Code(value)


def said(member: Component) -> dict[str, str]:
    """Settings of a member that differ from the defaults, by key path."""
    return dict(_flat("", _given(member.settings)))


def _given(settings: BaseModel) -> dict[str, Any]:
    found: dict[str, Any] = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return found


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    key = path.rpartition(".")[2]
    if key in _FREE:
        yield path, _counted(value)
    elif isinstance(value, dict) and (value or not path):
        for inner, each in sorted(value.items()):
            yield from _flat(f"{path}.{inner}" if path else str(inner), each)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for index, each in enumerate(value):
            yield from _flat(f"{path}.{index}", each)
    else:
        yield path, shown(key, value)


def _counted(value: Mapping[str, Any] | Sequence[Any] | str) -> str:
    if isinstance(value, dict):
        return f"{len(value)}: {', '.join(sorted(value))}"
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"{len(value)} of them"


def shown(key: str, value: Any) -> str:
    """A value as a person reads it, or that it is hidden."""
    if isinstance(value, list):
        return ", ".join(shown(key, each) for each in value) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    plain = str(value)
    if isinstance(value, str) and _could_be_a_secret(key, plain):
        return HIDDEN
    return plain if len(plain) <= _LONGEST else f"a text of {len(plain)} characters"


def _could_be_a_secret(key: str, value: str) -> bool:
    """By its key, by credentials in an address, or because it looks drawn by chance; digests of images are not."""
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).upper()
    bare = _DIGEST.sub("", value)
    reference = word.endswith("SECRET")  # `secret`, `authSecret`: the name of one
    return (
        (names_a_secret(word) and not reference)
        or url_holds_credentials(bare)
        or any(map(_drawn, _OPAQUE.findall(bare)))
    )


def _drawn(run: str) -> bool:
    """Whether a long run of letters is of all sorts, as words of people are not."""
    return all(any(test(letter) for letter in run) for test in (str.isdigit, str.isupper, str.islower))
