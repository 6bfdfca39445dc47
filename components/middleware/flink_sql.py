"""Jobs as SQL: taken apart into statements, held against what a job may say, and named by what it says."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INSERT = re.compile(r"INSERT\s+(INTO|OVERWRITE)\s", re.IGNORECASE)
_MAKES = re.compile(r"CREATE\s+(OR\s+REPLACE\s+)?(TEMPORARY\s+)?(SYSTEM\s+)?(TABLE|VIEW|FUNCTION)\s", re.IGNORECASE)
_PIECES = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|`[^`]*`|\"[^\"]*\"|;|[^;'`\"/-]+|.", re.DOTALL)
_SECRET = re.compile(r"'[^']*(sasl\.jaas\.config|password|secret)[^']*'\s*=", re.IGNORECASE)
_PLACE = re.compile(r"\$\{([^}]*)\}?")
_TABLE = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMPORARY\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?`?(\w+)", re.IGNORECASE
)
_INTO = re.compile(INSERT.pattern + r"`?(\w+)", re.IGNORECASE)
_TOPIC = re.compile(r"'topic'\s*=\s*'([^']+)'", re.IGNORECASE)
_ONCE = re.compile(r"'sink\.delivery-guarantee'\s*=\s*'exactly-once'", re.IGNORECASE)
_TIMEOUT = "properties.transaction.timeout.ms"
TRANSACTION_MS = 900_000
"""How long a transaction may be open: what Kafka's brokers allow at most by themselves. Flink's own hour is refused."""

KAFKA = "kafka"
"""The one word that stands for something: ``${kafka}``."""


def statements(sql: str) -> list[str]:
    """The statements of a job, without comments.

    Raises:
        ValueError: one is none that a job may have, or nothing is written anywhere.
    """
    found = [" ".join(each.split()) if "'" not in each else each.strip() for each in _apart(sql)]
    found = [each for each in found if each]
    for number, each in enumerate(found, 1):
        if not INSERT.match(each) and not _MAKES.match(each):
            raise ValueError(
                f"statement {number} ({_begin(each)}) is none of CREATE TABLE, CREATE VIEW, CREATE FUNCTION and "
                "INSERT INTO; leave it out: what SET would set are settings of the component and of its jobs"
            )
        if _SECRET.search(each):
            raise ValueError(f"statement {number} has a password; name the Kafka in `uses`, and write ${{{KAFKA}}}")
    if not any(INSERT.match(each) for each in found):
        raise ValueError("writes nothing; end it with INSERT INTO a table that it creates")
    return found


def unknown(sql: str) -> str | None:
    """The first ``${word}`` that stands for nothing; None if there is none."""
    return next((word for word in _PLACE.findall(sql) if word != KAFKA), None)


def asks_for_kafka(sql: str) -> bool:
    """Whether it says ``${kafka}``."""
    return KAFKA in _PLACE.findall(sql)


def topics(sql: str) -> tuple[list[str], list[str]]:
    """Topics of the Kafka of ``uses`` that a job reads, and those that it writes."""
    named, written = {}, set()
    for each in statements(sql):
        if (into := _INTO.match(each)) is not None:
            written.add(into[2])
        elif (table := _TABLE.match(each)) and asks_for_kafka(each) and (topic := _TOPIC.search(each)):
            named[table[1]] = topic[1]
    read = [topic for table, topic in named.items() if table not in written]
    return read, [topic for table, topic in named.items() if table in written]


def as_one_job(found: Sequence[str], kafka: str) -> list[str]:
    """What is handed in: tables first, then all that is written, as one job; ``kafka`` is what ``${kafka}`` means."""
    told = [each.replace(f"${{{KAFKA}}}", kafka + _transactions(each)) for each in found]
    made = [each for each in told if not INSERT.match(each)]
    written = "; ".join(each for each in told if INSERT.match(each))
    return [*made, f"EXECUTE STATEMENT SET BEGIN {written}; END"]


def _transactions(statement: str) -> str:
    """What a table that is written exactly once needs besides, unless it says it itself."""
    needed = _ONCE.search(statement) and _TIMEOUT not in statement
    return f", '{_TIMEOUT}' = '{TRANSACTION_MS}'" if needed else ""


def mark(name: str) -> str:
    """The first half of the ids that a job of this name gets."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def version(found: Sequence[str], parallelism: int) -> str:
    """What follows it: changes with what the job says."""
    return hashlib.sha256(json.dumps([*found, parallelism]).encode()).hexdigest()[:8]


def _apart(sql: str) -> Iterator[str]:
    """At each ``;`` that is in no text, no quoted name and no comment."""
    told: list[str] = []
    for piece in _PIECES.findall(sql):
        if piece == ";":
            yield "".join(told)
            told = []
        else:
            told.append(" " if piece.startswith(("--", "/*")) else piece)
    yield "".join(told)


def _begin(statement: str) -> str:
    words = " ".join(statement.split()[:2])
    return f"{words[:30]}…"
