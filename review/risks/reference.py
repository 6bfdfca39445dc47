"""The table of rules as people and machines read it; `docs/reference/risks.md` is its Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.risks.table import RULES, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.risks.rule import Rule

SCHEMA = "grayling.dev/risk-rules/v1"

HEAD = f"""# Risk rules

What a review looks for: {len(RULES)} rules. `grayling review risks -o markdown` writes this page, `-o json` the same
for machines.

The severity is the usual one; a finding may say another, for example where a volume is kept. Low is worth a line,
medium a look, high two people; critical loses data or all service. One risk above low makes a change `review`, a high
or critical one `dangerous`.

A person may accept a risk for some time with a waiver in `.grayling/review.yaml`. It is told all the same, and counts
as low:

```yaml
waivers:
  - rule: storage-grown
    object: StatefulSet shop/redis
    reason: the volume was full, and has to grow
    until: 2026-12-31
    by: kim
```

`object` is what the report names; `*` stands for any part of it, though never for all, and not where the risk is
critical. `until` is the last day, at most a year ahead; afterwards the risk counts again, and says that its waiver has
expired. What cannot be believed is never waived.

A rule of your own: [adding a risk rule](../how-to/adding-a-risk-rule.md).
"""


def as_data() -> dict[str, Any]:
    """The table as plain data."""
    rows = [{"id": rule.id, "topic": topic, **_row(rule)} for topic, rules in TOPICS.items() for rule in rules]
    return {"schema": SCHEMA, "rules": rows}


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "severity": rule.severity.word,
        "what": rule.what,
        "why": rule.why,
        "undo": rule.undo,
        "kinds": sorted(rule.kinds),
        "waivable": rule.waivable,
    }


def as_markdown() -> str:
    """The reference page."""
    return "\n".join([HEAD, *(line for topic, rules in TOPICS.items() for line in _section(topic, rules))]) + "\n"


def _section(topic: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    yield f"## {topic[0].upper()}{topic[1:]}\n"
    yield "| rule | severity | what it finds | what may go wrong | to take it back |"
    yield "| --- | --- | --- | --- | --- |"
    for rule in rules:
        yield f"| `{rule.id}` | {rule.severity.word} | {rule.what} | {rule.why} | {rule.undo} |"
    yield ""


def as_text() -> str:
    """For a terminal: what each finds, by topic."""
    widest = max(len(rule.id) for rule in RULES)
    lines: list[str] = []
    for topic, rules in TOPICS.items():
        lines += ["", topic] if lines else [topic]
        lines += [f"  {rule.id:<{widest}}  {rule.severity.word:<8}  {rule.what}" for rule in rules]
    return "\n".join(lines)
