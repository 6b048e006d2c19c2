"""Fits to poses of the tool: the same servos are found as from the joints, and poses out of reach are refused."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from barkyard.assets.calibration import Calibration
from barkyard.calibration.plant import PlantModel
from barkyard.calibration.tool import columns, read_tool_recording
from barkyard.cli.main import main
from barkyard.errors import InvalidInput
from tests.calibration.synthetic import ARM, TRUTH, record, unknowns

TIPPED = ARM.replace(
    '<inertial pos="0.1 0 0" mass="0.2"', '<site name="tip" pos="0.2 0 0"/><inertial pos="0.1 0 0" mass="0.2"'
)
FIELDS = ("t", "q_start", "joints", "tool_cmd", "tool_meas")


@pytest.fixture
def model(tmp_path: Path) -> PlantModel:
    (tmp_path / "arm.xml").write_text(TIPPED)
    return PlantModel.from_mjcf(tmp_path / "arm.xml")


def poses(model: PlantModel, angles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    data, found = mujoco.MjData(model.shipped), np.empty((len(angles), 7))
    for row, each in enumerate(angles):
        data.qpos[:] = each
        mujoco.mj_kinematics(model.shipped, data)
        found[row, :3] = data.site("tip").xpos
        mujoco.mju_mat2Quat(found[row, 3:], data.site("tip").xmat)
    return found


def arrays(model: PlantModel, seed: int) -> dict[str, Any]:
    log = record(model, unknowns(model), TRUTH, seed, seconds=5.0, noise=2e-4)
    values = log.time, log.position[0], np.array(model.joints), poses(model, log.command), poses(model, log.position)
    return dict(zip(FIELDS, values, strict=True))


def test_joints_follow_the_commanded_poses(model: PlantModel, tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", **arrays(model, 1))
    recording = read_tool_recording(tmp_path / "run.npz", model, "tip")
    log = record(model, unknowns(model), TRUTH, 1, seconds=5.0, noise=2e-4)
    assert np.allclose(recording.joint_log.command, log.command, atol=1e-6)
    assert np.allclose(recording.log.position[0, 3:], 0.0) and recording.log.joints[3:] == ("rx", "ry", "rz")


def test_a_pose_turns_by_its_rotation_vector() -> None:
    first = np.array([np.cos(0.2), 0.0, np.sin(0.2), 0.0])
    pose = np.array([[1.0, 2.0, 3.0, np.cos(0.35), 0.0, np.sin(0.35), 0.0]])
    assert np.allclose(columns(pose, first), [[1.0, 2.0, 3.0, 0.0, 0.3, 0.0]])


def test_the_servos_are_found_from_the_tool(model: PlantModel, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        np.savez(tmp_path / f"run{seed}.npz", **arrays(model, seed))
    words = [
        "calibrate",
        *(str(tmp_path / f"run{seed}.npz") for seed in (1, 2)),
        "--held-out",
        str(tmp_path / "run3.npz"),
    ]
    words += ["--model", str(tmp_path / "arm.xml"), "--tool", "tip", "--out", str(tmp_path / "out"), "--starts", "0"]
    assert main([*words, "--quantities", *TRUTH, "--quiet"]) == 0
    made = Calibration.load(tmp_path / "out" / "calibration.json")
    for parameter in made.parameters:
        truth = TRUTH[parameter.quantity][("shoulder", "elbow").index(parameter.element)]
        assert parameter.value == pytest.approx(truth, rel=0.25), f"{parameter.element}.{parameter.quantity}"
    assert made.held_out is not None and made.held_out.overall < 2e-3
    assert "mm, mrad" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tool_cmd": lambda found: found["tool_cmd"] * np.array([2.0] * 3 + [1.0] * 4)}, "tool comes no nearer than"),
        ({"tool_meas": lambda found: found["tool_meas"][:, :6]}, "tool_meas has the shape .*a pose is x, y, z"),
        ({"tool_cmd": lambda found: found["tool_cmd"] * 1.1}, "row 1: .* is no unit quaternion"),
        ({"q_start": lambda found: found["q_start"][:1]}, "q_start has the shape"),
        ({"joints": lambda found: np.array(["shoulder", "hip"])}, "hip is no joint of the model: shoulder, elbow"),
        ({"source": lambda found: np.array("sim")}, "source is 'sim'"),
    ],
)
def test_bad_recordings_are_refused(changed: dict[str, Any], message: str, model: PlantModel, tmp_path: Path) -> None:
    found = arrays(model, 1)
    found |= {name: change(found) for name, change in changed.items()}
    np.savez(tmp_path / "run.npz", **found)
    with pytest.raises(InvalidInput, match=f"run.npz: .*{message}"):
        read_tool_recording(tmp_path / "run.npz", model, "tip")
    np.savez(tmp_path / "run.npz", **arrays(model, 1))
    with pytest.raises(InvalidInput, match="the model has no site 'tool'; it has tip"):
        read_tool_recording(tmp_path / "run.npz", model, "tool")


def test_a_file_without_poses_says_what_it_lacks(model: PlantModel, tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", t=np.arange(3.0))
    with pytest.raises(InvalidInput, match="there is no tool_cmd, tool_meas, q_start, joints; needed"):
        read_tool_recording(tmp_path / "run.npz", model, "tip")
