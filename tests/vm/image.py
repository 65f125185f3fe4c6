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
from tests.vm.kernel_modules import build_modules

PACKAGES = (
    "ca-certificates",
    "dbus",
    "initramfs-tools",
    "kmod",
    "linux-headers-amd64",
    "linux-image-amd64",
    "make",
    "python3",
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
UNIT = """[Unit]
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


def base(suite: str) -> Path:
    """A Debian with its kernel, the module for pins and nothing of ours; made the first time."""
    return base_system(CACHE, suite, PACKAGES, "vm-1", prepare=build_modules)


@contextmanager
def image(suite: str, config: str, folder: Path) -> Iterator[tuple[Path, tuple[Path, Path]]]:
    """Give the disk's image, and kernel and initial ramdisk, with the agent installed by ``make``.

    Raises SystemTestError when something of it cannot be had.
    """
    with copy_of(base(suite), folder) as root:
        copy_project(root / PROJECT)
        _write(root / "usr/local/sbin/pins", PINS, 0o755)
        _write(root / "etc/systemd/system/pins.service", UNIT)
        _inside(root, f"cd /{PROJECT}; make install")
        _write(root / "etc/chargepoint-agent/config.toml", config)
        _inside(root, "systemctl enable pins chargepoint-agent")
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
