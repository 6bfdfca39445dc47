r"""The regular expressions of specs: RE2's, which read a line once, whatever line and expression are.

An expression of Python's own takes 21 s for 16 letters where both are made for it (docs/adr/0020). The price is that
RE2 knows no references back and no looking around. Its work is the length of the line times the size of the expression,
at worst, so both are bounded: ``(.{99}){99}`` is an expression of ten thousand letters.
"""

from __future__ import annotations

import re

import re2

LONGEST_PATTERN = 256
LONGEST_SEARCHED = 4_096
"""Characters of a line in which an expression is looked for."""

MOST_INSTRUCTIONS = 5_000
"""Of a compiled expression: some four for a letter class, a thousand for all letters of all scripts."""

HEAVY = r"(\{[0-9]*,?[0-9]{3}|\{[0-9].*\)\{[0-9]|\\[pP].*\{[0-9]|\\C)"
"""What makes an expression large: repetitions of a hundred or more, within each other, or of whole scripts. (`\\C`, a
byte that may be none of a letter, is known to RE2 and not to the API server.)"""

_MOST_MEMORY = 1 << 20  # bytes of one compiled expression
_HEAVY = re.compile(HEAVY)


class Pattern:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MOST_MEMORY
        self._expression = re2.compile(text, options)
        self.size = int(self._expression.programsize)

    def found_in(self, line: str) -> bool:
        """Whether the expression is found somewhere in the beginning of a line."""
        return self._expression.search(line[:LONGEST_SEARCHED]) is not None


def compiled(text: str) -> Pattern:
    """The expression.

    Raises:
        ValueError: RE2 does not know it, or it is too large; says why.
    """
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"pattern has {len(text)} characters, at most {LONGEST_PATTERN} are taken")
    try:
        found = Pattern(text)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(
            f"pattern {text!r} is no regular expression of RE2, which has no (?=…), (?!…), (?<=…) and \\1: {said}"
        ) from None
    except UnicodeEncodeError:
        raise ValueError(f"pattern {text!r} has letters that no log has") from None
    if _HEAVY.search(text) or found.size > MOST_INSTRUCTIONS:
        raise ValueError(f"pattern {text!r} is too large: write + or * where it repeats something a hundred times")
    return found
