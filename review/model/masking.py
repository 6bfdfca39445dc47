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
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from review.model.change import Edit, Path

HIDDEN = "(hidden)"
CHANGED = "(hidden) changed"
PULUMI_SECRET = "[secret]"  # noqa: S105 - the word that Pulumi writes
SECRET_MARK, SECRET_MEANING = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""Key and value by which Pulumi's wire and state mark a secret."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The object once more as a text, with all that is secret in it."""

_SHORTEST = 6  # characters: a shorter value would be found in every other word
_LIST = "SecretList"
_WORD = 120
_LONG, _BITS = 32, 4.2  # a run of letters and digits so long and with so many bits a character is no word
_TELLING = re.compile(
    r"(?i)(passw(or)?d|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth[_-]?key)"
)
_PASSWORD = re.compile(r"(?i)(passw(or)?d|passwd|passphrase|_pin$|^pin$)")
_NAME_AND_PASSWORD = re.compile(r"[^\s:]+:(?!\d+$)[^\s/]\S{3,}")
_FLAG = re.compile(r"--?[A-Za-z][\w.-]*")
_ELSEWHERE = re.compile(
    r"(?i)(/[\w.-]+)+/?|\$(\w+|\{\w+\}|\(\w+\))|\{\{.*\}\}|\((hidden|a plan does not say)\).*|true|false|none|null|"
)
_PLACE = re.compile(r"(?i)(file|path|dir|name|ref|url|uri|host|port|ttl|mount|enabled|type|class|policy|account.*)$")
_COMMON = re.compile(r"(?i)(.*[_-])?(user(name)?|host|port|database|db|realm|type|ca\.crt|tls\.crt|config)")
"""What a Secret holds beside its secrets: hidden where it stands, not searched for in everything else."""

_ASSIGNED = (
    r"password|passwd|passphrase|requirepass|masterauth|\bpw|\bpwd|client[_-]?secret|(?:secret|account|shared)[_-]?"
    r"(?:access[_-]?)?key|api[_-]?key|(?:access|auth|api|refresh|bot|bearer)[_-]?token|\btoken(?==)"
)
_WRITTEN = (
    r"""\bsecret(?:=|:[ ]+)["']?|<[\w:.-]*(?:password|passwd|secret|token|api-?key)>"""
    r"""|\b(?:mysql|mariadb)[\w-]*[ ][^\n;|&]{0,200}?(?<=[ ])-p"""
    r"""|\bcurl[ ][^\n;|&]{0,200}?(?<=[ ])(?:-u|--user)[ =]["']?[^\s:"']{1,64}:"""
)
"""In tags of XML, and as commands of a shell take it."""
_LOOKS_SECRET = re.compile(
    rf"""
    -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY(?:\ BLOCK)?-----.*?(?:-----END\ [A-Z\ ]*PRIVATE\ KEY(?:\ BLOCK)?-----|\Z)
    | \beyJ[\w-]{{8,}}\.[\w-]{{8,}}\.[\w-]*                     # a JSON Web Token
    | \b(?:AKIA|ASIA)[A-Z0-9]{{16}}\b                            # an access key of AWS
    | \b(?:gh[pousr]_|github_pat_|gl(?:pat|rt|dt)-|xox[abeprs]-|sk-|pul-|[sr]k_(?:live|test)_|npm_|pypi-|dckr_pat_|AIza
        |hv[sb]\.|SG\.|dop_v1_|AGE-SECRET-KEY-1)[\w.-]{{16,}}
    | (?<=hooks\.slack\.com/services/)[\w/]+
    | (?<=://)[^/\s:@"']*:[^/\s"']+(?=@)                         # a name and a password in an address
    | (?i:(?<=bearer\ )|(?<=basic\ ))(?=[\w.~+/=-]*[\d+/=])[\w.~+/=-]{{8,}}
    | (?i:"auth"\s*:\s*"|(?:requirepass|masterauth)\s+"?|(?:{_ASSIGNED})["']?\s*[:=]\s*["']?|{_WRITTEN})
      (?P<value>[^\s"',;}}&$%{{][^\s"',;}}&]{{3,}})
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
    _told: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make the needles one pattern, longest first."""
        if self.needles:
            longest_first = sorted(self.needles, key=lambda each: (-len(each), each))
            object.__setattr__(self, "_known", re.compile("|".join(map(re.escape, longest_first))))

    def text(self, text: str) -> str:
        """A text without what is known to be secret or looks like it."""
        if len(text) > _WORD:
            return self._masked(text)
        if text not in self._told:  # objects of one stack say the same words again and again
            self._told[text] = self._masked(text)
        return self._told[text]

    def _masked(self, text: str) -> str:
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
                name: _keys_alone(inner)
                if is_secret(value.get("kind"), (name,))
                else self.value(inner, named if name == "value" and isinstance(named, str) else name)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [HIDDEN if flagged else self.value(inner, key) for flagged, inner in _after_flags(value)]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return HIDDEN if _names_password(key) else value
        if not isinstance(value, str) or not value:
            return value
        if key == LAST_APPLIED:
            return HIDDEN
        return HIDDEN if _names_secret(key) and not _points_elsewhere(value) else self.text(value)

    def manifest(self, manifest: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """An object; the data of a Secret keeps its keys alone."""
        if manifest is None:
            return None
        made = self.value(_with_items(manifest))
        return made if isinstance(made, dict) else {}

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
    """Whether a path leads into the data of a Secret, or of one in a list of them."""
    if kind == _LIST:
        kind, path = "Secret", path[2:]
    return kind == "Secret" and bool(path) and path[0] in {"data", "stringData"}


def _with_items(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object; the items of a list of Secrets say that they are Secrets."""
    items = manifest.get("items")
    if manifest.get("kind") != _LIST or not isinstance(items, list):
        return manifest
    return {**manifest, "items": [{**item, "kind": "Secret"} if isinstance(item, dict) else item for item in items]}


def _keys_alone(value: Any) -> Any:
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) and SECRET_MARK not in value else HIDDEN


def _all_hidden(value: Any) -> Any:
    return None if value is None else _keys_alone(value)


def _after_flags(items: list[Any]) -> Iterator[tuple[bool, Any]]:
    """Each item of a list, and whether it is the value of a flag like ``--password`` before it."""
    flagged = who = False
    for item in items:
        is_flag = isinstance(item, str) and _FLAG.fullmatch(item) is not None
        told = flagged or (who and isinstance(item, str) and _NAME_AND_PASSWORD.fullmatch(item) is not None)
        yield told and isinstance(item, str) and not is_flag and not _points_elsewhere(item), item
        flagged, who = is_flag and _names_secret(item), is_flag and item in {"-u", "--user"}


@lru_cache(maxsize=4096)
def _names_secret(key: str) -> bool:
    return bool(_TELLING.search(key)) and not _PLACE.search(key)


def _names_password(key: str) -> bool:
    """Whether even a number of that name is none to be shown."""
    return bool(_PASSWORD.search(key)) and not _PLACE.search(key)


def _points_elsewhere(value: str) -> bool:
    """A path, a reference to a variable, a switch: no secret, though its name sounds like one."""
    return bool(_ELSEWHERE.fullmatch(value))


def _without_value(found: re.Match[str]) -> str:
    value = found.group("value")
    return HIDDEN if value is None else found.group()[: -len(value)] + HIDDEN


def _without_random(found: re.Match[str]) -> str:
    """A run that no person wrote is hidden; digests in hexadecimal and paths stay."""
    run = found.group()
    if (
        _HEX.fullmatch(run)
        or ((run.islower() or run.isupper()) and not _is_drawn(run))
        or not any(map(str.isdigit, run))
        or run.count("/") > len(run) // 16
    ):
        return run
    return HIDDEN if bits_per_character(run) >= _BITS else run


def _is_drawn(run: str) -> bool:
    """Letters of one case and many digits without a mark between: a machine drew it, no person wrote it."""
    return run.isalnum() and sum(map(str.isdigit, run)) > len(run) // 8


def bits_per_character(text: str) -> float:
    """Shannon's entropy of the letters of a text, in bits for each."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def needles_of(manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Every value that a Secret among these objects, or inside one of them, holds, as written and decoded."""
    for secret in (inner for manifest in manifests for inner in _secrets_in(manifest)):
        for key in ("data", "stringData"):
            values = secret.get(key)
            for name, value in values.items() if isinstance(values, dict) else ():
                if not _COMMON.fullmatch(name):
                    yield from _needles(value)


def _secrets_in(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The Secret itself, or those in a list and in the values of a chart."""
    if manifest.get("kind") == "Secret":
        yield manifest
    elif manifest.get("kind") == _LIST or not manifest.get("apiVersion"):
        waiting: list[Any] = [_with_items(manifest)]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict) and value.get("kind") == "Secret":
                yield value
            elif isinstance(value, dict | list):
                waiting += value.values() if isinstance(value, dict) else value


def _needles(value: Any) -> Iterator[str]:
    if not isinstance(value, str) or value == PULUMI_SECRET or len(value) < _SHORTEST:
        return
    yield value
    yield base64.b64encode(value.encode()).decode()
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
