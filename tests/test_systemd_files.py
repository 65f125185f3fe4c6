"""The files of ``systemd/`` say what the documents promise, and systemd itself understands them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "chargepoint-agent.service"
COMMAND = "/opt/chargepoint-agent/bin/chargepoint-agent"


def why_not_analyze() -> str:
    """Why systemd cannot be asked about a unit here; empty: it can."""
    if shutil.which("systemd-analyze") is None:
        return "systemd-analyze is missing: apt install systemd"
    # It makes its folder below /run/systemd, which a systemd that runs has for everybody.
    if os.geteuid() != 0 and not Path("/run/systemd/system").is_dir():
        return "no systemd runs here: only root can use systemd-analyze"
    return ""


needs_analyze = pytest.mark.skipif(bool(why_not_analyze()), reason=why_not_analyze())
needs_sysusers = pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None,
    reason="systemd-sysusers is missing: apt install systemd",
)
needs_make = pytest.mark.skipif(
    shutil.which("make") is None, reason="make is missing: apt install make"
)


def lines_of(path: Path) -> list[str]:
    """The lines that mean something: no comments, no blank lines."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def directives() -> list[tuple[str, str]]:
    """Key and value of every directive of the unit, in order."""
    pairs = (line.partition("=") for line in lines_of(UNIT) if not line.startswith("["))
    return [(key, value) for key, _, value in pairs]


def values_of(key: str) -> list[str]:
    return [value for name, value in directives() if name == key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "5"),
        ("WatchdogSignal", "SIGKILL"),
        ("TimeoutAbortSec", "1"),
        ("Restart", "always"),
        ("RestartSec", "2"),
        ("StartLimitIntervalSec", "0"),
        ("RestartPreventExitStatus", "65 78"),
        ("TimeoutStopSec", "15"),
        ("KillMode", "mixed"),
        ("User", "chargepoint"),
        ("SupplementaryGroups", "gpio spi dialout"),
        ("StateDirectory", "chargepoint-agent"),
        ("RuntimeDirectory", "chargepoint-agent"),
        ("ConfigurationDirectory", "chargepoint-agent"),
        ("WorkingDirectory", "%t/chargepoint-agent"),
        ("ExecStart", f"{COMMAND} run"),
        ("DevicePolicy", "closed"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("MemoryMax", "150M"),
        ("LimitCORE", "0"),
    ],
)
def test_the_unit_keeps_its_promises(key: str, value: str) -> None:
    assert values_of(key) == [value]


@pytest.mark.parametrize("when", ["ExecStartPre", "ExecStopPost"])
def test_outputs_are_opened_before_the_start_and_after_every_end(when: str) -> None:
    """The "-" matters: without it a wrong configuration (78) would be tried again for ever."""
    assert values_of(when) == [f"-{COMMAND} safe-state"]


def test_nothing_is_imported_from_the_state_directory() -> None:
    assert "PYTHONNOUSERSITE=1" in values_of("Environment")


def test_every_device_that_a_driver_uses_is_allowed_and_no_more() -> None:
    allowed = {value.removesuffix(" rw") for value in values_of("DeviceAllow")}
    by_name = {"char-gpiochip", "char-spi", "char-ttyAMA", "char-ttyS", "char-ttyUSB"}
    by_number = {f"/dev/char/{major}:{minor}" for major in (188, 166) for minor in range(4)}
    assert allowed == by_name | {"char-ttyACM"} | by_number


def test_outputs_are_made_safe_without_waiting_for_a_network() -> None:
    """``network.target`` too: a cable that is out holds it back for minutes."""
    assert not any("network" in value or "time-sync" in value for _, value in directives())
    assert not any(key in ("After", "Requires", "Wants", "BindsTo") for key, _ in directives())


def test_the_user_and_groups_of_the_unit_are_made_by_sysusers() -> None:
    made = {(kind, name) for kind, name, *_ in map(str.split, lines_of(sysusers()))}
    assert ("u", values_of("User")[0]) in made
    for group in values_of("SupplementaryGroups")[0].split():
        assert ("g", group) in made


def sysusers() -> Path:
    return SYSTEMD / "chargepoint-agent.sysusers"


@needs_sysusers
def test_sysusers_makes_the_user_on_a_system_that_has_none_of_the_groups(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(sysusers())], check=True)
    groups = {}
    for line in (tmp_path / "etc" / "group").read_text().splitlines():
        name, _, _, members = line.split(":")
        groups[name] = members
    assert groups == dict.fromkeys(("gpio", "spi", "dialout"), "chargepoint") | {"chargepoint": ""}
    (user,) = (tmp_path / "etc" / "passwd").read_text().splitlines()
    assert user.startswith("chargepoint:x:")
    assert user.endswith(":/var/lib/chargepoint-agent:/usr/sbin/nologin")


def test_secrets_may_be_read_by_the_agent_and_by_nobody_else() -> None:
    rows = [line.split() for line in lines_of(SYSTEMD / "chargepoint-agent.tmpfiles")]
    rights = {path: (kind, mode, user, group) for kind, path, mode, user, group, _ in rows}
    assert rights == {
        "/etc/chargepoint-agent": ("d", "0755", "root", "root"),
        "/etc/chargepoint-agent/config.toml": ("z", "0644", "root", "root"),
        "/etc/chargepoint-agent/secrets": ("d", "0750", "root", "chargepoint"),
        "/etc/chargepoint-agent/secrets/*": ("z", "0640", "root", "chargepoint"),
    }


def test_the_udev_rules_give_pins_and_spi_to_their_groups() -> None:
    """There is no udev to ask in a container, so the grammar is checked here."""
    given = {}
    for line in lines_of(SYSTEMD / "99-chargepoint-agent.rules"):
        parts = [re.fullmatch(r'([A-Z]+)(==|=)"([^"]+)"', part) for part in line.split(", ")]
        assert all(parts), line
        words = {part[1]: (part[2], part[3]) for part in parts if part}
        assert {key: operator for key, (operator, _) in words.items()} == {
            "SUBSYSTEM": "==",
            "KERNEL": "==",
            "GROUP": "=",
            "MODE": "=",
        }
        assert words["MODE"] == ("=", "0660")
        given[words["KERNEL"][1]] = words["GROUP"][1]
    assert given == {"gpiochip*": "gpio", "spidev*": "spi"}


def unit_to_analyze(folder: Path, spoil: str = "") -> Path:
    """The unit with a command that exists on this machine; ``spoil`` is added to [Service]."""
    true = shutil.which("true")
    assert true is not None
    text = UNIT.read_text().replace(COMMAND, true).replace("[Install]", f"{spoil}\n[Install]")
    path = folder / UNIT.name
    path.write_text(text)
    return path


def complaints(unit: Path) -> str:
    """What systemd has to say about this unit; it also looks at others, which we do not mind."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "\n".join(line for line in done.stderr.splitlines() if unit.name in line)


@needs_analyze
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    assert complaints(unit_to_analyze(tmp_path)) == ""


@needs_analyze
def test_a_misspelt_line_would_have_been_noticed(tmp_path: Path) -> None:
    assert "WatchdogSecs" in complaints(unit_to_analyze(tmp_path, "WatchdogSecs=10"))


@needs_analyze
def test_systemd_rates_the_hardening_as_good(tmp_path: Path) -> None:
    """Exposure is 0.0 (none) to 10.0; the threshold is ten times that."""
    unit = str(unit_to_analyze(tmp_path))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def make(target: str, folder: Path, staged: Path) -> None:
    subprocess.run(
        ["make", "--no-print-directory", target, f"DESTDIR={staged}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=60,
        check=True,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout with what ``make install`` copies."""
    folder = tmp_path / "source"
    shutil.copytree(SYSTEMD, folder / "systemd")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "config.example.toml").write_text("# the example\n")
    for package in ("agent", "hw"):  # man page and completions are made from the commands
        (folder / package).symlink_to(ROOT / package)
    return folder


def files_in(folder: Path) -> dict[str, str]:
    """Every file below ``folder`` with its mode; a link with where it points."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = oct(path.stat().st_mode & 0o777)
    return found


@needs_make
def test_install_puts_every_file_in_its_place(source: Path, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    make("install", source, staged)
    assert files_in(staged) == {
        "etc/chargepoint-agent/config.toml": "0o644",
        "etc/systemd/system/chargepoint-agent.service": "0o644",
        "etc/sysusers.d/chargepoint-agent.conf": "0o644",
        "etc/tmpfiles.d/chargepoint-agent.conf": "0o644",
        "etc/udev/rules.d/99-chargepoint-agent.rules": "0o644",
        "usr/local/bin/chargepoint-agent": COMMAND,
        "usr/local/share/bash-completion/completions/chargepoint-agent": "0o644",
        "usr/local/share/fish/vendor_completions.d/chargepoint-agent.fish": "0o644",
        "usr/local/share/man/man1/chargepoint-agent.1": "0o644",
        "usr/local/share/zsh/site-functions/_chargepoint-agent": "0o644",
    }


@needs_make
def test_an_upgrade_and_a_removal_keep_the_configuration(source: Path, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    make("install", source, staged)
    config = staged / "etc" / "chargepoint-agent" / "config.toml"
    config.write_text("# edited by the technician\n")
    make("install", source, staged)
    assert config.read_text() == "# edited by the technician\n"
    make("uninstall", source, staged)
    assert list(files_in(staged)) == ["etc/chargepoint-agent/config.toml"]
