"""How a collector takes personal fields out of what it passes on: attributes by name, texts by what stands there.

Bodies that are JSON become fields first, so that a name is found at any depth. What cannot be masked is refused.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MASK = "****"
_QUOTED = r'(?:[^"\\]|\\.)*'
_APOSTROPHES = r"(?:[^'\\]|\\.)*"
_END = r"""(\s+[\w.-]+\s*[=:]|[,;&|})\]<>"'\n]|$)"""
_ATTRIBUTES = ("resource.attributes", "scope.attributes")

_OF_PROGRAMS = (
    "service.name", "service.namespace", "service.version", "host.name", "container.name", "telemetry.sdk.name",
    "k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "k8s.node.name",
)  # fmt: skip
"""Names of programs and machines, which `name` would fit too."""

_KNOWN = " or ".join(f"Is{kind}(log.body)" for kind in ("String", "Map", "List", "Int", "Double", "Bool"))
_TEXT_OF = r'IsString(log.body) and IsMatch(log.body, "^\\s*{}")'
_BRACKET = r"\\["
_BEFORE = r'"{\"items\":"'

# In this order: whatever is no text, map or list of values becomes a text, or is masked as a whole.
_SHAPE = (
    f'set(log.body, "{MASK}") where log.body != nil and not ({_KNOWN})',
    "set(log.body, String(log.body)) where not (IsString(log.body) or IsMap(log.body))",
    f'set(log.cache["parsed"], ParseJSON(log.body)) where {_TEXT_OF.format("[{]")}',
    f'set(log.cache["parsed"], ParseJSON(Concat([{_BEFORE}, log.body, "}}"], ""))) where {_TEXT_OF.format(_BRACKET)}',
    'set(log.body, log.cache["parsed"]) where IsMap(log.cache["parsed"])',
    "flatten(log.body) where IsMap(log.body)",
)


def processors(names: Sequence[str]) -> dict[str, Any]:
    """Processors by name, in the order of pipelines; none where no field is named."""
    if not names:
        return {}
    return {
        "transform/shape": {
            "error_mode": "silent",
            "log_statements": [_block("log", (*_SHAPE, *_flat("log.attributes")))],
            "trace_statements": [
                _block("span", _flat("span.attributes")),
                _block("spanevent", ("flatten(spanevent.attributes)",)),
            ],
        },
        "redaction/mask": {
            "allow_all_keys": True,
            "summary": "silent",
            "ignored_keys": [*_OF_PROGRAMS],
            "blocked_key_patterns": [_escaped(key_pattern(name)) for name in names],
        },
        "transform/mask": {
            "error_mode": "propagate",
            "log_statements": [_block("log", _log_statements(names))],
            "trace_statements": [
                _block("span", _span_statements(names)),
                _block("spanevent", _event_statements(names)),
            ],
        },
    }


def key_pattern(name: str) -> str:
    """What keys of attributes fit a name: whole, or as their last parts, and all that stands below."""
    parts = r"([._-]\d+)*[._-]?".join(re.escape(part) for part in _parts(name))
    return rf"(?i)(^|[._-]){parts}(\..*|[._-]\d+)*$"


def text_patterns(name: str) -> Iterator[tuple[str, str]]:
    """Patterns of a field in a text, and what is put in their place: JSON, ``key=value``, ``key: value``, XML."""
    parts = [re.escape(part) for part in _parts(name)]
    joined = "[._-]?".join(parts)
    before = rf"(?:^|[^a-z0-9]){joined}"
    if len(parts) > 1:
        path = r'"\s*:\s*[\[{](?s:.*?)"'.join(parts)
        yield rf'(?i)("{path}"\s*:\s*)("{_QUOTED}"|[^\s",{{}}\[\]]+)', f'${{1}}"{MASK}"'
        path = r"\b[^>]*>(?s:.*?)<".join(parts)
        yield rf"(?i)(<{path}\b[^>]*>)[^<]+", f"${{1}}{MASK}"
    yield rf'(?i)({before}\\*["\']?\s*[:=]\s*\\*"){_QUOTED}', f"${{1}}{MASK}"
    yield rf'(?i)({before}["\']?\s*[:=]\s*\'){_APOSTROPHES}', f"${{1}}{MASK}"
    bare = rf"""(?i)({before}\\*["']?\s*[:=]\s*)[^\s"'\\*{{\[][^"'\n,;&|}})\]<>]*?{_END}"""
    yield from [(bare, f"${{1}}{MASK}${{2}}")] * 2  # one takes the beginning of the next
    yield rf"(?i)(<(?:\w+:)?{joined}(?:\s[^>]*)?>)[^<]+", f"${{1}}{MASK}"


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[._-]", name) if part]


def _block(context: str, statements: Sequence[str]) -> dict[str, Any]:
    return {"context": context, "statements": list(statements)}


def _flat(*more: str) -> tuple[str, ...]:
    return tuple(f"flatten({each})" for each in (*_ATTRIBUTES, *more))


def _escaped(text: str) -> str:
    """As a collector's file has it: a single dollar would begin a variable."""
    return text.replace("$", "$$")


def _in_text(target: str, names: Sequence[str], condition: str = "") -> Iterator[str]:
    where = f" where {condition}" if condition else ""
    for name in names:
        for pattern, instead in text_patterns(name):
            yield _escaped(f"replace_pattern({target}, {json.dumps(pattern)}, {json.dumps(instead)}){where}")


def _in_values(target: str, names: Sequence[str], condition: str = "") -> Iterator[str]:
    where = f" where {condition}" if condition else ""
    for name in names:
        for pattern, instead in text_patterns(name):
            found = f"{json.dumps(pattern)}, {json.dumps(instead)}"
            yield _escaped(f'replace_all_patterns({target}, "value", {found}){where}')


def _log_statements(names: Sequence[str]) -> list[str]:
    return [
        *_in_text("log.body", names, "IsString(log.body)"),
        *_in_values("log.body", names, "IsMap(log.body)"),
        *(each for target in (*_ATTRIBUTES, "log.attributes") for each in _in_values(target, names)),
    ]


def _span_statements(names: Sequence[str]) -> list[str]:
    return [
        *_in_text("span.name", names),
        *_in_text("span.status.message", names),
        *(each for target in (*_ATTRIBUTES, "span.attributes") for each in _in_values(target, names)),
    ]


def _event_statements(names: Sequence[str]) -> list[str]:
    return [*_in_text("spanevent.name", names), *_in_values("spanevent.attributes", names)]
