"""The disk of a guest: a Debian with pins that a test plays, and the agent as it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.machine import (
    CACHE,
    SystemTestError,
    base_system,
    copy_of,
    copy_project,
    environment,
    run_here,
)
from tests.vm.kernel_modules import build_gpio_sim, build_spi_bus

PACKAGES = (
    "ca-certificates",
    "dbus",
    "initramfs-tools",
    "kmod",
    "linux-headers-amd64",
    "linux-image-amd64",
    "make",
    "python3",
    "python3-spidev",
    "python3-venv",
    "qemu-guest-agent",
    "systemd",
    "systemd-sysv",
    "udev",
    "xz-utils",
)
DISK_BYTES = 4 * 1024**3
PROJECT = "root/chargepoint-agent"
# A chip that calls itself as that of a Raspberry Pi 4 does, so that header pins have a meaning.
PINS = """#!/bin/sh
set -e
modprobe gpio-sim persist=${1:-Y}
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
bank=/sys/kernel/config/gpio-sim/box/bank0
mkdir -p $bank
echo 54 > $bank/num_lines
echo pinctrl-bcm2711 > $bank/label
echo 1 > $bank/../live
# Emergency stop not pressed; no plug in the socket.
echo pull-down > /sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio5/pull
echo pull-up > /sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio24/pull
"""
PINS_UNIT = """[Unit]
Description=The pins of this box
DefaultDependencies=no
After=systemd-modules-load.service sys-kernel-config.mount systemd-udevd.service
Before=chargepoint-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/pins
ExecStop=/bin/sh -c 'echo 0 > /sys/kernel/config/gpio-sim/box/live'
ExecStartPost=/usr/bin/udevadm settle

[Install]
WantedBy=multi-user.target
"""
CARD_CHIP_UNIT = f"""[Unit]
Description=The chip of this box's card reader, on the SPI bus
DefaultDependencies=no
After=local-fs.target
Before=chargepoint-agent.service

[Service]
WorkingDirectory=/{PROJECT}
ExecStartPre=/sbin/modprobe spi_bus
ExecStart=/opt/chargepoint-agent/bin/python -m tests.vm.card_chip

[Install]
WantedBy=multi-user.target
"""
# No DHCP: nothing to wait for.
NETWORK = """[Match]
Name=e*

[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
"""


def base(suite: str) -> Path:
    """A Debian with its kernel, the module for pins and nothing of ours; made the first time."""
    return base_system(CACHE, suite, PACKAGES, "vm-2", prepare=_prepare)


def _prepare(root: Path) -> None:
    build_gpio_sim(root)
    run_here("chroot", str(root), "apt-get", "clean")  # 250 MB that each image would carry
    shutil.rmtree(root / "var/lib/apt/lists")


@contextmanager
def image(suite: str, config: str, folder: Path) -> Iterator[tuple[Path, tuple[Path, Path]]]:
    """Give the disk's image, and kernel and initial ramdisk, with the agent installed by ``make``.

    Raises NotToBeHadError when Debian or its kernel's source cannot be fetched.
    """
    with copy_of(base(suite), folder) as root:
        copy_project(root / PROJECT)
        _write(root / "usr/local/sbin/pins", PINS, 0o755)
        _write(root / "etc/systemd/system/pins.service", PINS_UNIT)
        _write(root / "etc/systemd/system/card-chip.service", CARD_CHIP_UNIT)
        _write(root / "etc/systemd/network/card.network", NETWORK)
        build_spi_bus(root, Path(PROJECT) / "tests/vm")
        _inside(root, f"cd /{PROJECT}; make install")
        _write(root / "etc/chargepoint-agent/config.toml", config)
        _inside(root, "systemctl enable pins card-chip systemd-networkd chargepoint-agent")
        disk = folder / "disk.img"
        with disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        run_here("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk))
        boot_files = tuple(
            shutil.copy(_only(root / "boot", f"{name}-*"), folder / name)
            for name in ("vmlinuz", "initrd.img")
        )
    yield disk, (Path(boot_files[0]), Path(boot_files[1]))


def _inside(root: Path, script: str) -> None:
    run_here(
        "systemd-nspawn",
        f"--directory={root}",
        "--register=no",
        "--keep-unit",
        "--quiet",
        "--as-pid2",
        "--console=pipe",
        *("env", "-i", *environment(), "SYSTEMD_OFFLINE=1", "/bin/sh", "-e", "-c", script),
    )


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SystemTestError(f"one {pattern} is wanted in {folder}, there is {found}")
    return found[0]
