"""For what machines show: SARIF 2.1.0 beside code, and JUnit beside tests."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from review.reports import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from review.reports.document import Doubted, Finding, Review

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}
"""``security-severity`` as GitHub sorts by."""
FAILING = frozenset({"high", "critical"})


def stack_file(review: Review) -> str:
    """Where the stack is declared, relative to the project."""
    return f"stacks/Pulumi.{review.stack}.yaml" if review.stack else "Pulumi.yaml"


def sarif(review: Review, texts: Mapping[str, str] | None = None) -> str:
    """SARIF: a result for each risk and each doubt.

    Args:
        review: what to tell.
        texts: what each rule is for, by its id; a rule without one is described by its finding.
    """
    rules = _rules(review, texts or {})
    places = {rule["id"]: index for index, rule in enumerate(rules)}
    results = [_result(each, places, review) for each in review.risks]
    results += [_doubtful(each, places, review) for each in review.doubts]
    driver = {"name": "grayling", "rules": rules}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "automationDetails": {"id": f"grayling/review/{words.name_of(review)}/"},
        "results": results,
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rules(review: Review, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    found = {each.id: (texts.get(each.id, each.text), each.severity) for each in reversed(review.risks)}
    found |= {_trust(each): (each.text, "high" if each.fatal else "low") for each in review.doubts}
    return [
        {
            "id": name,
            "shortDescription": {"text": text},
            "defaultConfiguration": {"level": _LEVELS[severity]},
            "properties": {"security-severity": _SCORES[severity], "tags": ["grayling", "review"]},
        }
        for name, (text, severity) in sorted(found.items())
    ]


def _trust(doubt: Doubted) -> str:
    return f"trust/{doubt.id}"


def _result(risk: Finding, places: Mapping[str, int], review: Review) -> dict[str, Any]:
    text = f"{risk.object}: {risk.text}" + (f" Taking it back: {risk.undo}" if risk.undo else "")
    made = _located(risk.id, places, _LEVELS[risk.severity], text, risk.object, review)
    made["partialFingerprints"] = {"grayling/v1": _fingerprint(risk.id, risk.object, risk.path, review.stack)}
    if risk.waiver:
        made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": words.waived(risk.waiver)}]
    return made


def _doubtful(doubt: Doubted, places: Mapping[str, int], review: Review) -> dict[str, Any]:
    level = "error" if doubt.fatal else "note"
    made = _located(_trust(doubt), places, level, doubt.text, "stack", review)
    return made | {"partialFingerprints": {"grayling/v1": _fingerprint(doubt.id, doubt.text, review.stack)}}


def _located(rule: str, places: Mapping[str, int], level: str, text: str, where: str, review: Review) -> dict[str, Any]:
    file = {"uri": stack_file(review)}
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "level": level,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": file, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": where, "kind": "resource"}],
            }
        ],
    }


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def junit(review: Review) -> str:
    """JUnit XML: a case for each risk, for each doubt, and for each object that no rule spoke of."""
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", name=f"grayling review {words.name_of(review)}")
    for doubt in review.doubts:
        _case(suite, "trust", doubt.id, doubt.text, "not-trustworthy" if doubt.fatal else "")
    risky: dict[str, bool] = defaultdict(bool)
    for risk in review.risks:
        risky[risk.object] = True
        text = f"{risk.text}\nTaking it back: {risk.undo}" if risk.undo else risk.text
        failing = risk.severity if risk.severity in FAILING and not risk.waiver else ""
        _case(suite, risk.id, f"{risk.object} {risk.path}".strip(), text, failing)
    for change in review.changes:
        if not risky[change.object]:
            _case(suite, "change", change.object, words.ops_text(change), "")
    for element in (suites, suite):
        element.set("tests", str(len(suite)))
        element.set("failures", str(len(suite.findall("testcase/failure"))))
        element.set("errors", "0")
        element.set("skipped", "0")
        element.set("time", "0")
    suite.set("timestamp", review.created[:19]) if review.created else None
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)


def _case(suite: ET.Element, rule: str, name: str, text: str, failing: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=f"grayling.review.{rule}", name=name, time="0")
    if failing:
        ET.SubElement(case, "failure", type=failing, message=text.split("\n", 1)[0]).text = text
    else:
        ET.SubElement(case, "system-out").text = text
