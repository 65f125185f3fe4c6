"""One file to install from: chargepoint-agent_VERSION_ARCHITECTURE.deb.

    python packaging/deb.py [--output FOLDER] [--version VERSION] ARCHITECTURE...

Inside are the wheels of the lock file for every supported Python, by their hashes, fetched for that
processor: nothing of it is run here. The environment is made on the target, without a network
(packaging/debian/environment). The same commit and SOURCE_DATE_EPOCH give the same file.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from locked import RUN, requirements_file
from sbom import bill_of_materials

ROOT = Path(__file__).parents[1]
NAME = "chargepoint-agent"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "armv7l"}
PYTHONS = ("3.11", "3.13")  # of bookworm and trixie
GLIBC_MINOR = 36  # of bookworm; trixie's is newer
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "triggers", "conffiles")


def run(*command: str, **variables: str) -> str:
    """Run a command in the project's folder; returns what it printed."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def fetch_wheels(machine: str, python: str, wheels: Path, scratch: Path) -> str:
    """Fetch the wheels of the lock for that target; returns their part of the lock."""
    wanted = requirements_file(RUN, python, machine)
    (scratch / "wanted.txt").write_text(wanted)
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, GLIBC_MINOR + 1)]
    platforms.append(f"manylinux2014_{machine}")
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"),
        *("--python-version", python, "--dest", str(wheels)),
        *(f"--platform={platform}" for platform in platforms),
        *("--requirement", str(scratch / "wanted.txt")),
    )
    return wanted


def build_wheel(version: str, scratch: Path) -> Path:
    """Build the agent's own wheel from a copy of what git knows."""
    source = scratch / "source"
    listed = run("git", "ls-files", "-z", "--", "agent", "hw", "pyproject.toml", "README.md")
    for name in [*listed.split("\0"), "LICENSE"]:
        if name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
            (source / name).chmod(0o644)
    project = source / "pyproject.toml"
    text, own = project.read_text(), project_version()
    project.write_text(text.replace(f'version = "{own}"', f'version = "{version}"', 1))
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-build-isolation", "--wheel-dir", str(scratch), str(source)),
    )
    (wheel,) = scratch.glob("*.whl")
    return wheel


def project_version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def put(target: Path, content: str | bytes, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    target.chmod(mode)


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)


def put_files(tree: Path, version: str, when: str) -> None:
    """Everything but the wheels, where Debian has it."""
    systemd, debian, lib = ROOT / "systemd", ROOT / "packaging" / "debian", tree / "usr/lib"
    for unit in [*systemd.glob("*.service"), *debian.glob("*.service"), *debian.glob("*.path")]:
        put(lib / "systemd/system" / unit.name, unit.read_text())
    put(lib / f"sysusers.d/{NAME}.conf", (systemd / f"{NAME}.sysusers").read_text())
    put(lib / f"tmpfiles.d/{NAME}.conf", (systemd / f"{NAME}.tmpfiles").read_text())
    put(lib / f"udev/rules.d/99-{NAME}.rules", (systemd / f"99-{NAME}.rules").read_text())
    for script in ("environment", "may-restart", "hand-over-firmware"):
        put(lib / NAME / script, (debian / script).read_text(), 0o755)
    installer = (ROOT / "packaging/install_firmware.py").read_text()
    put(lib / NAME / "install-firmware", installer, 0o755)
    share, example = tree / "usr/share", (ROOT / "config.example.toml").read_text()
    put(tree / f"etc/{NAME}/config.toml", example)
    put(lib / NAME / "config.example.toml", example)
    agent = (sys.executable, "-B", "-m", "agent")
    put(share / f"man/man1/{NAME}.1.gz", packed(run(*agent, "manual", "man")))
    completions = {
        "bash": f"bash-completion/completions/{NAME}",
        "zsh": f"zsh/vendor-completions/_{NAME}",
        "fish": f"fish/vendor_completions.d/{NAME}.fish",
    }
    for shell, path in completions.items():
        put(share / path, run(*agent, "completion", shell))
    doc = share / "doc" / NAME
    put(doc / "copyright", (debian / "copyright").read_text())
    put(doc / "changelog.gz", packed(changelog(version, when)))
    put(doc / "NEWS.gz", packed((ROOT / "CHANGELOG.md").read_text()))
    put(doc / "sbom.cdx.json.gz", packed(json.dumps(bill_of_materials(), indent=1)))
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin" / NAME).symlink_to(f"/opt/{NAME}/bin/{NAME}")


def changelog(version: str, when: str) -> str:
    return (
        f"{NAME} ({version}) stable; urgency=medium\n\n  * See NEWS.gz.\n\n"
        f" -- The makers of {NAME} <packages@chargepoint-agent.example>  {when}\n"
    )


def control(version: str, architecture: str, size_kib: int) -> str:
    template = (ROOT / "packaging/debian/control").read_text()
    # Of its cffi there is no wheel for 32-bit ARM (docs/libraries.md).
    more = ", python3-cryptography" if architecture == "armhf" else ""
    return template.format(
        version=version, architecture=architecture, size=size_kib, recommends=more
    )


def build(architecture: str, version: str, output: Path, epoch: int) -> Path:
    """Build the package for one architecture; returns the file."""
    with tempfile.TemporaryDirectory() as folder:
        scratch, tree = Path(folder), Path(folder) / "tree"
        wheels = tree / "usr/lib" / NAME / "wheels"
        wheels.mkdir(parents=True)
        own = build_wheel(version, scratch)
        own_hash = hashlib.sha256(own.read_bytes()).hexdigest()
        for python in PYTHONS:
            wanted = fetch_wheels(MACHINES[architecture], python, wheels, scratch)
            wanted += f"{NAME}=={version} --hash=sha256:{own_hash}\n"
            put(wheels.parent / f"requirements-{python}.txt", wanted)
        shutil.copyfile(own, wheels / own.name)
        when = run("date", "--utc", "--rfc-email", f"--date=@{epoch}").strip()
        put_files(tree, version, when)
        files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
        sums = (f"{hashlib.md5(f.read_bytes()).hexdigest()}  {f.relative_to(tree)}" for f in files)
        put(tree / "DEBIAN/md5sums", "\n".join(sums) + "\n")
        size_kib = sum(path.stat().st_size for path in files) // 1024
        put(tree / "DEBIAN/control", control(version, architecture, size_kib))
        for name in SCRIPTS:
            mode = 0o644 if name in ("triggers", "conffiles") else 0o755
            put(tree / "DEBIAN" / name, (ROOT / "packaging/debian" / name).read_text(), mode)
        for path in [tree, *tree.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o755 & (path.stat().st_mode | 0o644))
            os.utime(path, (epoch, epoch), follow_symlinks=False)
        output.mkdir(parents=True, exist_ok=True)
        target = output / f"{NAME}_{version}_{architecture}.deb"
        run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(target))
        return target


def main() -> int:
    parser = argparse.ArgumentParser(prog="packaging/deb.py")
    parser.add_argument("architectures", nargs="+", choices=MACHINES, metavar="ARCHITECTURE")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--version", default=project_version())
    asked = parser.parse_args()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct"))
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)  # for setuptools and dpkg-deb
    for architecture in asked.architectures:
        target = build(architecture, asked.version, asked.output.absolute(), epoch)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
