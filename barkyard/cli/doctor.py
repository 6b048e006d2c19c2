"""`barkyard doctor`: what works on this machine, and the line that mends what does not."""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from barkyard.cli import probes
from barkyard.cli.terminal import Json, print_json, print_text

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Status = Literal["ok", "note", "failed"]

_GIB: Final = 2**30
_WANTED_DISK_GIB: Final = 2.0
_WANTED_MEMORY_GIB: Final = 4.0


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: `ok`; `note` where something optional is missing; `failed` where something needed does not work.
        detail: what was found.
        mend: the line to type, or empty.
    """

    name: str
    status: Status
    detail: str
    mend: str = ""


def doctor(*, as_json: Json = False) -> int:
    """Check this machine: what works, and the line that mends what does not; exit code 1 if something needed is amiss.

    Args:
        as_json: print JSON.
    """
    checks = [check for group in GROUPS for check in group()]
    healthy = all(check.status != "failed" for check in checks)
    if as_json:
        print_json({"ok": healthy, "checks": [asdict(check) for check in checks]})
    else:
        print_text("\n".join(_lines(checks)))
        print_text("all that is needed works" if healthy else "something that is needed does not work; see above")
    return 0 if healthy else 1


def check_python() -> Iterator[Check]:
    """The interpreter."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        yield Check("python", "ok", version)
    else:
        yield Check("python", "failed", f"{version}, not 3.11 or 3.12", "sudo apt-get install -y python3.11-venv")


def check_packages() -> Iterator[Check]:
    """Each requirement against what is installed, and against the tested version where constraints.txt is at hand."""
    from packaging.requirements import Requirement

    try:
        requirements = importlib.metadata.requires("barkyard") or []
    except importlib.metadata.PackageNotFoundError:
        detail = "runs from its source, not installed: versions were not compared"
        yield Check("packages", "note", detail, f"{sys.executable} -m pip install -c constraints.txt -e .")
        return
    tested = tested_versions()
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield check_requirement(requirement, tested.get(requirement.name.lower()))


def check_requirement(requirement: "Requirement", tested: str | None) -> Check:
    """Whether `requirement` is met, and whether by the `tested` version."""
    name = requirement.name
    mend = f"{sys.executable} -m pip install '{name}=={tested}'" if tested else f"pip install '{requirement}'"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "failed", "not installed", mend)
    if not requirement.specifier.contains(version, prereleases=True):
        return Check(name, "failed", f"{version} does not satisfy {requirement.specifier}", mend)
    if tested and version.partition("+")[0] != tested:
        return Check(name, "note", f"{version}; tested with {tested}", mend)
    return Check(name, "ok", version)


def tested_versions() -> dict[str, str]:
    """Lower-case package names and versions of constraints.txt; empty away from a checkout."""
    path = Path(__file__).parents[2] / "constraints.txt"
    if not path.is_file():
        return {}
    pins = [line.split("==") for line in path.read_text().splitlines() if "==" in line and not line.startswith("#")]
    return {name.strip().lower(): version.strip() for name, version in pins}


def check_rendering() -> Iterator[Check]:
    """Both ways to render without a display; one of them is needed."""
    problems: dict[str, str] = {}
    for backend in ("osmesa", "egl"):
        try:
            rate = probes.probe_gl(backend)
            yield Check(f"rendering: {backend}", "ok", f"{rate:.0f} frames/s at 256 x 256")
        except probes.ProbeError as problem:
            problems[backend] = probes.explain_gl_error(str(problem))
    for backend, reason in problems.items():
        status: Status = "failed" if len(problems) == 2 else "note"
        yield Check(f"rendering: {backend}", status, reason, probes.GL_PACKAGES[backend])
    chosen = os.environ.get("MUJOCO_GL")
    if chosen in problems and len(problems) == 1:
        yield Check("MUJOCO_GL", "failed", f"names {chosen}, which does not work here", "unset MUJOCO_GL")


def check_video() -> Iterator[Check]:
    """Writing mp4."""
    try:
        probes.probe_mp4()
        yield Check("mp4 encoder", "ok", "writes and reads back")
    except probes.ProbeError as problem:
        yield Check("mp4 encoder", "failed", str(problem), f"{sys.executable} -m pip install imageio-ffmpeg")


def check_torch() -> Iterator[Check]:
    """Threads and GPUs, as torch sees them."""
    try:
        found = probes.probe_torch()
    except probes.ProbeError as problem:
        yield Check("torch", "failed", str(problem), f"{sys.executable} -m pip install --force-reinstall torch")
        return
    yield Check("torch devices", "ok", f"{found['threads']} threads, GPUs: {', '.join(found['gpus']) or 'none'}")


def check_hardware() -> Iterator[Check]:
    """Cores, memory and disk."""
    yield Check("cores", "ok", str(len(os.sched_getaffinity(0))))
    memory = available_memory() / _GIB
    enough = memory >= _WANTED_MEMORY_GIB
    mend = "" if enough else "give fewer --num-envs"
    yield Check("free memory", "ok" if enough else "note", f"{memory:.1f} GiB", mend)
    for place in sorted({Path.cwd(), Path(tempfile.gettempdir())}):
        free = shutil.disk_usage(place).free / _GIB
        enough = free >= _WANTED_DISK_GIB
        mend = "" if enough else f"du -xh --max-depth=2 {place} | sort -h | tail"
        yield Check(f"free disk: {place}", "ok" if enough else "note", f"{free:.1f} GiB", mend)


def available_memory() -> int:
    """Memory that programs can still get [bytes]."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:")


def check_numba_cache() -> Iterator[Check]:
    """Whether compiled controllers can be kept between runs."""
    package = Path(__file__).parents[1]
    places = [os.environ.get("NUMBA_CACHE_DIR"), package, os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")]
    for place in (Path(place) for place in places if place):
        if _writable(place):
            yield Check("compilation cache", "ok", f"{place} is writable")
            return
    yield Check(
        "compilation cache",
        "note",
        "no writable folder: controllers are compiled at every start",
        f"export NUMBA_CACHE_DIR={Path(tempfile.gettempdir()) / 'numba'}",
    )


def check_input_devices() -> Iterator[Check]:
    """Devices a person can steer with; only listed."""
    for pattern, what in (("hidraw*", "HID devices"), ("input/event*", "input devices")):
        found = sorted(Path("/dev").glob(pattern))
        closed = [path for path in found if not os.access(path, os.R_OK)]
        if not found:
            yield Check(what, "ok", "none")
        elif closed:
            detail = f"{len(found)}, of which not readable: {', '.join(map(str, closed))}"
            yield Check(what, "note", detail, f"sudo setfacl -m u:$USER:rw {' '.join(map(str, closed))}")
        else:
            yield Check(what, "ok", ", ".join(map(str, found)))


GROUPS: Final[tuple[Callable[[], Iterator[Check]], ...]] = (
    check_python,
    check_packages,
    check_rendering,
    check_video,
    check_torch,
    check_hardware,
    check_numba_cache,
    check_input_devices,
)


def _writable(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK)


def _lines(checks: list[Check]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.status:6}  {check.name:{width}}  {check.detail}"
        if check.mend and check.status != "ok":
            yield f"{'':6}  {'':{width}}  -> {check.mend}"
