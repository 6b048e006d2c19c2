"""What the doctor says, and that it can say no."""

import importlib.metadata
import json
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from barkyard.cli import doctor as doctor_module
from barkyard.cli import probes
from barkyard.cli.doctor import Check, check_numba_cache, check_packages, check_rendering, check_requirement
from barkyard.cli.main import main


def test_requirements_are_held_against_what_is_installed() -> None:
    assert check_requirement(Requirement("numpy<2"), None).status == "ok"
    assert check_requirement(Requirement("numpy"), "0.0.1").status == "note"
    wrong = check_requirement(Requirement("numpy<1"), "1.26.4")
    assert wrong.status == "failed" and wrong.mend == f"{sys.executable} -m pip install 'numpy==1.26.4'"
    absent = check_requirement(Requirement("no-such-package>=1"), None)
    assert absent.status == "failed" and absent.detail == "not installed"


def test_the_tested_versions_are_those_of_the_checkout() -> None:
    tested = doctor_module.tested_versions()
    assert tested["mujoco"] == "3.17.0"
    assert tested["imageio"]  # written ImageIO there


def test_a_checkout_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", absent)
    (check,) = check_packages()
    assert check.status == "note" and check.mend.endswith("pip install -c constraints.txt -e .")


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("AttributeError: 'NoneType' object has no attribute 'eglQueryString'", "no EGL library"),
        ("AttributeError: 'NoneType' object has no attribute 'glGetError'", "no OpenGL library"),
        ("FatalError: an OpenGL platform library has not been loaded into this process", "no OpenGL library"),
        ("ImportError: Cannot initialize a EGL device display. ... PLATFORM_DEVICE", "EGL finds no driver"),
    ],
)
def test_known_error_texts_are_explained(said: str, meaning: str) -> None:
    assert probes.explain_gl_error(said) == f"{meaning} ({said})"


def test_an_unknown_error_text_stays() -> None:
    assert probes.explain_gl_error("boom") == "boom"


def test_a_probe_that_fails_says_why() -> None:
    with pytest.raises(probes.ProbeError, match=r"RuntimeError: invalid value for environment variable MUJOCO_GL"):
        probes.probe_gl("nonsense")


@pytest.mark.parametrize(
    ("working", "statuses"),
    [
        ({"osmesa", "egl"}, {"osmesa": "ok", "egl": "ok"}),
        ({"osmesa"}, {"osmesa": "ok", "egl": "note"}),
        (set(), {"osmesa": "failed", "egl": "failed"}),
    ],
)
def test_one_backend_is_needed(working: set[str], statuses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(backend: str) -> float:
        if backend not in working:
            raise probes.ProbeError("'NoneType' object has no attribute 'glGetError'")
        return 30.0

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(probes, "probe_gl", probe)
    found = {check.name.removeprefix("rendering: "): check for check in check_rendering()}
    assert {name: check.status for name, check in found.items()} == statuses
    for name in statuses.keys() - working:
        assert found[name].mend.startswith("sudo apt-get install")


def test_a_backend_that_is_named_and_broken_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(backend: str) -> float:
        if backend == "egl":
            raise probes.ProbeError("no driver")
        return 30.0

    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setattr(probes, "probe_gl", probe)
    failed = [check for check in check_rendering() if check.status == "failed"]
    assert [(check.name, check.mend) for check in failed] == [("MUJOCO_GL", "unset MUJOCO_GL")]


def test_no_place_for_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "_writable", lambda place: False)
    (check,) = check_numba_cache()
    assert check.status == "note" and check.mend.startswith("export NUMBA_CACHE_DIR=")


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("note", 0), ("failed", 1)])
def test_exit_code_and_output(
    status: doctor_module.Status, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = Check("a thing", status, "as it is", "type this")
    monkeypatch.setattr(doctor_module, "GROUPS", (lambda: iter([check]),))
    assert main(["doctor"]) == code
    printed = capsys.readouterr().out
    assert "a thing" in printed and ("type this" in printed) == (status != "ok")
    assert main(["doctor", "--json"]) == code
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] == (code == 0)
    assert report["checks"][0]["mend"] == "type this"


def test_this_machine_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checks = [*doctor_module.check_python(), *doctor_module.check_hardware(), *doctor_module.check_input_devices()]
    assert {"python", "cores", "free memory", f"free disk: {tmp_path}"} <= {check.name for check in checks}


@pytest.mark.slow
def test_mp4_and_torch_are_tried_out() -> None:
    probes.probe_mp4()
    assert probes.probe_torch()["threads"] >= 1
