"""The regular expressions of specs: RE2's, which read a line once, whatever line and expression are.

An expression of Python's own takes 21 s for 16 letters where both are made for it (docs/adr/0020). The price is that RE2
knows no references back and no looking around.
"""

from __future__ import annotations

import re2

LONGEST_PATTERN = 512
_MOST_MEMORY = 1 << 20  # bytes of one compiled expression


class Pattern:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MOST_MEMORY
        self._expression = re2.compile(text, options)

    def found_in(self, line: str) -> bool:
        """Whether the expression is found somewhere in a line."""
        return self._expression.search(line) is not None


def compiled(text: str) -> Pattern:
    """The expression.

    Raises:
        ValueError: RE2 does not know it, or it is too large; says why.
    """
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"pattern has {len(text)} characters, at most {LONGEST_PATTERN} are taken")
    try:
        return Pattern(text)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(
            f"pattern {text!r} is no regular expression of RE2, which has no (?=…), (?!…), (?<=…) and \\1: {said}"
        ) from None
    except UnicodeEncodeError:
        raise ValueError(f"pattern {text!r} has letters that no log has") from None
