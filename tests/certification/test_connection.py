"""Cases 073, 085 (password), 083 (security profile), 086 (TLS)."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.settings import Settings
from tests.certification.station import a_station
from tests.emulators.central_system import Attempt

HEX = "4F43415F4F4354545F61646D696E5F74657374"


def with_a_password(directory: Path, profile: int = 1, text: str = "sixteen chars ok"):
    (directory / "key").write_text(text)

    def change(settings: Settings) -> Settings:
        central_system = replace(
            settings.central_system,
            security_profile=profile,
            authorization_key_file=str(directory / "key"),
        )
        return replace(settings, central_system=central_system)

    return change


def password_of(attempt: Attempt) -> bytes:
    header = attempt.headers["Authorization"].removeprefix("Basic ")
    return base64.b64decode(header).partition(b":")[2]


async def test_case_073_a_new_password_is_accepted_and_used_for_the_next_connection(tmp_path):
    async with a_station(tmp_path, change=with_a_password(tmp_path)) as station:
        answer = await station.ask("ChangeConfiguration", key="AuthorizationKey", value="x")
        assert answer == "Rejected"
        await station.configure(AuthorizationKey=HEX)
        await station.settled(5)
        assert len(station.system.attempts) == 2
        assert password_of(station.system.attempts[-1]) == bytes.fromhex(HEX)


@pytest.mark.parametrize(
    ("text", "raw"), [(HEX, bytes.fromhex(HEX)), ("sixteen chars ok", b"sixteen chars ok")]
)
async def test_case_085_the_header_is_made_of_the_raw_password(tmp_path, text, raw):
    async with a_station(tmp_path, change=with_a_password(tmp_path, text=text)) as station:
        assert password_of(station.system.attempts[0]) == raw


async def test_case_083_a_raised_profile_is_used_after_a_reset_and_there_is_no_way_back(tmp_path):
    async with a_station(tmp_path, change=with_a_password(tmp_path)) as station:
        await station.configure(SecurityProfile=2)
        await station.settled(5)
        assert await station.ask("Reset", type="Hard") == "Accepted"
        assert await station.box.ended() is True
        await station.box.start()
        await station.settled(30)
        assert len(station.heard("BootNotification")) == 2
        for attempt in station.system.attempts[1:]:
            assert attempt.url.startswith("wss://")
            assert attempt.ssl is not None
        for profile in ("2", "1", "0", "3"):
            answer = await station.ask("ChangeConfiguration", key="SecurityProfile", value=profile)
            assert answer == "Rejected"


async def test_case_086_tls_is_1_2_or_newer_with_the_suites_of_the_standard(tmp_path):
    def secure(settings: Settings) -> Settings:
        changed = with_a_password(tmp_path, profile=2)(settings)
        url = settings.central_system.url.replace("ws://", "wss://")
        return replace(changed, central_system=replace(changed.central_system, url=url))

    async with a_station(tmp_path, change=secure) as station:
        context = station.system.attempts[0].ssl
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    names = {cipher["name"] for cipher in context.get_ciphers()}
    by_elliptic_curve = {f"ECDHE-ECDSA-AES{n}" for n in ("128-GCM-SHA256", "256-GCM-SHA384")}
    by_rsa = {"AES128-GCM-SHA256", "AES256-GCM-SHA384"}
    assert by_elliptic_curve | by_rsa <= names
