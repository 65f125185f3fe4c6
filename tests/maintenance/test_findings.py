"""A finding as people and scripts read it."""

from __future__ import annotations

from agent.maintenance.findings import FindingVerdict, failed, is_healthy, noted, passed, skipped


def test_a_finding_is_one_line_that_says_what_to_do():
    line = failed("DNS", "the name x cannot be resolved", "check the name").line()
    assert line == "FAIL  DNS            the name x cannot be resolved; next: check the name"
    assert passed("disk", "20 MB free").line() == "PASS  disk           20 MB free"


def test_for_scripts_a_finding_is_plain_data():
    assert noted("clock", "late", "wait").as_data() == {
        "step": "clock",
        "verdict": "note",
        "words": "late",
        "then": "wait",
    }


def test_only_what_does_not_work_is_unhealthy():
    assert is_healthy([passed("a", ""), noted("a", ""), skipped("a", "")])
    assert not is_healthy([passed("a", ""), failed("a", "")])
    assert is_healthy([])
    assert {verdict.value for verdict in FindingVerdict} == {"pass", "fail", "note", "skip"}
