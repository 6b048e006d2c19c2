# Sourced by the other scripts: finds a Python, makes .venv beside setup.cfg, and installs Barkyard into it.
# Safe to run again; it does nothing when nothing has changed.
#
#   PYTHON                 the interpreter to use, where the one found is not the one you want
#   BARKYARD_TORCH_INDEX   a package index to take torch from, such as the index of CPU-only wheels

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

say() { printf 'barkyard: %s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Installs Debian packages where that needs no password, else prints the line to type and stops.
install_system_packages() {
    local line="apt-get install -y --no-install-recommends $*" sudo=()
    if [ "$(id -u)" != 0 ]; then
        sudo=(sudo -n)
        line="sudo $line"
    fi
    if ! command -v apt-get >/dev/null; then
        fail "this machine lacks what Debian calls: $*. Install these by your system's package manager, then run again."
    fi
    if ! "${sudo[@]}" true 2>/dev/null; then
        fail "this machine lacks system packages. Type this line, then run again:
    $line"
    fi
    say "installing system packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    local apt=("${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=120)
    if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } >&2; then
        fail "apt-get failed. Mend what it says above, type this line, then run again:
    $line"
    fi
}

# Installs Debian packages that some tests drive devices with; where that cannot be, these tests are skipped.
install_test_packages() {
    local package missing=()
    for package in "$@"; do
        if ! dpkg -s "$package" >/dev/null 2>&1; then missing+=("$package"); fi
    done
    if [ ${#missing[@]} -gt 0 ] && ! (install_system_packages "${missing[@]}"); then
        say "going on; tests that need ${missing[*]} are skipped"
    fi
}

# Prints the Debian packages that are missing.
missing_system_packages() {
    "$1" - "$venv" <<'PYTHON'
import ctypes, os, shutil, sys, sysconfig

def absent(*names):
    for name in names:
        try:
            ctypes.CDLL(name)
            return False
        except OSError:
            continue
    return True

missing = []
version = f"python{sys.version_info.major}.{sys.version_info.minor}"
if not os.path.exists(os.path.join(sys.argv[1], "bin", "python")):
    try:
        import ensurepip, venv
    except ImportError:
        missing.append(f"{version}-venv")
if not os.path.exists(os.path.join(sys.argv[1], "barkyard.stamp")):
    # robosuite needs pynput, pynput needs evdev, and evdev is published as source only.
    if not shutil.which("gcc"):
        missing += ["gcc", "libc6-dev"]
    if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        missing.append(f"{version}-dev")
if absent("libOSMesa.so.8", "libOSMesa.so.6"):
    missing.append("libosmesa6")  # rendering without a display
if absent("libGL.so.1"):
    missing.append("libgl1")  # opencv, which robosuite imports
if absent("libgthread-2.0.so.0"):
    missing.append("libglib2.0-0")  # opencv
print(*missing)
PYTHON
}

stamp_of() {
    { "$1" --version; echo "$root"; cat "$root/setup.cfg" "$root/constraints.txt" "$root/pyproject.toml"; } | sha256sum
}

install_barkyard() {
    local quiet=(-qq) pip=("$venv/bin/python" -m pip --disable-pip-version-check install -c "$root/constraints.txt")
    if [ -t 2 ]; then quiet=(); fi
    if [ -n "${BARKYARD_TORCH_INDEX:-}" ]; then
        "${pip[@]}" "${quiet[@]}" --index-url "$BARKYARD_TORCH_INDEX" torch >&2
    elif ! command -v nvidia-smi >/dev/null; then
        say "no GPU seen; BARKYARD_TORCH_INDEX can name an index of CPU-only torch, which is smaller (see README.md)"
    fi
    "${pip[@]}" "${quiet[@]}" -e "$root[dev]" >&2
}

make_environment() {
    local python packages stamp began=$SECONDS
    python=$(find_python) || fail "Python 3.11 or 3.12 is needed and was not found. On Debian or Ubuntu type:
    sudo apt-get install -y python3.11 python3.11-venv"
    stamp=$(stamp_of "$python")
    packages=$(missing_system_packages "$python")
    # shellcheck disable=SC2086  # a list of words
    if [ -n "$packages" ]; then install_system_packages $packages; fi
    if [ "$(cat "$venv/barkyard.stamp" 2>/dev/null)" = "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    rm -f "$venv/barkyard.stamp"
    # Where the folder was moved, pip names an interpreter that is gone.
    if ! "$venv/bin/pip" --version >/dev/null 2>&1; then
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear "$venv"
    fi
    say "installing the packages of constraints.txt into .venv (about two minutes, 3 GB of disk)"
    install_barkyard
    printf '%s\n' "$stamp" >"$venv/barkyard.stamp"
    say "ready after $((SECONDS - began)) s"
}

# One at a time, so that two scripts started together do not install into each other's way.
ensure_environment() {
    if command -v flock >/dev/null; then
        exec 9>"$root/.venv.lock"
        flock 9
        make_environment 9>&-
        exec 9>&-
    else
        make_environment
    fi
}
