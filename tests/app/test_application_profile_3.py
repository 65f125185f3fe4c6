"""Security profile 3 by the file: the box shows a certificate, and no password."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.core.certificate_ends import watched
from tests.app.test_application_certificates import HOST, station
from tests.emulators.authorities import Made, made

pytestmark = pytest.mark.real_time

ROOT = made("Root of the server")
OF_BOXES, OTHER = made("Root of the boxes"), made("Another root")


def settings(folder: Path, own: Made, *chain: Made) -> dict[str, Any]:
    """A box that shows this certificate."""
    certificate, key = folder / "own.pem", folder / "own.key"
    certificate.write_text("".join(one.pem for one in (own, *chain)))
    key.write_text(own.key_pem())
    return {
        "security_profile": 3,
        "certificate_file": str(certificate),
        "certificate_key_file": str(key),
    }


async def test_a_box_is_let_in_by_its_certificate_and_sends_no_password(tmp_path: Path):
    middle = OF_BOXES.signs("Sub-CA")
    own = settings(tmp_path, middle.signs("CP-1", is_authority=False), middle)
    async with station(tmp_path, ROOT, ca=ROOT, demands_from=OF_BOXES, **own) as at:
        await at.begun()
        assert "authorization" not in {name.lower() for name in at.system.attempts[0].headers}
        assert at.application.runtime is not None
        found = dict(watched(at.application.runtime.state))
        assert found["this box's own"].subject == "CN=CP-1"


async def test_a_box_that_lacks_the_library_is_let_in_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = settings(tmp_path, OF_BOXES.signs("CP-1", is_authority=False))
    # The library imports parts of itself at their first use: those of the server's certificate now.
    ROOT.signs(HOST, is_authority=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    async with station(tmp_path, ROOT, ca=ROOT, demands_from=OF_BOXES, **own) as at:
        await at.begun()


async def test_over_ocpp_profile_3_is_shown_and_never_left(tmp_path: Path):
    own = settings(tmp_path, OF_BOXES.signs("CP-1", is_authority=False))
    async with station(tmp_path, ROOT, ca=ROOT, demands_from=OF_BOXES, **own) as at:
        await at.begun()
        (key,) = (await at.call("GetConfiguration", key=["SecurityProfile"]))["configurationKey"]
        assert key["value"] == "3"
        for value in "0123":
            wish = {"key": "SecurityProfile", "value": value}
            assert await at.call("ChangeConfiguration", **wish) == {"status": "Rejected"}
        # A password is kept for a profile that has use for it: the link stays as it is.
        wish = {"key": "AuthorizationKey", "value": "sixteen chars ok"}
        assert await at.call("ChangeConfiguration", **wish) == {"status": "Accepted"}
        assert await at.call("ClearCache") == {"status": "Accepted"}
        assert len(at.system.attempts) == 1


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_of_another_authority_is_refused_in_words(
    tmp_path: Path, tls: ssl.TLSVersion
):
    own = settings(tmp_path, OTHER.signs("CP-1", is_authority=False))
    async with station(tmp_path, ROOT, ca=ROOT, demands_from=OF_BOXES, tls=tls, **own) as at:
        problem = await at.why_not()
        # With TLS 1.3 the alert may get lost behind the end of the connection.
        assert f"{HOST} does not accept the certificate of this box" in problem or (
            "does it accept the certificate of this box?" in problem
        )
