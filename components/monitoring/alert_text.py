"""The text of an alert: a template of Go's that Prometheus must be able to read, or it loads no rule at all."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_ACTION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_WORD = re.compile(r"(?<![\w.$])(\$?[A-Za-z_]\w*)")
_VARIABLES = {"$labels", "$externalLabels", "$externalURL", "$value"}
_FUNCTIONS = {
    "and", "args", "else", "end", "eq", "externalURL", "false", "first", "ge", "gt", "humanize", "humanize1024",
    "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "if", "index", "label", "le", "len", "lt", "match",
    "ne", "nil", "not", "or", "parseDuration", "pathPrefix", "print", "printf", "query", "range", "reReplaceAll",
    "sortByLabel", "stripDomain", "stripPort", "strvalue", "title", "toLower", "toTime", "toUpper", "true", "value",
    "with",
}  # fmt: skip
_OPENS = {"if", "range", "with"}


def _template(text: str) -> str:
    """The text itself.

    Raises:
        ValueError: Prometheus could not read it.
    """
    example = "write it like {{ $labels.pod }} or {{ $value | humanize }}"
    if "{{" in _ACTION.sub("", text):
        raise ValueError(f"has {{{{ without its }}}}; {example}")
    depth = 0
    for action in _ACTION.findall(text):
        words = _WORD.findall(_QUOTED.sub(" ", action))
        if not words and not _QUOTED.search(action) and "." not in action:
            raise ValueError(f"has nothing to write in {{{{{action}}}}}; {example}")
        for word in words:
            if word not in _FUNCTIONS | _VARIABLES:
                raise ValueError(f"has {word} in {{{{{action}}}}}, which Prometheus does not know; {example}")
        depth += sum(word in _OPENS for word in words[:1]) - (words[:1] == ["end"])
        if depth < 0:
            raise ValueError(f"has an end that ends nothing; {example}")
    if depth:
        raise ValueError("has an if, range or with without its end; write {{ end }} behind it")
    return text


AlertText = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_template)]
