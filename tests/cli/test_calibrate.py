"""`barkyard calibrate` on recordings of a small arm."""

import json
from pathlib import Path

import numpy as np
import pytest

from barkyard.cli.main import main
from tests.calibration.synthetic import ARM, TRUTH, arm, record, unknowns

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "arm.xml").write_text(ARM)
    for seed in (1, 2):
        log = record(arm(), unknowns(arm()), TRUTH, seed, seconds=4.0, noise=1e-3)
        names = np.array(["S", "elbow"])
        np.savez(tmp_path / f"run{seed}.npz", t=log.time, q_cmd=log.command, q_meas=log.position, joints=names)
    return tmp_path


def words(folder: Path, *more: str) -> list[str]:
    return ["calibrate", str(folder / "run1.npz"), "--model", str(folder / "arm.xml"), "--out", str(folder / "out"),
            "--starts", "0", "--rename", "S=shoulder", *more]  # fmt: skip


def test_it_prints_and_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(folder, "--held-out", str(folder / "run2.npz"), "--quiet", "--samples", "8")) == 0
    printed = capsys.readouterr().out
    for each in ("held out", "as shipped [mrad]", "elbow.position_gain", "intervals from"):
        assert each in printed
    made = json.loads((folder / "out" / "calibration.json").read_text())
    assert made["held_out"]["recordings"] == ["run2"] and len(made["samples"]) == 8
    assert (folder / "out" / "report.html").stat().st_size > 20_000


def test_json_with_quantities_and_a_split(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--quantities", "position_gain", "damping", "--shared", "damping", "--split", "0.6", "--json")
    assert main(words(folder, *more)) == 0
    made = json.loads(capsys.readouterr().out)
    names = [(each["element"], each["quantity"]) for each in made["parameters"]]
    assert names == [
        ("shoulder", "position_gain"), ("elbow", "position_gain"), ("shoulder", "damping"), ("elbow", "damping")
    ]  # fmt: skip
    assert made["parameters"][2]["value"] == made["parameters"][3]["value"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--rename", "S=hip"), "hip is not a joint; columns: S, elbow; joints of the model: shoulder, elbow"),
        (("--rename", "S"), "--rename has 'S'; give COLUMN=JOINT"),
        (("--model", "arm.urdf"), "--model is 'arm.urdf'; give an MJCF file or one of"),
        (("--split", "0.5", "--held-out", "x.npz"), "give one"),
        (("--held-out", "none.npz"), "none.npz: is not a file"),
        (("--stretch", "run9=0:1"), "--stretch has 'run9=0:1'; the recordings are run1"),
        (("--stretch", "run1=1"), "give RECORDING=START:STOP in seconds"),
        (("--tool", "tip"), "--tool takes whole recordings"),
    ],
)
def test_wrong_words(more: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(folder, *more)) == 2
    assert message in capsys.readouterr().err


def test_without_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--model", "panda", "--out", "x"]) == 2
    assert "there is no recording; give .npz or .csv files, or --design ROBOT" in capsys.readouterr().err
