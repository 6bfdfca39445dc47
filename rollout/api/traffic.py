"""Where traffic comes from: what a spec may say of the HTTPRoute, within what the Gateway API takes.

Whatever its schema refuses would be refused when the route is written, while a release is in flight; so it is refused
here, before anything starts.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from rollout.api.durations import Seconds
from rollout.api.wire import (
    LONGEST_NAME,
    Model,
    by_key,
    none_twice,
)

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"^{_LABEL}(\.{_LABEL})*$"
Subdomain = Annotated[str, Field(pattern=_SUBDOMAIN, min_length=1, max_length=253)]
Hostname = Annotated[str, Field(pattern=rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$", min_length=1, max_length=253)]
NamespaceName = Annotated[str, Field(pattern=rf"^{_LABEL}$", min_length=1, max_length=63)]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", min_length=1, max_length=256)]

WHOLE_PATH = r"^/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9a-fA-F]{2})*$"
"""What an exact path and a prefix are made of."""

NO_PATH = r"(//|/\.\.?(/|$)|%2[fF])"
"""And what they do not hold: the gateway would have to guess which path is meant."""


class ParentRef(Model):
    """The Gateway (and listener) that traffic comes from."""

    name: Subdomain
    namespace: NamespaceName | None = None
    section_name: Subdomain | None = None


class PathKind(StrEnum):
    """How a path is compared."""

    EXACT = "Exact"
    PREFIX = "PathPrefix"
    EXPRESSION = "RegularExpression"


class ValueKind(StrEnum):
    """How the value of a header or a query parameter is compared."""

    EXACT = "Exact"
    EXPRESSION = "RegularExpression"


class Method(StrEnum):
    """The methods of HTTP."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"
    CONNECT = "CONNECT"
    OPTIONS = "OPTIONS"
    TRACE = "TRACE"
    PATCH = "PATCH"


TOO_SHORT = "requestTimeout: less than a millisecond; write 1ms or more, or 0s for no limit"
A_MILLISECOND = (
    r"(^|[a-z])([0-9]*[1-9][0-9]*([.][0-9]+)?[a-z]|[0-9]+[.][0-9]{0,2}[1-9][0-9]*s|"
    r"[0-9]+[.][0-9]{0,3}[1-9][0-9]*(m$|m[0-9]|h|d))"
)
"""A part of a duration that is a millisecond or more."""


class PathMatch(Model):
    """Which paths; a prefix where nothing else is said."""

    type: PathKind | None = None
    value: Annotated[str, Field(max_length=1024)] | None = None

    @model_validator(mode="after")
    def _is_a_path(self) -> Self:
        value = self.value
        if value is None or self.type is PathKind.EXPRESSION:
            return self
        if not re.fullmatch(WHOLE_PATH[1:-1], value) or re.search(NO_PATH, value):
            raise ValueError(
                f"value: {value[:99]!r} is no path; it begins with / and has no //, /./, /../ and %2f in it"
            )
        return self


class HeaderMatch(Model):
    """A header that a request must have."""

    name: FieldName
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    type: ValueKind | None = None


class QueryMatch(Model):
    """A query parameter that a request must have."""

    name: FieldName
    value: Annotated[str, Field(min_length=1, max_length=1024)]
    type: ValueKind | None = None


class Match(Model):
    """Which requests; all that is given must hold."""

    path: PathMatch | None = None
    headers: Annotated[list[HeaderMatch], Field(max_length=16, json_schema_extra=by_key("name"))] | None = None
    query_params: Annotated[list[QueryMatch], Field(max_length=16, json_schema_extra=by_key("name"))] | None = None
    method: Method | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        none_twice("headers", [header.name for header in self.headers or ()])
        none_twice("queryParams", [param.name for param in self.query_params or ()])
        return self


class Traffic(Model):
    """Where traffic comes from: an HTTPRoute of this shape is made and owned by the engine."""

    parents: Annotated[list[ParentRef], Field(min_length=1, max_length=16)]
    hostnames: Annotated[list[Hostname], Field(max_length=16)] = Field(default_factory=list)
    matches: Annotated[list[Match], Field(max_length=64)] = Field(
        default_factory=list, description="HTTPRouteMatch entries; all paths where empty"
    )
    port: Annotated[str, Field(max_length=LONGEST_NAME)] | None = Field(
        default=None, description="name of the workload port traffic goes to; the first if not given"
    )
    request_timeout: Seconds | None = Field(
        default=None,
        description="until the answer is there, else 504; 0s for no limit, the gateway's own if not given (Envoy: 15s)",
    )

    @model_validator(mode="after")
    def _parents_differ(self) -> Self:
        """As the Gateway API has it: a Gateway that is named twice is named by different listeners."""
        for parent in self.parents:
            same = [each for each in self.parents if (each.name, each.namespace) == (parent.name, parent.namespace)]
            sections = [each.section_name for each in same]
            if len(same) > 1 and (None in sections or len(set(sections)) < len(sections)):
                raise ValueError(f"traffic.parents: {parent.name} is there twice; give each a sectionName of its own")
        return self
