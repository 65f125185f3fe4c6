"""Key pairs and files of this box's certificates: made when ordered, tidied at the start."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from agent.app.own_certificates import KeyMaker, tidied
from agent.config.config_file import parse_config
from agent.core.commands import MakeCertificateRequest
from agent.core.events import Event
from agent.core.own_certificates import (
    CertificateRequestMade,
    KeyKind,
    OwnCertificates,
    SigningRequest,
)
from agent.runtime.executors import at_once
from tests.box_config import config_text
from tests.core.own_certificates import kept
from tests.core.story import NOON
from tests.rights import modes_count

NEW, OLD = kept("new", key="a"), kept("old", key="b")
OTHER = "d" * 64


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_that_no_certificate_and_no_request_needs_are_removed_at_the_start(tmp_path: Path):
    needed = {"a.key", "b.key", "new.pem", "old.pem", "c.key"}
    for name in needed | {f"{OTHER}.key", f"{OTHER}.pem", f".{OTHER}.key.77"}:
        (tmp_path / name).touch()
    own = OwnCertificates((NEW, OLD), SigningRequest("c", NOON))
    assert tidied(own, tmp_path) == own
    assert files(tmp_path) == needed


def test_a_database_that_was_begun_anew_costs_no_key(tmp_path: Path):
    (tmp_path / f"{OTHER}.key").touch()
    for own in (OwnCertificates(), OwnCertificates((), SigningRequest("", NOON, "a full disk"))):
        assert tidied(own, tmp_path) == own
        assert files(tmp_path) == {f"{OTHER}.key"}


def test_a_certificate_whose_key_is_gone_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "b.key").touch()
    with caplog.at_level(logging.ERROR):
        assert tidied(OwnCertificates((NEW, OLD)), tmp_path) == OwnCertificates((OLD,))
    assert "The key of the certificate CN=CP-0001 is gone" in caplog.text


def test_a_request_whose_key_is_gone_waits_for_no_certificate(tmp_path: Path):
    asked = SigningRequest("c", NOON)
    words = "the key that it was asked for with is gone"
    found = tidied(OwnCertificates((), asked), tmp_path)
    assert found.request == SigningRequest("", NOON, words)
    (tmp_path / "c.key").touch()
    assert tidied(OwnCertificates((), asked), tmp_path).request == asked


def test_a_folder_that_the_agent_may_not_read_takes_no_certificate_and_the_box_starts(
    tmp_path: Path,
):
    folder = tmp_path / "certificates"
    folder.mkdir(mode=0)
    own = OwnCertificates((NEW, OLD))
    with modes_count():
        assert tidied(own, folder) == own


def test_a_box_that_never_had_one_has_no_folder(tmp_path: Path):
    assert tidied(OwnCertificates(), tmp_path / "none") == OwnCertificates()
    assert files(tmp_path) == set()


async def made(folder: Path, order: MakeCertificateRequest) -> CertificateRequestMade:
    settings = parse_config(config_text(folder))
    assert settings.central_system.certificate_key_kind == KeyKind.EC_P256.value
    posted: list[Event] = []

    class Enough(Exception):
        pass

    def post(event: Event) -> None:
        posted.append(event)
        raise Enough

    maker = KeyMaker(settings, lambda: OwnCertificates((OLD,)), post, at_once)
    maker.perform(order)
    with pytest.raises(Enough):
        await maker.run()
    (event,) = posted
    assert isinstance(event, CertificateRequestMade)
    return event


async def test_a_pair_that_is_ordered_is_made_and_kept_in_the_place_of_what_nothing_needs(
    tmp_path: Path,
):
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name in ("b.key", "old.pem", f"{OTHER}.key"):
        (folder / name).touch()
    event = await made(tmp_path, MakeCertificateRequest("Operator", "CP-1"))
    assert event.request is not None
    assert files(folder) == {"b.key", "old.pem", f"{event.request.key}.key"}


async def test_a_pair_that_cannot_be_made_is_told_with_its_reason(tmp_path: Path):
    event = await made(tmp_path, MakeCertificateRequest("Operator", "x" * 65))
    assert event.request is None
    assert "the common name" in event.problem
