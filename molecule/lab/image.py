"""The disk, kernel and initrd that all guests start from: built once per recipe and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from lab.bootstrap import bootstrap, work_folder
from lab.console import say
from lab.errors import LabError
from lab.guest_files import DISABLED_UNITS, ENABLED_UNITS, MASKED_UNITS, SHELL, guest_files
from lab.lock import exclusive
from lab.process import run
from lab.settings import Settings

DISK_SIZE = "2G"
_KEPT_SECONDS = 30 * 24 * 3600
# Every package a role, a test or a demonstration asks for: guests reach no mirror.
PACKAGES = (
    "linux-image-cloud-amd64",
    "zstd",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "procps",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "python3-pyroute2",
    "python3-pytest",
    "python3-hypothesis",
    "nftables",
    "ipvsadm",
    "iptables",
    "keepalived",
    "squid",
    "haproxy",
    "iproute2",
    "iputils-ping",
    "iputils-arping",
    "tcpdump",
    "ethtool",
    "curl",
)
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")


@dataclass(frozen=True)
class Image:
    """A built image. key: hash of its recipe."""

    key: str
    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"


def wanted(settings: Settings) -> Image:
    """Return the image of this checkout's recipe, whether it is built or not."""
    key = _key(settings.release, guest_files(_authorized_key(settings)))
    return Image(key, settings.images / key)


def ensure(settings: Settings) -> Image:
    """Return the image of this checkout's recipe, built now where the cache does not hold it."""
    image = wanted(settings)
    if image.folder.exists():
        os.utime(image.folder)
        return image
    with exclusive(settings.images / "lock", "another build of the guest image") as lock:
        if not image.folder.exists():
            _build(settings, image, guest_files(_authorized_key(settings)), lock)
    return image


def _authorized_key(settings: Settings) -> str:
    key = settings.ssh_key
    public = key.with_suffix(".pub")
    if not public.exists():
        key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with exclusive(key.parent / "lock", "another lab that makes the ssh key"):
            if not public.exists():
                key.unlink(missing_ok=True)
                run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lvs-vipless lab", "-f", str(key)])
    return public.read_text(encoding="ascii").strip()


def _key(release: str, files: dict[str, str]) -> str:
    recipe = [release, DISK_SIZE, PACKAGES, _LEFT_OUT, _setup_script(), files]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def _setup_script() -> str:
    """Return what runs inside the new root filesystem, once the files are there."""
    return "\n".join(
        [
            "set -e",
            # The name comes from the kernel command line, which the file would override.
            "rm -f /etc/hostname",
            # Somebody who is not root, and may become it. No password fits, and yet the account is not locked, which
            # sshd would refuse.
            "useradd --create-home --gid users --shell /bin/sh --password '*' operator",
            "install -d -o operator -g users -m 0700 /home/operator/.ssh",
            "install -o operator -g users -m 0600 /root/.ssh/authorized_keys /home/operator/.ssh/authorized_keys",
            "echo 'operator ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/operator",
            "chmod 0440 /etc/sudoers.d/operator",
            f"usermod --shell {SHELL} root",
            f"systemctl --quiet disable {' '.join(DISABLED_UNITS)}",
            f"systemctl --quiet mask {' '.join(MASKED_UNITS)}",
            f"systemctl --quiet enable {' '.join(ENABLED_UNITS)}",
            "systemctl --quiet set-default multi-user.target",
            # Else the first boot of every guest compiles it.
            "python3 -m compileall -q /usr/local/lib",
            # The disk needs none: devtmpfs has it as soon as its driver is there. Every device would be handled twice.
            "rm /usr/share/initramfs-tools/hooks/udev /usr/share/initramfs-tools/scripts/*/udev",
            "update-initramfs -u",
        ]
    )


def _build(settings: Settings, image: Image, files: dict[str, str], lock: int) -> None:
    say(f"building the image of {settings.release} guests from Debian packages (one to three minutes, once)…")
    started = time.monotonic()
    with work_folder(settings.images) as work:
        root = work / "root"
        options = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
        bootstrap(settings.release, "minbase", PACKAGES, root, lock, options)
        _install_files(root, files)
        run(["chroot", str(root), "/bin/sh", "-c", _setup_script()])
        result = work / "image"
        result.mkdir()
        _pack(root, Image(image.key, result))
        result.rename(image.folder)
    _forget_old(settings.images)
    say(f"the guest image is built ({time.monotonic() - started:.0f} s)")


def _forget_old(images: Path) -> None:
    """Remove images, with their snapshots, that no lab has used for a while: each takes a gigabyte and a half."""
    for folder in images.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder)


def _install_files(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Debian has links here (resolv.conf); writing through one would end up on the host.
        path.unlink(missing_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o755 if content.startswith("#!") else 0o644)
    for path in (root / "root/.ssh", root / "root/.ssh/authorized_keys"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _pack(root: Path, image: Image) -> None:
    """Fill an image folder from a root filesystem."""
    shutil.copyfile(_only(root, "boot/vmlinuz-*"), image.kernel)
    shutil.copyfile(_only(root, "boot/initrd.img-*"), image.initrd)
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image.disk), DISK_SIZE])


def _only(root: Path, pattern: str) -> Path:
    found = list(root.glob(pattern))
    if len(found) != 1:
        raise LabError(f"The guest image has {len(found)} files {pattern}, expected one.")
    return found[0]
