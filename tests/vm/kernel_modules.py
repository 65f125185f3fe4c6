"""A GPIO chip that a test plays: the kernel's own ``gpio-sim``, which Debian does not build.

It is built against the headers of the guest's kernel, from Debian's source package of that kernel,
and never kept in this repository. Two things are changed in the copy: the simulated interrupts,
which Debian leaves out as well, go into the same module; and a parameter, ``persist``, lets a line
keep its level when it is released, as a Raspberry Pi does unless ``strict_gpiod`` is set.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.system.machine import SystemTestError, run_here

BUILD = "root/gpio-sim"
_WANTED = ("drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c")
_MAKEFILE = "obj-m := gpio-sim.o\ngpio-sim-objs := gpio-sim-main.o irq_sim.o\n"
_PERSIST = "static bool persist;\nmodule_param(persist, bool, 0644);\n\n"
_KEEP = "\tif (persist)\n\t\treturn;\n"


def build_modules(root: Path) -> None:
    """Build and install the module in a Debian that has kernel, headers and compiler.

    Raises SystemTestError when the source package cannot be had or has changed too much.
    """
    kernels = sorted(path.name for path in (root / "lib/modules").iterdir())
    if len(kernels) != 1:
        raise SystemTestError(f"one kernel is wanted in {root}, there is {kernels}")
    version = ".".join(kernels[0].split(".")[:2])
    folder = root / BUILD
    folder.mkdir(parents=True)
    archive = f"usr/src/linux-source-{version}.tar.xz"
    members = " ".join(f"linux-source-{version}/{name}" for name in _WANTED)
    _inside(
        root,
        f"cd /{BUILD}; apt-get -qq update; apt-get -qq download linux-source-{version};"
        f" dpkg-deb --fsys-tarfile linux-source-*.deb | tar -x ./{archive};"
        f" tar -xJf {archive} --strip-components=1 {members}; rm -r usr linux-source-*.deb",
    )
    (folder / "Makefile").write_text(_MAKEFILE)
    chip, interrupts, header = (folder / _WANTED[n] for n in (0, 2, 1))
    (folder / "gpio-sim-main.c").write_text(_keeping_levels(chip.read_text()))
    (folder / "irq_sim.c").write_text(_unexported(interrupts.read_text()))
    (folder / "gpiolib.h").write_text(header.read_text())
    _inside(
        root,
        f"make -s -C /lib/modules/{kernels[0]}/build M=/{BUILD} modules;"
        f" install -D -m 644 /{BUILD}/gpio-sim.ko /lib/modules/{kernels[0]}/extra/gpio-sim.ko;"
        f" depmod {kernels[0]}; rm -r /{BUILD}",
    )


def _keeping_levels(source: str) -> str:
    head = re.search(r"^static void gpio_sim_free\(.*?\n{\n(?:.*?;\n)\n", source, re.M | re.S)
    if head is None:
        raise SystemTestError("gpio-sim.c of this kernel releases lines in another way")
    declared = head.group().rstrip("\n") + "\n\n"
    return source.replace(head.group(), _PERSIST + declared + _KEEP)


def _unexported(source: str) -> str:
    # irq_to_desc is not there for modules; generic_handle_irq does the same for one number.
    changed = re.sub(
        r"handle_simple_irq\(irq_to_desc\((\w+)\)\)", r"generic_handle_irq(\1)", source
    )
    return re.sub(r"^EXPORT_SYMBOL.*\n", "", changed, flags=re.M)


def _inside(root: Path, script: str) -> None:
    run_here("chroot", str(root), "/bin/sh", "-e", "-c", script)
