"""Paths of pods' pages: what a spec may name, and what a fetch sends.

A path is joined to an address or to the API server's URL of a pod. ``metrics`` without a slash would become part of the
port, ``@host/`` of another host, and ``/../`` would leave the pod: a path names a page of the pod, or it is refused.
"""

from __future__ import annotations

import re

_SEGMENT = r"\.?[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*"
_QUERY = r"(\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
PAGE = rf"^/({_SEGMENT}(/{_SEGMENT})*/?)?$"
"""A page, in the regular expressions of JSON schema, Rust and Python alike."""

PAGE_AND_QUERY = f"{PAGE[:-1]}{_QUERY}$"
"""The same with a query, percent-encoded."""

LONGEST = 256

_PAGE, _WITH_QUERY = re.compile(PAGE), re.compile(PAGE_AND_QUERY)


def checked(path: str, *, query: bool = True) -> str:
    """The path, if it is that of a page.

    Args:
        path: as in a spec.
        query: whether a query may follow.

    Raises:
        ValueError: it is none; says what to write.
    """
    if len(path) <= LONGEST and (_WITH_QUERY if query else _PAGE).fullmatch(path):
        return path
    raise ValueError(f"path: {path[:LONGEST]!r} is no page of a pod; {_fix(path, query=query)}")


def _fix(path: str, *, query: bool) -> str:
    if len(path) > LONGEST:
        return f"it has {len(path)} characters, and at most {LONGEST} are taken"
    if not path.startswith("/"):
        return f"it begins with a slash: {'/' + path if _PAGE.fullmatch('/' + path) else '/metrics'}"
    if "?" in path and not query:
        return "leave out the query"
    return "it is made of names between single slashes, without . and .., for example /metrics"
