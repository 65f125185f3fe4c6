"""What the installer of firmware decides."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import install_firmware
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from install_firmware import (
    COMES_UP_S,
    STAYS_UP_S,
    Package,
    Seen,
    control_of,
    has_come_up,
    refusal,
    split_signed,
)

from agent.maintenance.firmware_install import NOT_SIGNED

PACKAGING = Path(install_firmware.__file__).parent
NAME = "chargepoint-agent"
OLD = Seen("active", 10, 0, is_new=False)
STARTING = Seen("activating", 20, 0, is_new=True)
UP = Seen("active", 20, 0, is_new=True)


def test_the_signature_is_the_end_of_the_file() -> None:
    assert split_signed(b"package" + b"s" * 64) == (b"package", b"s" * 64)
    assert split_signed(b"short") == (b"", b"short")


@pytest.mark.parametrize(
    ("package", "is_newer", "why"),
    [
        (Package(NAME, "2", "arm64"), True, ""),
        (Package("nginx", "2", "arm64"), True, "the package is nginx"),
        (Package(NAME, "2", "amd64"), True, "the package is for amd64, this is arm64"),
        (Package(NAME, "1", "arm64"), False, "1 is not newer than 1"),
    ],
)
def test_only_a_newer_agent_for_this_processor_is_installed(
    package: Package, is_newer: bool, why: str
) -> None:
    assert refusal(package, "1", is_newer, "arm64") == why


def test_a_version_that_stays_ready_as_one_process_has_come_up() -> None:
    seen = [OLD, OLD, STARTING, STARTING]
    for _ in range(STAYS_UP_S):
        seen.append(UP)
        assert has_come_up(seen) is None
    assert has_come_up([*seen, UP]) is True


def test_seconds_of_another_process_or_of_the_old_version_do_not_count() -> None:
    another = Seen("active", 21, 1, is_new=True)
    assert has_come_up([UP] * STAYS_UP_S + [another] * STAYS_UP_S) is None
    assert has_come_up([OLD] * (STAYS_UP_S * 2)) is None


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param([OLD, Seen("failed", 0, 0, is_new=False)], id="a status that ends it"),
        pytest.param([Seen("activating", 0, n, is_new=False) for n in range(5, 9)], id="restarts"),
        pytest.param([STARTING] * (COMES_UP_S + 1), id="never ready"),
    ],
)
def test_a_version_that_ends_again_and_again_or_never_is_ready_has_not(seen: list[Seen]) -> None:
    assert has_come_up(seen[:-1]) is None
    assert has_come_up(seen) is False


def test_restarts_before_the_new_version_do_not_count() -> None:
    """systemd counts from 0 again when the service is restarted by a command."""
    assert has_come_up([Seen("active", 10, 7, is_new=False), STARTING]) is None


def test_the_control_file_leaves_out_what_dpkg_has_added() -> None:
    status = (
        f"Package: {NAME}\nStatus: install ok installed\nVersion: 1\n"
        "Conffiles:\n /etc/a 123\n /etc/b 456\nDescription: short\n long\n"
    )
    assert control_of(status) == f"Package: {NAME}\nVersion: 1\nDescription: short\n long\n"


# --- what the agent is told of a wrong signature -------------------------------------------------


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The places of the installer, all in one folder; a key, and what asks for an installation."""
    (tmp_path / "state").mkdir()
    for name in ("key", "request", "problem", "state", "state/previous", "state/new_deb"):
        monkeypatch.setattr(install_firmware, Path(name).name.upper(), tmp_path / name)
    key = Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key").write_bytes(pem)
    return tmp_path


def handed_over(parts: Path) -> subprocess.CompletedProcess[str]:
    """hand-over-firmware, which finds that the installer has ended when it looks again."""
    text = (PACKAGING / "debian" / "hand-over-firmware").read_text()
    for place, name in (("agent/firmware-ready", "request"), ("agent-firmware/problem", "problem")):
        assert f"/run/chargepoint-{place}" in text
        text = text.replace(f"/run/chargepoint-{place}", str(parts / name))
    waits = parts / "bin" / "sleep"
    waits.parent.mkdir()
    waits.write_text(f"#!/bin/sh\nrm {parts / 'request'}\n")
    waits.chmod(0o755)
    return subprocess.run(
        ["sh", "-c", text, "hand-over-firmware", "image"],
        env={"PATH": f"{waits.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_wrong_signature_reaches_the_agent_as_the_status_that_it_knows(parts: Path) -> None:
    (parts / "request").write_bytes(b"package" + b"s" * 64)
    assert install_firmware.main() == 1
    ended = handed_over(parts)
    assert (ended.returncode, ended.stdout) == (
        NOT_SIGNED,
        "the signature is not that of firmware.pem\n",
    )


def test_any_other_refusal_reaches_the_agent_as_the_status_1(parts: Path) -> None:
    (parts / "key").unlink()
    assert install_firmware.main() == 1
    ended = handed_over(parts)
    assert (ended.returncode, "there is no key" in ended.stdout) == (1, True)
