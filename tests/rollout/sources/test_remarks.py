"""What sources leave out is told once."""

from __future__ import annotations

from rollout.signals.looks import SignalLook, SourceStatus
from rollout.sources.remarks import Remarks
from tests.rollout.sources.builders import T


def look(reason: str, at: float = 0, *, name: str = "errors", status: SourceStatus = SourceStatus.OK) -> SignalLook:
    return SignalLook(name, T + at, status, {}, reason=reason)


def test_what_is_left_out_is_told_once_and_while_it_is():
    remarks = Remarks()
    for each in (look("envoy-j: no answer within 1 s"), look("envoy-j: no answer within 1 s", name="others")):
        remarks.take(each)
    assert remarks.notes == ("envoy-j: no answer within 1 s",)
    remarks.take(look("envoy-j: no answer within 2 s"))
    assert remarks.notes == ("envoy-j: no answer within 1 s",), "numbers make no other remark"
    remarks.take(look("", 5))
    assert remarks.notes == ("envoy-j: no answer within 1 s",), "what comes and goes is one remark"
    remarks.take(look("", 301, name="others"))
    remarks.take(look("d: refused", 301))
    assert remarks.notes == ("d: refused",)
    remarks.take(look("", 602))
    assert remarks.notes == ()


def test_what_a_verdict_says_is_no_remark():
    remarks = Remarks()
    remarks.take(look("refused", status=SourceStatus.SOURCE_DOWN))
    assert remarks.notes == ()


def test_they_are_few_and_fit_to_be_shown():
    remarks = Remarks()
    for number in range(9):
        remarks.take(look(f"{'abcdefghi'[number]}\n\x1b[31m" + "x" * 999, name=f"s{number}"))
    assert len(remarks.notes) == 5
    assert all(each.isprintable() and len(each) <= 200 for each in remarks.notes)
    remarks.clear()
    assert remarks.notes == ()
