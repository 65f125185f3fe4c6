"""Kernel modules that Debian does not have: pins that a test plays, and an SPI bus of a process.

The pins are the kernel's own ``gpio-sim``, which Debian does not build. It is built against the
headers of the guest's kernel, from Debian's source package of that kernel, and never kept in this
repository. Two things are changed in the copy: the simulated interrupts, which Debian leaves out as
well, go into the same module; and a parameter, ``persist``, lets a line keep its level when it is
released, as a Raspberry Pi does unless ``strict_gpiod`` is set.

The bus is ours: ``spi_bus.c``.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.system.machine import NotToBeHadError, SystemTestError, run_here

BUILD = "root/gpio-sim"
_WANTED = ("drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c")
_MAKEFILE = "obj-m := gpio-sim.o\ngpio-sim-objs := gpio-sim-main.o irq_sim.o\n"
_PERSIST = "static bool persist;\nmodule_param(persist, bool, 0644);\n\n"


def build_gpio_sim(root: Path) -> None:
    """Build and install ``gpio-sim`` in a Debian that has kernel, headers and compiler.

    Raises NotToBeHadError without the source package, SystemTestError when it has changed too much.
    """
    kernel = _kernel(root)
    version = ".".join(kernel.split(".")[:2])
    folder = root / BUILD
    folder.mkdir(parents=True)
    archive = f"usr/src/linux-source-{version}.tar.xz"
    members = " ".join(f"linux-source-{version}/{name}" for name in _WANTED)
    source = f"linux-source-{version}"
    try:
        _inside(root, f"cd /{BUILD}; apt-get -qq update; apt-get -qq download {source}")
    except SystemTestError as problem:
        raise NotToBeHadError(f"Debian's package {source}: {problem}") from problem
    _inside(
        root,
        f"cd /{BUILD}; dpkg-deb --fsys-tarfile linux-source-*.deb | tar -x ./{archive};"
        f" tar -xJf {archive} --strip-components=1 {members}; rm -r usr linux-source-*.deb",
    )
    (folder / "Makefile").write_text(_MAKEFILE)
    chip, interrupts, header = (folder / _WANTED[n] for n in (0, 2, 1))
    (folder / "gpio-sim-main.c").write_text(_keeping_levels(chip.read_text()))
    (folder / "irq_sim.c").write_text(_unexported(interrupts.read_text()))
    (folder / "gpiolib.h").write_text(header.read_text())
    _build(root, kernel, BUILD, "gpio-sim")
    shutil.rmtree(folder)


def build_spi_bus(root: Path, sources: Path) -> None:
    """Build and install ``spi_bus`` from this folder in the same Debian."""
    (root / sources / "Makefile").write_text("obj-m := spi_bus.o\n")
    _build(root, _kernel(root), str(sources), "spi_bus")


def _kernel(root: Path) -> str:
    kernels = sorted(path.name for path in (root / "lib/modules").iterdir())
    if len(kernels) != 1:
        raise SystemTestError(f"one kernel is wanted in {root}, there is {kernels}")
    return kernels[0]


def _build(root: Path, kernel: str, folder: str, name: str) -> None:
    _inside(
        root,
        f"make -s -C /lib/modules/{kernel}/build M=/{folder} modules;"
        f" install -D -m 644 /{folder}/{name}.ko /lib/modules/{kernel}/extra/{name}.ko;"
        f" depmod {kernel}",
    )


def _keeping_levels(source: str) -> str:
    released = r"__assign_bit\(offset, chip->value_map,\s*!!test_bit\(offset, chip->pull_map\)\);"
    changed, count = re.subn(released, r"if (!persist) \g<0>", source)
    if count != 1:
        raise SystemTestError("gpio-sim.c of this kernel releases lines in another way")
    return changed.replace("static DEFINE_IDA(", f"{_PERSIST}static DEFINE_IDA(", 1)


def _unexported(source: str) -> str:
    # irq_to_desc is not there for modules; generic_handle_irq does the same for one number.
    changed = re.sub(
        r"handle_simple_irq\(irq_to_desc\((\w+)\)\)", r"generic_handle_irq(\1)", source
    )
    return re.sub(r"^EXPORT_SYMBOL.*\n", "", changed, flags=re.M)


def _inside(root: Path, script: str) -> None:
    run_here("chroot", str(root), "/bin/sh", "-e", "-c", script)
