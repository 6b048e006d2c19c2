"""How scenes look: variants change pictures and nothing else, overlays show the photograph, cameras are found."""

import json
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import mujoco
import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.envs.visual import VARIANTS, Surface, Variant, as_variant
from barkyard.envs.visual.camera_pose import CameraPose, find_camera
from barkyard.envs.visual.overlay import foreground_geoms, lay_over, read_photograph
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_multiply

SIZE = 40
TASKS = ("Lift", "Stack", "NutAssemblySquare", "Door", "PickPlaceCan")


def _run(task: str, visual: Any, camera: str = "") -> tuple[np.ndarray, np.ndarray]:
    """States after five steps, and the picture then, or nothing."""
    seen: dict[str, Any] = {"cameras": (camera,), "camera_size": (SIZE, SIZE)} if camera else {}
    env = make_vec_env(f"barkyard/{task}-v0", 1, visual=visual, **seen)
    env.reset(seed=3)
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 1, 7)).astype(np.float32)
    for action in actions:
        observations, *_ = env.step(action)
    states = env.get_states()
    env.close()
    return states, observations[f"image_{camera}"][0] if camera else np.zeros(0)


@pytest.mark.parametrize("task", TASKS)
def test_variants_change_no_physics(task: str) -> None:
    plain, _ = _run(task, None)
    for name in VARIANTS:
        np.testing.assert_array_equal(_run(task, name)[0], plain, err_msg=name)


@pytest.mark.parametrize("task", TASKS)
def test_every_variant_but_the_first_looks_different(task: str) -> None:
    _, plain = _run(task, None, "frontview")
    pictures = {name: _run(task, name, "frontview")[1] for name in VARIANTS}
    np.testing.assert_array_equal(pictures.pop("base"), plain)
    for name, picture in pictures.items():
        assert (picture != plain).any(), name
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)


def test_light_is_a_factor_and_seeds_decide_on_speckles() -> None:
    bright, dark = (_run("Lift", {"light": light}, "frontview")[1] for light in (1.0, 0.25))
    assert dark.mean() < 0.5 * bright.mean()
    speckled = [
        _run("Lift", Variant("x", background=Surface("speckle", (1, 1, 1)), seed=seed), "frontview")[1]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(speckled[0], speckled[1])
    assert (speckled[0] != speckled[2]).any()


def test_surfaces_take_the_texture_of_a_picture(tmp_path: Path) -> None:
    """The table of a photograph: green left of the middle, blue right of it, and red objects turned to it too."""
    photograph = np.zeros((600, 600, 3), np.uint8)
    photograph[:, :300, 1], photograph[:, 300:, 2] = 255, 255
    imageio.imwrite(tmp_path / "wood.png", photograph)
    surface = {"pattern": "picture", "picture": str(tmp_path / "wood.png"), "width": 0.5}
    plain_states, plain = _run("Lift", None, "agentview")
    for name in ("table", "objects"):
        states, seen = _run("Lift", {name: surface}, "agentview")
        np.testing.assert_array_equal(states, plain_states)
        changed = seen[(seen != plain).any(axis=2)].astype(int)
        assert len(changed) > 3 and (changed[:, 1:].max(axis=1) > changed[:, 0]).mean() > 0.9
        assert len(changed) > 300 or name == "objects"
    variant = as_variant({"table": surface})
    assert variant is not None and as_variant(json.loads(json.dumps(variant.as_json()))) == variant


def test_cameras_of_the_robot_stay_on_it() -> None:
    moved = make_vec_env("barkyard/Lift-v0", 1, visual="camera_moved").simulation.model
    model = make_vec_env("barkyard/Lift-v0", 1).simulation.model
    for i in range(model.ncam):
        same = (moved.cam_pos[i] == model.cam_pos[i]).all() and (moved.cam_quat[i] == model.cam_quat[i]).all()
        assert same == model.camera(i).name.startswith("robot/"), model.camera(i).name
    shift = np.linalg.norm(moved.cam_pos - model.cam_pos, axis=1)
    np.testing.assert_allclose(shift[shift > 0], VARIANTS["camera_moved"].camera_shift, atol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_json_gives_the_variant_back(variant: Variant) -> None:
    assert as_variant(json.loads(json.dumps(variant.as_json()))) == variant


def test_json_of_everything_and_the_environment_remembers_it() -> None:
    pose = CameraPose((1.0, 0.0, 1.5), (0.5, 0.5, 0.5, 0.5), 50.0)
    variant = Variant("mine", robot=(0.1, 0.2, 0.3), cameras=(("agentview", pose),))
    assert as_variant(json.loads(json.dumps(variant.as_json()))) == variant
    env = make_vec_env("barkyard/Lift-v0", 1, visual=variant)
    assert env.env_kwargs["visual"] == variant.as_json()
    again = make_vec_env(env.env_id, 1, **env.env_kwargs)
    assert again.fingerprint == env.fingerprint != make_vec_env("barkyard/Lift-v0", 1).fingerprint
    camera = env.simulation.model.camera("agentview")
    np.testing.assert_allclose(camera.pos, pose.pos)
    assert float(camera.fovy[0]) == 50.0


@pytest.mark.parametrize(
    ("visual", "words"),
    [
        ("dusk", "visual is 'dusk'; valid: base, darker"),
        (3, "visual is 3; valid"),
        ({"lights": 1.0}, "visual has no 'lights'; it has name, light"),
        ({"light": -1.0}, "visual light is -1.0; give a number from 0 to 5"),
        ({"light": float("nan")}, "visual light is nan"),
        ({"distractors": 1.5}, "visual distractors is 1.5; give a whole number from 0 to 12"),
        ({"robot": [2, 0, 0]}, r"visual robot is \[2, 0, 0\]; give red, green and blue"),
        ({"table": {"pattern": "stripes", "first": [0, 0, 0]}}, "pattern is 'stripes'; valid: plain, checker, speckle"),
        ({"table": {"pattern": "picture"}}, "picture is '' with pattern 'picture'; give both or none"),
        ({"table": {"pattern": "picture", "picture": "absent.png"}}, "absent.png cannot be read as a picture"),
        ({"table": {"pattern": "picture", "picture": "a.png", "width": 0}}, "width is 0; give metres"),
        ({"table": {"colour": 1}}, "visual table is .*; give an object of pattern, first, second"),
        ({"cameras": {"nowhere": {"pos": [0, 0, 1], "quat": [1, 0, 0, 0], "fovy": 45}}}, "a pose of camera 'nowhere'"),
        ({"cameras": ["agentview"]}, "visual cameras is .*; give an object with the cameras' names"),
    ],
)
def test_bad_variants(visual: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make_vec_env("barkyard/Lift-v0", 1, visual=visual)


def test_laid_over() -> None:
    simulated = np.full((2, 2, 2, 3), 9, np.uint8)
    photograph = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    mask = np.array([[[True, False], [False, False]], [[False, False], [False, True]]])
    found = lay_over(simulated, photograph, mask)
    assert (found[0, 0, 0] == 9).all() and (found[1, 1, 1] == 9).all()
    np.testing.assert_array_equal(found[0, 1], photograph[1])
    np.testing.assert_array_equal(found[1, 0], photograph[0])
    with pytest.raises(InvalidInput, match="do not fit"):
        lay_over(simulated, photograph[:1], mask)


def test_robot_and_objects_are_drawn_and_the_table_is_not() -> None:
    model = make_vec_env("barkyard/Lift-v0", 1).simulation.model
    drawn = foreground_geoms(model)
    assert not drawn[model.geom("table_visual").id] and not drawn[model.geom("floor").id]
    assert drawn[model.geom("object/g0_vis").id] and drawn[model.geom("robot/g0_vis").id]


def test_the_environment_shows_the_photograph_behind_what_moves(tmp_path: Path) -> None:
    photograph = np.random.default_rng(0).integers(0, 256, (2 * SIZE, 2 * SIZE, 3), dtype=np.uint8)
    imageio.imwrite(tmp_path / "photo.png", photograph)
    visual = {"photographs": {"frontview": str(tmp_path / "photo.png")}}
    _, over = _run("Lift", visual, "frontview")
    _, plain = _run("Lift", None, "frontview")
    expected = read_photograph(tmp_path / "photo.png", SIZE, SIZE)
    np.testing.assert_allclose(expected, photograph.reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3)), atol=0.5)
    is_photo, is_plain = (over == expected).all(axis=2), (over == plain).all(axis=2)
    assert (is_photo | is_plain).all()
    assert 0.03 < is_plain.mean() < 0.3, "the robot and the cube"
    np.testing.assert_array_equal(_run("Lift", visual, "birdview")[1], _run("Lift", None, "birdview")[1])


def test_photographs_of_another_shape(tmp_path: Path) -> None:
    imageio.imwrite(tmp_path / "wide.png", np.zeros((50, 80, 3), np.uint8))
    with pytest.raises(InvalidInput, match=r"wide.png is 80 x 50; the camera's pictures are 40 x 40: crop it"):
        read_photograph(tmp_path / "wide.png", SIZE, SIZE)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InvalidInput, match=r"text.png cannot be read as a picture"):
        read_photograph(tmp_path / "text.png", SIZE, SIZE)


def _pixels(pose: CameraPose, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """By MuJoCo's own definition of a camera: it looks along -z, y is up, fovy is vertical."""
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, np.array(pose.quat))
    local = (points - pose.pos) @ matrix.reshape(3, 3)
    focal = size[0] / 2 / np.tan(np.deg2rad(pose.fovy) / 2)
    return np.array([size[1] / 2, size[0] / 2]) + focal * local[:, :2] / -local[:, 2:] * [1.0, -1.0]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_camera_is_found_from_points(seed: int, known: bool) -> None:
    draw = np.random.default_rng(seed)
    model = make_vec_env("barkyard/Lift-v0", 1).simulation.model
    camera = model.camera("agentview")
    turn = np.array([1.0, *draw.normal(0, 0.05, 3)])
    quat = quat_multiply(camera.quat, turn / np.linalg.norm(turn))
    quat *= np.sign(quat[0])
    x, y, z = (float(value) for value in camera.pos + draw.normal(0, 0.1, 3))
    truth = CameraPose(
        (x, y, z), (float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3])), draw.uniform(35, 70)
    )
    points, size = draw.uniform([-0.3, -0.3, 0.8], [0.3, 0.3, 1.1], (12, 3)), (240, 320)
    pixels = _pixels(truth, points, size)
    found = find_camera(points, pixels, size, truth.fovy if known else None)
    np.testing.assert_allclose(found.pos, truth.pos, atol=1e-3)
    np.testing.assert_allclose(np.array(found.quat) * np.sign(found.quat[0]), truth.quat, atol=1e-3)
    assert found.fovy == pytest.approx(truth.fovy, abs=0.05) and found.error < 0.01
    noisy = find_camera(points, pixels + draw.normal(0, 0.5, pixels.shape), size, truth.fovy if known else None)
    assert 0.2 < noisy.error < 1.0
    np.testing.assert_allclose(noisy.pos, truth.pos, atol=0.1 if known else 0.4)


def test_bad_points() -> None:
    with pytest.raises(InvalidInput, match="there are 4 points; give at least 6"):
        find_camera(np.zeros((4, 3)), np.zeros((4, 2)), (10, 10))
    with pytest.raises(InvalidInput, match="do not fit"):
        find_camera(np.zeros((8, 3)), np.zeros((7, 2)), (10, 10))
