"""The service as the documentation installs it: started, killed, hung, upgraded, removed.

The tests follow each other on one machine, in the order of this file.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest

from tests.emulators.file_servers import Shelf, http_server
from tests.system.conftest import SERVICE, Station
from tests.system.machine import REPOSITORY, wait_until

pytestmark = pytest.mark.system

CARD = "044943121F1A80"
API = "http://127.0.0.1:18080"
CONFIG = """
[charge_point]
identity = "CP-1"

[central_system]
file_hosts = "any"
url = "{url}"

[reader]
driver = "simulated"

[inputs]
emergency_stop = {{ driver = "simulated" }}

[[connectors]]
id = 1
contactor = {{ driver = "simulated" }}
lock = {{ driver = "simulated" }}
plug = {{ driver = "simulated" }}
pilot = {{ driver = "simulated" }}
meter = {{ driver = "simulated" }}

[authorization]
tap_guard_s = 0

[api]
enabled = true
listen = "127.0.0.1:18080"

[ocpp.configuration]
MeterValueSampleInterval = 1
WebSocketPingInterval = 5
"""

RESTART_S = 5.0  # from the kill to the next process
READY_S = 8.0  # and to its READY, on a machine that may be slow
WATCHDOG_S = 5.0  # WatchdogSec of the unit
STOP_S = 15.0  # its TimeoutStopSec
THREAD_LIVES = "another thread lives"
# The main thread sleeps, as a loop does in a call that never returns; every other thread goes on.
HANG_ON_SIGNAL = f"""
import signal, sys, threading, time

def live():
    while True:
        print("{THREAD_LIVES}", file=sys.stderr, flush=True)
        time.sleep(1)

def hang(number, frame):
    threading.Thread(target=live, daemon=True).start()
    time.sleep(300)

signal.signal(signal.SIGUSR2, hang)
"""
INSTALL_FIRMWARE = f"""#!/bin/sh -e
cp "$1" /run/new-firmware
grep -q "^signed" /run/new-firmware
sed -i '/^identity/a firmware_version = "2.0"' /etc/{SERVICE}/config.toml
systemctl restart {SERVICE}
"""


def block_after(path: str, heading: str) -> list[str]:
    """The lines of the first block after these words of a document."""
    text = (REPOSITORY / path).read_text().split(heading)[1]
    block = re.search(r"```\w*\n(.*?)```", text, re.S)
    assert block is not None
    return [line for line in block.group(1).splitlines() if line.strip()]


def api_answers() -> bool:
    """Whether the control API is there."""
    try:
        with urllib.request.urlopen(f"{API}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_the_commands_of_the_guide_install_it(station: Station) -> None:
    station.machine.write("/usr/local/bin/sudo", '#!/bin/sh\nexec "$@"\n')
    (station.machine.root / "usr/local/bin/sudo").chmod(0o755)
    apt, install, start = block_after("docs/installation.md", "## From the source")
    assert install == "sudo make install"
    assert apt.startswith("sudo apt install ")
    wanted = set(apt.split()[3:]) - {"python3-spidev"}  # only Raspberry Pi OS has it
    known = station.machine.run("dpkg-query --show --showformat='${Package}\\n'").split()
    assert wanted <= set(known), "the base system of this test lacks what the guide installs"
    station.machine.run(f"cd {SERVICE}; {install}")
    config = f"/etc/{SERVICE}/config.toml"
    assert (station.machine.root / config.lstrip("/")).exists()
    station.machine.write(config, CONFIG.format(url=station.url))
    station.machine.run(f"{SERVICE} check-config; {start}")
    assert station.is_up()


def test_ready_is_said_only_after_the_outputs_are_safe(station: Station) -> None:
    lines = station.machine.run(f"journalctl --unit={SERVICE} --output=cat").splitlines()
    ready = next(i for i, line in enumerate(lines) if line.startswith("Started "))
    safe = next(i for i, line in enumerate(lines) if "outputs are safe" in line)
    assert safe < ready


def test_it_runs_as_its_own_user_without_rights(station: Station) -> None:
    status = station.machine.run(f"cat /proc/{station.main_pid()}/status")
    fields = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    user = station.machine.run("id -u chargepoint").strip()
    assert set(fields["Uid"].split()) == {user}
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"] == "1"


def test_a_card_through_the_api_opens_a_session(station: Station) -> None:
    shown = station.machine.run(f"{SERVICE} token new test --scopes read,operate,simulate --json")
    token = json.loads(shown)["token"]
    station.sim("plug")
    request = urllib.request.Request(
        f"{API}/ocpp/commands/present-card",
        data=json.dumps({"target": {"charger_id": "CP-1"}, "event": {"uid": CARD}}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    wait_until(api_answers, 30, "the control API answers")  # its framework is loaded last
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 202
    wait_until(lambda: bool(station.central_system.of("StartTransaction")), 20, "a session")
    wait_until(lambda: "contactor closed" in station.machine.run(f"{SERVICE} status"), 20, "energy")


def test_after_a_kill_the_outputs_are_opened_and_the_session_is_recovered(
    station: Station,
) -> None:
    mark, pid = station.mark(), station.main_pid()
    killed_at_s = time.monotonic()  # systemd's own clock: a container shares it
    station.machine.run(f"kill -KILL {pid}")
    station.wait_until_up(other_than=pid)
    started_s = station.stamp("ExecMainStart") - killed_at_s
    ready_s = station.stamp("ActiveEnter") - killed_at_s
    print(f"killed: started again after {started_s:.2f} s, ready after {ready_s:.2f} s")
    assert 0.0 < started_s < RESTART_S
    assert started_s < ready_s < READY_S
    said = station.journal(mark)
    assert said.index("status=9/KILL") < said.index("every output is open")
    wait_until(lambda: bool(station.central_system.of("StopTransaction")), 30, "the stop")
    assert len(station.central_system.of("StartTransaction")) == 1
    assert len(station.central_system.of("StopTransaction")) == 1


def test_a_loop_that_hangs_is_shot_by_the_watchdog_though_other_threads_live(
    station: Station,
) -> None:
    (packages,) = (station.machine.root / "opt" / SERVICE / "lib").glob("python3.*/site-packages")
    (packages / "hang_on_signal.py").write_text(HANG_ON_SIGNAL)
    (packages / "hang_on_signal.pth").write_text("import hang_on_signal\n")  # run at each start
    station.machine.run(f"systemctl restart {SERVICE}")
    mark, pid = station.mark(), station.main_pid()
    hung_at_s = time.monotonic()
    station.machine.run(f"kill -USR2 {pid}")
    station.wait_until_up(other_than=pid, within_s=40)
    shot_s = station.stamp("ActiveExit") - hung_at_s
    print(f"hung: shot after {shot_s:.2f} s")
    said = station.journal(mark)
    assert said.count(THREAD_LIVES) >= 3, "not only the loop has hung"
    assert "Watchdog timeout" in said
    assert said.index("Watchdog timeout") < said.index("every output is open")
    assert 1.0 < shot_s < WATCHDOG_S + 3.0
    for path in packages.glob("hang_on_signal.*"):
        path.unlink()


def test_a_process_that_is_frozen_is_killed_and_its_outputs_are_opened(station: Station) -> None:
    """SIGABRT, which systemd would send first, does not reach a process that is stopped."""
    mark, pid = station.mark(), station.main_pid()
    frozen_at_s = time.monotonic()
    station.machine.run(f"kill -STOP {pid}")
    station.wait_until_up(other_than=pid, within_s=60)
    entries = [json.loads(line) for line in station.journal(mark, output="json").splitlines()]
    at_s = {
        words: int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6 - frozen_at_s
        for entry in reversed(entries)  # the first of each counts
        for words in ("Main process exited", "every output is open")
        if words in str(entry["MESSAGE"])
    }
    print(f"frozen: {at_s}")
    assert 1.0 < at_s["Main process exited"] < WATCHDOG_S + 3.0
    assert at_s["Main process exited"] < at_s["every output is open"]


def test_a_reset_starts_the_program_again_and_systemd_lets_it_live(station: Station) -> None:
    pid, boots = station.main_pid(), len(station.central_system.of("BootNotification"))
    assert station.central_system.ask("Reset", {"type": "Hard"}) == {"status": "Accepted"}
    wait_until(
        lambda: len(station.central_system.of("BootNotification")) > boots, 40, "it has begun anew"
    )
    time.sleep(STOP_S + 3.0)  # had it said that it stops, it would be killed by now
    assert (station.property("ActiveState"), station.property("SubState")) == ("active", "running")
    assert station.main_pid() == pid, "the same process"
    assert station.property("WatchdogUSec") == "5s"


def test_the_lines_in_the_journal_can_be_read_and_carry_their_level(station: Station) -> None:
    mark = station.mark()
    station.sim("fault emergency_stop")
    wait_until(lambda: "emergency" in station.journal(mark), 10, "the fault is told")
    entries = [json.loads(line) for line in station.journal(mark, output="json").splitlines()]
    station.sim("clear")
    told = [f"{entry['PRIORITY']} {entry['MESSAGE']}" for entry in entries]
    assert [line for line in told if "emergency" in line and line[0] in "34"], told
    for entry in entries:
        message = entry["MESSAGE"]
        assert isinstance(message, str), "not text: journalctl would show a blob"
        assert message.isprintable()
        assert not re.match(r"(\d{4}-\d\d-\d\d|<\d>)", message), "systemd adds time and level"


def test_the_memory_limit_of_the_unit_is_in_force(station: Station) -> None:
    limit = int(station.property("MemoryMax"))
    assert limit == 150 * 1024 * 1024
    hog = f"x = bytearray({2 * limit})"
    done = station.machine.attempt(
        f"systemd-run --quiet --wait -p MemoryMax={limit} -p MemorySwapMax=0 python3 -c '{hog}'"
    )
    assert done.returncode != 0, "limits of memory do nothing on this machine"
    used = int(station.property("MemoryCurrent"))
    assert used < limit * 0.8, f"{used / 2**20:.0f} MiB of 150"


def test_the_exposure_is_small(station: Station) -> None:
    shown = station.machine.run(f"systemd-analyze security --no-pager {SERVICE} | tail -1")
    found = re.search(r"exposure level[^:]*: ([\d.]+)", shown)
    assert found is not None
    assert float(found.group(1)) <= 2.5


def firmware_guide(mark: str) -> str:
    """The one block of the document about firmware that has this in it."""
    guide = (REPOSITORY / "docs" / "firmware.md").read_text()
    (found,) = (block for block in re.findall(r"```\w*\n(.*?)```", guide, re.S) if mark in block)
    return str(found)


def statuses_of(station: Station) -> list[str]:
    """What was told of the update; a process that begins tells again what was not confirmed."""
    told = station.central_system.of("FirmwareStatusNotification")
    return list(dict.fromkeys(call.payload["status"] for call in told))


def test_an_update_is_handed_over_to_a_unit_that_may_install_it(station: Station) -> None:
    machine, told = station.machine, station.central_system.of
    boots = len(told("BootNotification"))
    for path in (f"/etc/systemd/system/firmware-install.{kind}" for kind in ("path", "service")):
        machine.write(path, firmware_guide(f"# {path}\n"))
    machine.write("/usr/local/sbin/install-firmware", INSTALL_FIRMWARE)
    config = f"/etc/{SERVICE}/config.toml"
    machine.write(config, CONFIG.format(url=station.url) + firmware_guide('"/bin/ln"'))
    machine.run("chmod 755 /usr/local/sbin/install-firmware; systemctl daemon-reload")
    machine.run(f"systemctl enable --now firmware-install.path; systemctl restart {SERVICE}")
    wait_until(lambda: len(told("BootNotification")) > boots, 30, "a boot")
    with http_server(Shelf({"/image": b"signed\n"})) as files:
        wanted = {"location": f"{files}/image", "retrieveDate": "2020-01-01T00:00:00Z"}
        assert station.central_system.ask("UpdateFirmware", wanted) == {}
        wait_until(lambda: "Installed" in statuses_of(station), 60, "the new version")
    assert statuses_of(station) == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert told("BootNotification")[-1].payload["firmwareVersion"] == "2.0"
    wait_until(lambda: not machine.run(f"ls /var/lib/{SERVICE}/firmware"), 10, "nothing is left")


def test_an_upgrade_keeps_what_is_recorded(station: Station) -> None:
    before = station.machine.run(f"{SERVICE} why --json")
    assert json.loads(before)
    refused = station.machine.attempt(f"cd {SERVICE}; make install")
    assert refused.returncode != 0
    assert "systemctl stop" in refused.stdout
    station.machine.run(f"systemctl stop {SERVICE}; cd {SERVICE}; make install")
    station.machine.run(f"systemctl start {SERVICE}")
    station.wait_until_up()
    assert station.machine.run(f"{SERVICE} why --json") == before


def test_a_stop_ends_the_session_and_leaves_the_outputs_open(station: Station) -> None:
    station.sim("plug")
    station.sim("tap", CARD)
    wait_until(lambda: "contactor closed" in station.machine.run(f"{SERVICE} status"), 20, "energy")
    mark = station.mark()
    stops = len(station.central_system.of("StopTransaction"))
    station.machine.run(f"systemctl disable --now {SERVICE}")
    assert station.main_pid() == 0
    assert "every output is open" in station.journal(mark)
    assert station.property("Result") == "success"
    wait_until(
        lambda: len(station.central_system.of("StopTransaction")) > stops, 5, "the stop is told"
    )


def test_a_wrong_configuration_stops_it_for_good_and_is_named(station: Station) -> None:
    path = station.machine.root / "etc" / SERVICE / "config.toml"
    good = path.read_text()
    path.write_text(good.replace("[api]", "[apy]"))
    # A container has no pins: what an earlier process claimed cannot be opened, which is said.
    record = f"/var/lib/{SERVICE}/outputs"
    station.machine.write(record, "boot -\ncontactor 17 low connector 9 contactor\n")
    mark = station.mark()
    station.machine.attempt(f"systemctl start {SERVICE}")
    assert station.property("ActiveState") == "failed"
    assert station.property("ExecMainStatus") == "78"
    said = station.journal(mark)
    assert "did you mean api?" in said
    tried = "connector 9 contactor, pin 17: not switched off"
    assert said.count(tried) == 3, "before the start, by run itself, and after its end"
    assert said.rindex("status=78") < said.rindex(tried)
    (station.machine.root / record.lstrip("/")).unlink()
    path.write_text(good)
    station.machine.run(f"systemctl reset-failed {SERVICE}; systemctl start {SERVICE}")
    assert station.is_up()


def boot_id_of_the_service(station: Station) -> str:
    """As the unit sees it: under systemd 252 (bookworm) it is the kernel's, not the container's."""
    script = "cat /proc/sys/kernel/random/boot_id"
    return station.machine.run(
        f"systemd-run --wait --pipe --quiet --property=ProtectKernelTunables=yes {script}"
    )


def test_a_power_cut_is_survived(station: Station) -> None:
    station.machine.run(f"systemctl enable {SERVICE}")
    station.sim("plug")
    station.sim("tap", CARD)
    wait_until(lambda: "contactor closed" in station.machine.run(f"{SERVICE} status"), 20, "energy")
    starts = len(station.central_system.of("StartTransaction"))
    boot_id = boot_id_of_the_service(station)
    station.machine.run("sync")
    station.machine.pull_the_plug()
    station.machine.boot()
    station.wait_until_up()
    wait_until(lambda: len(station.central_system.of("StopTransaction")) == starts, 30, "the stop")
    last = station.central_system.of("StopTransaction")[-1]
    # The kernel under the container goes on: by its boot_id the box was never without power.
    is_same_boot = boot_id_of_the_service(station) == boot_id
    assert last.payload["reason"] == ("Reboot" if is_same_boot else "PowerLoss")


def test_removal_keeps_configuration_and_data(station: Station) -> None:
    station.machine.run(f"cd {SERVICE}; make uninstall")
    root = station.machine.root
    assert not (root / "opt" / SERVICE).exists()
    assert not (root / "usr/local/bin" / SERVICE).is_symlink()
    assert (root / "etc" / SERVICE / "config.toml").exists()
    assert any(Path(root / "var/lib" / SERVICE).glob("*.db"))
