"""Tests on a plain Debian: what cannot be tried here has failed, and says so."""

from __future__ import annotations

import pytest

from tests.system import plain


def test_a_debian_that_cannot_be_had_is_a_failure_that_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plain, "why_not", lambda: "not installed: debootstrap")
    assert plain.main(["trixie"]) == 1
    assert "not installed: debootstrap" in capsys.readouterr().err
