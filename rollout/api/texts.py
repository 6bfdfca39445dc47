"""Texts of others, made fit for a status, an event, a log and a terminal: cleaned once, where they enter.

What a pod, a gateway or a person writes may hold escape codes, line ends that forge a line of a log, a megabyte, or the
password of a database.
"""

from __future__ import annotations

import re

MOST = 200
"""Characters, where nothing else is said."""

_READ = 16
"""So many times the wanted length is looked at; what is behind can hardly be needed."""

_HIDDEN = "[masked]"
_SECRETS = (
    (re.compile(r"(?P<keep>[a-zA-Z][\w+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)"), r"\g<keep>" + _HIDDEN),
    (re.compile(r"(?P<keep>(?i:bearer|basic)\s+)[\w+/=.~-]{8,4000}"), r"\g<keep>" + _HIDDEN),
    (
        re.compile(
            r"(?P<keep>(?i:passwor[dt]|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?"
            r"[\"']?\s{0,3}[=:]\s{0,3})[\"']?[^\s\"',;&]{1,500}"
        ),
        r"\g<keep>" + _HIDDEN,
    ),
    (re.compile(r"\bey[JK][\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]{8,2000}"), _HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.{0,8000}?(?:-----END [A-Z ]{0,40}-----|$)"), _HIDDEN),
)
"""What gives a secret away; every repetition is bounded, so that each is linear in the text."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]?|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)?|[@-Z\\^_])?")


def clean(text: object, most: int = MOST) -> str:
    """One line without control characters, escape codes or anything that changes how others are shown.

    Args:
        text: whatever somebody wrote.
        most: characters; where it is longer it ends in an ellipsis.
    """
    raw = str(text)[: _READ * most]
    shown = raw if raw.isprintable() else "".join(map(_shown, _ESCAPE.sub("", raw)))
    line = " ".join(shown.split())
    return line if len(line) <= most else line[: max(most - 1, 0)] + "…"


def masked(text: object) -> str:
    """The text without passwords in addresses, tokens, keys, and values of fields that are called so."""
    found = str(text)
    for pattern, instead in _SECRETS:
        found = pattern.sub(instead, found)
    return found


def told(text: object, most: int = MOST) -> str:
    """Masked, then cleaned: for what a pod or a server says."""
    return clean(masked(str(text)[: _READ * most]), most)


def _shown(letter: str) -> str:
    """A space for whatever is no letter of a line: controls, formats such as those that turn writing round."""
    return letter if letter.isprintable() else " "
