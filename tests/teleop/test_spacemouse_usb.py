"""A SpaceMouse on a real USB stack: Debian's kernel in QEMU, with a device that it plays to itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.teleop.usb_guest import LAYOUTS, MARK

REPOSITORY: Final = Path(__file__).parents[2]
MODULES: Final = ("virtio_pci", "9pnet_virtio", "9p", "usbhid", "hid-generic", "dummy_hcd", "usb_f_hid")
TOOLS: Final = ("qemu-system-x86_64", "busybox", "cpio", "modprobe", "depmod")
LIMIT_S: Final = 900.0
"""On two idle cores without hardware virtualisation it takes under a minute."""

INIT: Final = """#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc /sys /dev /host
$b mount -t proc none /proc
for module in $($b cat /modules); do $b insmod $module; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host
$b mount -t proc none /host/proc
$b mount -t sysfs none /host/sys
$b mount -t configfs none /host/sys/kernel/config
$b mount -t devtmpfs none /host/dev
$b mount -t tmpfs none /host/run
cd /
$b chroot /host $b env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \\
    PYTHONPATH=@PATH@ @PYTHON@ -m tests.teleop.usb_guest
$b poweroff -f
"""


def guest_kernel() -> tuple[Path, Path] | None:
    """A kernel and the folder that holds its lib/modules, installed or unpacked at `BARKYARD_GUEST`."""
    root = Path(os.environ.get("BARKYARD_GUEST", "/"))
    for kernel in sorted((root / "boot").glob("vmlinuz-*"), reverse=True):
        if list((root / "lib/modules" / kernel.name.removeprefix("vmlinuz-")).rglob("dummy_hcd.ko*")):
            return kernel, root
    return None


KERNEL: Final = guest_kernel()
MISSING: Final = [tool for tool in TOOLS if shutil.which(tool) is None]


def initramfs(folder: Path, kernel: Path, root: Path) -> Path:
    """A file system that holds busybox, the modules in the order of their loading, and what to do."""
    version, tree = kernel.name.removeprefix("vmlinuz-"), folder / "tree"
    (tree / "bin").mkdir(parents=True)
    shutil.copy(str(shutil.which("busybox")), tree / "bin/busybox")
    shutil.copytree(root / "lib/modules" / version, folder / "kernel/lib/modules" / version, symlinks=True)
    subprocess.run(["depmod", "-b", str(folder / "kernel"), version], check=True)
    wanted: list[str] = []
    for module in MODULES:
        shown = subprocess.run(
            ["modprobe", "-d", str(folder / "kernel"), "-S", version, "--show-depends", module],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        wanted += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod")]
    names = []
    for file in dict.fromkeys(wanted):
        names.append("/" + Path(file).name)
        shutil.copy(file, tree / Path(file).name)
    (tree / "modules").write_text("\n".join(names) + "\n")
    path = os.pathsep.join([str(REPOSITORY), *(entry for entry in sys.path if entry)])
    (tree / "init").write_text(INIT.replace("@PATH@", path).replace("@PYTHON@", sys.executable))
    (tree / "init").chmod(0o755)
    image = folder / "initramfs"
    files = "\n".join(str(file.relative_to(tree)) for file in [tree, *tree.rglob("*")])
    with image.open("wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=files.encode(), stdout=out, cwd=tree, check=True)
    return image


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; see docs/teleop.md")
@pytest.mark.skipif(KERNEL is None, reason="no kernel with dummy_hcd at /boot or BARKYARD_GUEST; see docs/teleop.md")
def test_a_virtual_usb_device_is_read_by_hidraw_and_libusb_in_both_layouts_and_plugged_again(tmp_path: Path) -> None:
    assert KERNEL is not None
    image = initramfs(tmp_path, *KERNEL)
    done = subprocess.run(
        ["qemu-system-x86_64", "-cpu", "max", "-m", "1024", "-nographic", "-no-reboot", "-nodefaults",
         "-serial", "stdio", "-kernel", str(KERNEL[0]), "-initrd", str(image),
         "-append", "console=ttyS0 panic=-1 quiet no_timer_check",
         "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    result: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        _, marked, told = line.partition(MARK)  # the firmware's control sequences may stand before
        if marked:
            result |= json.loads(told)
    assert len(result) == 4, done.stdout[-3000:] + done.stderr[-1000:]
    for name, seen in result.items():
        assert "failure" not in seen, f"{name}: {seen['failure']}"
        assert seen["twist"] == [1.0, -1.0, 0.0, 0.0, 0.0, 1.0] and seen["closes"], (name, seen)
        assert ("hidraw" if "hidraw" in name else "hidapi") in seen["title"]
    for layout in LAYOUTS:
        assert result[f"{layout} hidraw"]["again"] == result[f"{layout} hidraw"]["twist"]
