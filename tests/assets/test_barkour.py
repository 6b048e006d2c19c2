"""The quadrupeds against the numbers they come from, and against mechanics."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from barkyard.assets.robots import load_robot
from barkyard.assets.robots.barkour import NUMBERS
from barkyard.assets.robots.barkour.kinematics import foot_position, hip_positions, leg_angles
from barkyard.assets.robots.barkour.model import COLLISION_GROUP, GROUND, OBSTACLE, VISUAL_GROUP
from barkyard.assets.robots.barkour.numbers import LEG_JOINTS, LEGS
from barkyard.assets.scenes.ground import add_walker, open_ground

PRESETS = ("barkour_vb", "barkour_v0")
LEFT = np.array([1.0, 1.0, -1.0, -1.0])
"""Sign of y of the legs in the order of `LEGS`."""


def compiled(name: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = load_robot(name).make_spec().compile()
    return model, mujoco.MjData(model)


def feet_at(model: mujoco.MjModel, data: mujoco.MjData, joints: np.ndarray) -> np.ndarray:
    """`(4, 3)` centres of the feet in the torso with every leg at `joints` (3,) or each at its own (4, 3)."""
    data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
    data.qpos[7:] = np.broadcast_to(joints, (4, 3)).ravel()
    mujoco.mj_kinematics(model, data)
    return np.array([data.geom(f"{leg}_foot").xpos for leg in LEGS])


@pytest.mark.parametrize(("name", "mass"), [("barkour_vb", 14.496), ("barkour_v0", 11.487)])
def test_total_mass(name: str, mass: float) -> None:
    model, _ = compiled(name)
    assert model.body_mass.sum() == pytest.approx(mass, rel=1e-3)
    assert model.body_mass[1:].min() > 0.1, "no body is weightless"


@pytest.mark.parametrize(
    ("name", "moments"), [("barkour_vb", [0.265, 0.646, 0.827]), ("barkour_v0", [0.126, 0.374, 0.443])]
)
def test_moments_of_inertia_at_home_are_the_published_models(name: str, moments: list[float]) -> None:
    model, data = compiled(name)
    feet_at(model, data, np.array([0.0, 0.5, 1.0]))
    mujoco.mj_comPos(model, data)
    total = np.zeros((3, 3))
    for body in range(1, model.nbody):
        axes, arm = data.ximat[body].reshape(3, 3), data.xipos[body] - data.subtree_com[1]
        total += axes @ np.diag(model.body_inertia[body]) @ axes.T
        total += model.body_mass[body] * (arm @ arm * np.eye(3) - np.outer(arm, arm))
    np.testing.assert_allclose(np.diag(total), moments, rtol=0.03)


@pytest.mark.parametrize("name", PRESETS)
def test_joints_are_named_and_ordered_leg_by_leg(name: str) -> None:
    model, _ = compiled(name)
    expected = [f"{leg}_{joint}" for leg in ("FL", "HL", "FR", "HR") for joint in LEG_JOINTS]
    assert [model.joint(i).name for i in range(1, model.njnt)] == expected
    assert [model.actuator(i).name for i in range(model.nu)] == expected
    assert list(load_robot(name).joints) == expected
    assert model.joint(0).name == "base" and model.joint(0).type[0] == mujoco.mjtJoint.mjJNT_FREE


@pytest.mark.parametrize(
    ("name", "hip_x", "lateral", "behind", "below"),
    [
        # -0.190 cos 0.5 + 0.228 cos(0.5 + 20 deg), and 0.190 sin 0.5 + 0.228 sin(0.5 + 20 deg); y 0.090+0.0309+0.0696.
        ("barkour_vb", (0.2367, -0.2368), 0.1905, 0.0161, 0.2622),
        # -0.220 cos 0.5 + 0.192 cos(0.5 + 13 deg), and 0.220 sin 0.5 + 0.192 sin(0.5 + 13 deg); y 0.056+0.0217+0.0792.
        ("barkour_v0", (0.1875, -0.1917), 0.1569, 0.0496, 0.2331),
    ],
)
def test_feet_at_home(name: str, hip_x: tuple[float, float], lateral: float, behind: float, below: float) -> None:
    model, data = compiled(name)
    height = NUMBERS[name].abduction_axis[3]
    x = np.array([hip_x[0], hip_x[1], hip_x[0], hip_x[1]]) - behind
    expected = np.column_stack([x, LEFT * lateral, np.full(4, height - below)])
    np.testing.assert_allclose(feet_at(model, data, np.array([0.0, 0.5, 1.0])), expected, atol=2e-4)


@pytest.mark.parametrize("name", PRESETS)
def test_foot_position_is_the_models(name: str) -> None:
    model, data = compiled(name)
    numbers = NUMBERS[name]
    draw = np.random.default_rng(0)
    for _ in range(20):
        joints = draw.uniform([-1.0, -1.2, 0.0], [1.0, 2.4, 2.4], (4, 3))
        x, outward, up = foot_position(numbers, joints).T
        corners = hip_positions(numbers)
        expected = np.column_stack(
            [corners[:, 0] + x, LEFT * (corners[:, 1] + outward), numbers.abduction_axis[3] + up]
        )
        np.testing.assert_allclose(feet_at(model, data, joints), expected, atol=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_inverse_kinematics_inverts_forward_kinematics(name: str) -> None:
    numbers = NUMBERS[name]
    joints = np.random.default_rng(1).uniform([-0.9, -0.2, 0.0], [0.9, 1.5, 2.4], (500, 3))
    feet = foot_position(numbers, joints)
    drop = numbers.thigh_length * np.sin(joints[:, 1]) + numbers.shank_length * np.sin(
        joints[:, 2] - joints[:, 1] + numbers.shank_angle
    )
    below = drop > 0.02
    assert below.sum() > 400, "nearly all draws have the foot below the hip, where the answer is one"
    np.testing.assert_allclose(leg_angles(numbers, feet[below]), joints[below], atol=1e-9)


@pytest.mark.parametrize("name", PRESETS)
def test_feet_out_of_reach_are_brought_to_the_longest_leg(name: str) -> None:
    numbers = NUMBERS[name]
    hip_y = numbers.hip_offset[1] + numbers.knee_offset
    joints = leg_angles(numbers, np.array([0.0, hip_y, -9.0]))
    assert joints[2] == pytest.approx(numbers.knee_range[1])
    x, _, up = foot_position(numbers, joints)
    assert x == pytest.approx(0.0, abs=1e-9) and up < -0.3, "straight below the hip"


@pytest.mark.parametrize("name", PRESETS)
def test_sides_mirror_each_other(name: str) -> None:
    model, data = compiled(name)
    joints = np.random.default_rng(2).uniform([-0.9, -1.0, 0.1], [0.9, 2.0, 2.3], (2, 3))
    feet = feet_at(model, data, np.concatenate([joints, joints]))
    np.testing.assert_allclose(feet[:2] * [1, -1, 1], feet[2:], atol=1e-12)
    mujoco.mj_comPos(model, data)
    coms = np.array([data.body(f"{leg}_{link}").xipos for leg in LEGS for link in ("abduction", "thigh", "shank")])
    np.testing.assert_allclose(coms[:6] * [1, -1, 1], coms[6:], atol=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_positive_angles_move_as_documented(name: str) -> None:
    model, data = compiled(name)
    home = np.array([0.0, 0.5, 1.0])
    feet = feet_at(model, data, home)
    hips, knees = (np.array([data.body(f"{leg}_{link}").xpos for leg in LEGS]) for link in ("thigh", "shank"))
    abducted = feet_at(model, data, home + np.array([0.2, 0, 0]))
    assert (LEFT * (abducted - feet)[:, 1] < -0.03).all(), "positive abduction moves every foot inward"
    feet_at(model, data, home + np.array([0, 0.2, 0]))
    swung = np.array([data.body(f"{leg}_shank").xpos for leg in LEGS])
    assert (swung[:, 2] < knees[:, 2] - 0.02).all(), "a positive hip angle swings the thigh down"
    extended = feet_at(model, data, home + np.array([0, 0, 0.2]))
    reach = np.linalg.norm(extended - hips, axis=1) - np.linalg.norm(feet - hips, axis=1)
    assert (reach > 0.01).all(), "a positive knee angle extends"


@pytest.mark.parametrize("name", PRESETS)
def test_collision_shapes_and_looks_are_apart(name: str) -> None:
    model, _ = compiled(name)
    for geom in (model.geom(i) for i in range(model.ngeom)):
        bits = (int(geom.contype[0]), int(geom.conaffinity[0]))
        if geom.group[0] == VISUAL_GROUP:
            assert bits == (0, 0)
        else:
            assert geom.group[0] == COLLISION_GROUP
            assert bits == (0, OBSTACLE if geom.name.endswith("_shank") else GROUND | OBSTACLE), geom.name
    assert (model.geom_group == COLLISION_GROUP).sum() == 1 + 3 * len(LEGS)


@pytest.mark.parametrize(
    ("name", "height"),
    [
        ("barkour_vb", 0.256),  # the sag that gain 50 leaves, measured on another model of the same numbers
        ("barkour_v0", 0.174),  # of this model
    ],
)
def test_settles_upright_at_home(name: str, height: float) -> None:
    robot = load_robot(name)
    scene = open_ground()
    add_walker(scene, robot, None)
    model = scene.compile()
    data = mujoco.MjData(model)
    data.qpos[2], data.qpos[7:], data.ctrl[:] = robot.home_height, robot.home, robot.home
    for _ in range(750):
        mujoco.mj_step(model, data)
    assert data.qpos[2] == pytest.approx(height, abs=0.003)
    assert data.body("robot/torso").xmat[8] > 0.999, "upright"
    assert np.abs(data.qvel).max() < 0.02, "at rest"
    for foot in robot.feet:
        assert data.sensor(f"contact_{foot}").data[0] > 0, f"{foot} stands"
    np.testing.assert_allclose(data.qpos[7:], robot.home, atol=0.16)
    assert not any(warning.number for warning in data.warning)


def in_the_air(name: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """The torso held, joints without stops, no gravity, targets without limits."""
    spec = load_robot(name).make_spec()
    spec.delete(spec.joint("base"))
    for joint in spec.joints:
        joint.limited = False
    for actuator in spec.actuators:
        actuator.ctrllimited = False
    spec.option.timestep, spec.option.gravity = 0.001, [0, 0, 0]
    model = spec.compile()
    return model, mujoco.MjData(model)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("joint", range(3))
def test_a_free_joint_at_full_torque_ends_at_the_speed_where_drag_takes_it(name: str, joint: int) -> None:
    model, data = in_the_air(name)
    data.qpos[:], data.ctrl[:] = load_robot(name).home, load_robot(name).home
    data.ctrl[joint] = 1e4
    speeds = []
    for _ in range(1000):
        mujoco.mj_step(model, data)
        speeds.append(abs(data.qvel[joint]))
    # 18 = 0.13 + 0.024 v + 18 (v / 25)^3, with the friction loss and damping of either robot to 3 %; a swinging link
    # takes or adds a little.
    assert speeds[-1] == pytest.approx(24.66, abs=0.3)
    assert max(speeds) < 25.5
    assert data.actuator_force[joint] == 18.0


@pytest.mark.parametrize("name", PRESETS)
def test_torque_stays_within_the_limit(name: str) -> None:
    model, data = in_the_air(name)
    limit = NUMBERS[name].torque_limit
    forces = []
    for target in (1.0, -1.0):
        data.ctrl[:] = target
        for _ in range(50):
            mujoco.mj_step(model, data)
            forces.append(data.actuator_force.copy())
    assert np.max(forces) == limit and np.min(forces) == -limit, "both limits are met and not passed"
    assert NUMBERS[name].position_gain * 2.0 > limit, "what was asked for was more"


@pytest.mark.parametrize("name", PRESETS)
def test_targets_stay_inside_the_joint_limits(name: str) -> None:
    model, _ = compiled(name)
    margin = NUMBERS[name].control_margin
    np.testing.assert_allclose(model.actuator_ctrlrange[:, 0], model.jnt_range[1:, 0] + margin)
    np.testing.assert_allclose(model.actuator_ctrlrange[:, 1], model.jnt_range[1:, 1] - margin)


@pytest.mark.parametrize("name", PRESETS)
def test_compiles_and_steps_without_a_word(
    name: str, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, data = compiled(name)
    for _ in range(10):
        mujoco.mj_step(model, data)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == [], "MuJoCo writes its warnings to a log file here"
    assert not any(warning.number for warning in data.warning)
