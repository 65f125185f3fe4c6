"""What may be skipped where: see TESTS_MAY_SKIP in conftest.py."""

from __future__ import annotations

import pytest

from tests.conftest import may_skip


@pytest.mark.parametrize(
    ("allowed", "reason", "may"),
    [
        (None, "needs anything", True),
        ("no", "no openssl here", False),
        ("node is not installed,zsh is missing", "Skipped: zsh is missing: apt install zsh", True),
        ("node is not installed,zsh is missing", "Skipped: fish is missing", False),
    ],
)
def test_a_test_may_be_skipped_for_the_reasons_that_count_here(
    allowed: str | None, reason: str, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TESTS_MAY_SKIP", raising=False)
    if allowed is not None:
        monkeypatch.setenv("TESTS_MAY_SKIP", allowed)
    assert may_skip(reason) is may
