"""No secret in what people see: data of Secrets, what Pulumi marks, and what looks like a key wherever it stands.

A masked value says only that it is there, and whether it changes. Masking comes after comparing, so that a change of
a secret is told.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from review.model.change import Edit, Path

HIDDEN = "(hidden)"
CHANGED = "(hidden) changed"
PULUMI_SECRET = "[secret]"  # noqa: S105 - the word that Pulumi writes
SECRET_MARK, SECRET_MEANING = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""Key and value by which Pulumi's wire and state mark a secret."""

_SHORTEST = 6  # characters: a shorter value would be found in every other word
_LONG, _BITS = 32, 4.2  # a run of letters and digits so long and with so many bits a character is no word
_TELLING = re.compile(
    r"(?i)(passw(or)?d|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth[_-]?key)"
)
_PLACE = re.compile(r"(?i)(file|path|dir|name|ref|url|uri|host|port|ttl|mount|enabled|type|class|policy|account.*)$")
_COMMON = re.compile(r"(?i)(.*[_-])?(user(name)?|host|port|database|db|realm|type|ca\.crt|tls\.crt|config)")
"""What a Secret holds beside its secrets: hidden where it stands, not searched for in everything else."""

_ASSIGNED = (
    r"password|passwd|passphrase|requirepass|masterauth|client[_-]secret|secret[_-]?key|api[_-]?key|access[_-]?token"
)
_LOOKS_SECRET = re.compile(
    rf"""
    -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z\ ]*PRIVATE\ KEY-----|\Z)
    | \beyJ[\w-]{{8,}}\.[\w-]{{8,}}\.[\w-]*                     # a JSON Web Token
    | \b(?:AKIA|ASIA)[A-Z0-9]{{16}}\b                            # an access key of AWS
    | \b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-|pul-)[\w-]{{16,}}
    | (?<=://)[^/\s:@"']*:[^/\s@"']+(?=@)                       # a name and a password in an address
    | (?i:(?<=bearer\ )|(?<=basic\ ))[\w.~+/=-]{{8,}}
    | (?i:\b(?:{_ASSIGNED})\b["']?\s*[:=\s]\s*["']?)(?P<value>[^\s"',;}}&$%{{]{{4,}})
    """,
    re.VERBOSE | re.DOTALL,
)
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{_LONG},}}={{0,2}}")
_HEX = re.compile(r"[0-9a-fA-F-]+")


@dataclass(frozen=True, slots=True)
class Masker:
    """Hides secrets; ``needles`` are values that are known to be secret, and hidden wherever they stand."""

    needles: frozenset[str] = frozenset()
    _known: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Make the needles one pattern, longest first."""
        if self.needles:
            longest_first = sorted(self.needles, key=lambda each: (-len(each), each))
            object.__setattr__(self, "_known", re.compile("|".join(map(re.escape, longest_first))))

    def text(self, text: str) -> str:
        """A text without what is known to be secret or looks like it."""
        if text == PULUMI_SECRET:
            return HIDDEN
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _RUN.sub(_without_random, _LOOKS_SECRET.sub(_without_value, text))

    def value(self, value: Any, key: str = "") -> Any:
        """A value of any depth; ``key`` is what it is called where it stands."""
        if isinstance(value, dict):
            if value.get(SECRET_MARK) == SECRET_MEANING:
                return HIDDEN
            named = value.get("name") if set(value) <= {"name", "value"} else None
            return {
                name: self.value(inner, named if name == "value" and isinstance(named, str) else name)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.value(inner, key) for inner in value]
        if not isinstance(value, str) or not value:
            return value
        return HIDDEN if _names_secret(key) and not _points_elsewhere(value) else self.text(value)

    def manifest(self, manifest: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """An object; the data of a Secret keeps its keys alone."""
        if manifest is None:
            return None
        return {
            key: _keys_alone(value) if is_secret(manifest.get("kind"), (key,)) else self.value(value, key)
            for key, value in manifest.items()
        }

    def edit(self, edit: Edit, kind: str) -> Edit:
        """An edit; where nothing of it may be seen, it says whether there was and will be a value."""
        if is_secret(kind, edit.path):
            before, after = _all_hidden(edit.before), _all_hidden(edit.after)
        else:
            key = _called(edit.path)
            before, after = self.value(edit.before, key), self.value(edit.after, key)
        if (before, after) == (edit.before, edit.after):
            return edit
        return replace(edit, before=before, after=CHANGED if before == after else after, hidden=True)


def _called(path: Path) -> str:
    """What a value is called: an item's own name where the path ends in ``[NAME].value``."""
    last = str(path[-1]) if path else ""
    if last == "value" and len(path) > 1:
        return str(path[-2]).strip("[]")
    return last


def is_secret(kind: Any, path: Path) -> bool:
    """Whether a path leads into the data of a Secret."""
    return kind == "Secret" and bool(path) and path[0] in {"data", "stringData"}


def _keys_alone(value: Any) -> Any:
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) and SECRET_MARK not in value else HIDDEN


def _all_hidden(value: Any) -> Any:
    return None if value is None else _keys_alone(value)


def _names_secret(key: str) -> bool:
    return bool(_TELLING.search(key)) and not _PLACE.search(key)


def _points_elsewhere(value: str) -> bool:
    """A path, a reference to a variable, a switch: no secret, though its name sounds like one."""
    return (
        value.startswith(("/", "$", "{{", "(")) or value.lower() in {"true", "false", "none", "null"} or value.isdigit()
    )


def _without_value(found: re.Match[str]) -> str:
    value = found.group("value")
    return HIDDEN if value is None else found.group()[: -len(value)] + HIDDEN


def _without_random(found: re.Match[str]) -> str:
    """A run that no person wrote is hidden; digests in hexadecimal and paths stay."""
    run = found.group()
    if (
        _HEX.fullmatch(run)
        or run.islower()
        or run.isupper()
        or not any(map(str.isdigit, run))
        or run.count("/") > _LONG // 16
    ):
        return run
    return HIDDEN if bits_per_character(run) >= _BITS else run


def bits_per_character(text: str) -> float:
    """Shannon's entropy of the letters of a text, in bits for each."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def needles_of(manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Every value that a Secret among these objects holds, as written and decoded."""
    for manifest in manifests:
        if manifest.get("kind") != "Secret":
            continue
        for key in ("data", "stringData"):
            values = manifest.get(key)
            for name, value in values.items() if isinstance(values, dict) else ():
                if not _COMMON.fullmatch(name):
                    yield from _needles(value)


def _needles(value: Any) -> Iterator[str]:
    if not isinstance(value, str) or value == PULUMI_SECRET or len(value) < _SHORTEST:
        return
    yield value
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    if len(decoded) >= _SHORTEST:
        yield decoded
        yield from (line for line in decoded.splitlines() if len(line) >= _LONG // 2)


def leaves(value: Any) -> Iterator[str]:
    """Texts of any depth that can be secret: for a section which holds nothing else."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str) and value not in {PULUMI_SECRET, HIDDEN} and len(value) >= _SHORTEST:
        yield value
