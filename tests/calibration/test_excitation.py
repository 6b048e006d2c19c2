"""Excitation: laws of the signals, limits of the commands, and the files they are kept in."""

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest

from barkyard.assets.robots import load_robot
from barkyard.assets.servos import servo_spec
from barkyard.calibration import signals
from barkyard.calibration.excitation import KINDS, CommandFile, ExcitationLimits, design
from barkyard.errors import InvalidInput

TWO_ARMS = """<mujoco><compiler angle="radian"/><worldbody>
<body name="left" pos="0 0 0"><joint name="l" axis="0 1 0" range="-1.5 1.5"/>
<geom type="capsule" size="0.02" fromto="0 0 0 0 0 0.3" mass="1"/></body>
<body name="right" pos="0.1 0 0"><joint name="r" axis="0 1 0" range="-1.5 1.5"/>
<geom type="capsule" size="0.02" fromto="0 0 0 0 0 0.3" mass="1"/></body></worldbody>
<actuator><position name="al" joint="l" kp="200" kv="5" forcerange="-{limit} {limit}"/>
<position name="ar" joint="r" kp="200" kv="5" forcerange="-{limit} {limit}"/></actuator></mujoco>"""
TIMES = np.arange(1001) / 50.0
BAND = (0.1, 3.0)


def _arms(limit: float, apart: float = 0.1) -> mujoco.MjModel:
    text = TWO_ARMS.format(limit=limit).replace('pos="0.1 0 0"', f'pos="{apart} 0 0"')
    return mujoco.MjModel.from_xml_string(text)


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_multisine_has_its_own_lines_in_every_joint() -> None:
    """Without the fade, which the middle of the record does not see, joints share no frequency."""
    unit = signals.multisine(TIMES, 3, BAND, _generator())
    power = np.abs(np.fft.rfft(unit, axis=0)) ** 2
    frequencies = np.fft.rfftfreq(len(TIMES), 0.02)
    inside = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
    assert power[inside].sum() > 0.99 * power[1:].sum()
    strongest = power[inside].argmax(axis=1)
    counts = np.bincount(strongest, minlength=3)
    assert (counts > 0.3 * inside.sum()).all(), "every third line belongs to each joint"


def test_multisine_has_a_lower_crest_factor_than_random_phases() -> None:
    generator = _generator()
    frequencies = np.fft.rfftfreq(1000, 0.02)
    amplitude = np.where((frequencies >= 0.1) & (frequencies <= 3.0), 1.0, 0.0)
    low = signals.crest_factor(signals._low_crest(amplitude, 1000, generator))
    random = [
        signals.crest_factor(np.fft.irfft(amplitude * np.exp(2j * np.pi * generator.random(501)), 1000))
        for _ in range(20)
    ]
    assert low < 1.7 < min(random)


def test_chirp_sweeps_the_band() -> None:
    unit = signals.chirp(TIMES, 1, BAND, _generator())[:, 0]
    crossings = TIMES[1:][np.diff(np.sign(unit)) != 0]
    periods = 2.0 * np.diff(crossings)
    middle = (periods > 0.2) & (periods < 8.0)
    assert (np.diff(periods[middle]) < 0.05).all(), "the frequency only rises"
    assert 0.5 / periods[-3] > 1.0 and periods[:3].max() > 3.0


def test_prbs_is_two_levels_and_its_register_is_of_full_length() -> None:
    bits = signals._register()
    assert bits.sum() == 1.0, "512 ones and 511 minus ones"
    correlation = np.fft.ifft(np.abs(np.fft.fft(bits)) ** 2).real
    np.testing.assert_allclose(correlation[1:], -1.0, atol=1e-6)
    unit = signals.prbs(TIMES, 2, 0.4, 0.2, _generator())
    inner = np.abs(unit[60:-60])
    assert (inner > 0.999).mean() > 0.6 and abs(np.corrcoef(unit.T)[0, 1]) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_commands_stay_within_limits_and_begin_and_end_at_home(kind: str) -> None:
    limits = ExcitationLimits(range=0.5, amplitude=0.3, speed=1.0, acceleration=30.0)
    commands = design("barkour_vb", kind, 6.0, 50.0, 1, limits=limits)
    robot = load_robot("barkour_vb")
    np.testing.assert_allclose(commands.q_cmd[[0, -1]], np.tile(robot.home, (2, 1)), atol=1e-9)
    offset = commands.q_cmd - np.array(robot.home)
    model = servo_spec(robot).compile()
    low, high = model.actuator_ctrlrange.T
    room = np.minimum(np.array(robot.home) - low, high - np.array(robot.home))
    assert (np.abs(offset).max(axis=0) <= np.minimum(0.5 * room, 0.3) + 1e-12).all()
    assert np.abs(np.diff(commands.q_cmd, axis=0)).max() * 50.0 <= 1.0 + 1e-9
    assert np.abs(np.diff(commands.q_cmd, n=2, axis=0)).max() * 2500.0 <= 30.0 + 1e-9
    assert (np.abs(offset).max(axis=0) > 0.01).all(), "every joint moves"
    again, other = (design("barkour_vb", kind, 6.0, 50.0, seed, limits=limits) for seed in (1, 2))
    np.testing.assert_array_equal(commands.q_cmd, again.q_cmd)
    assert not np.array_equal(commands.q_cmd, other.q_cmd)


def test_parts_stay_apart_and_torques_small() -> None:
    """Two upright rods 10 cm apart touch if either leans over by 12 degrees, and motors of 2 N m are soon too weak."""
    strong, wide = _arms(50), ExcitationLimits(amplitude=1.0)
    near, free = (design(model, "chirp", 6.0, limits=wide) for model in (strong, _arms(50, apart=5.0)))
    data, least = mujoco.MjData(strong), np.inf
    for command in near.q_cmd:
        data.qpos[:] = command
        mujoco.mj_forward(strong, data)
        least = min(least, mujoco.mj_geomDistance(strong, data, 0, 1, 1.0, None))
    assert least > 0.0 and np.abs(near.q_cmd).max() < np.abs(free.q_cmd).max()
    weak = design(_arms(2, apart=5.0), "chirp", 6.0, limits=wide)
    assert np.abs(weak.q_cmd).max() < 0.8 * np.abs(free.q_cmd).max()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: design("barkour_vb", "sine"), "kind is 'sine'; valid: chirp, multisine, prbs"),
        (lambda: design("barkour_vb", duration=1.0), "at least 2 s"),
        (lambda: design("barkour_vb", band=(0.1, 30.0)), "a quarter of the rate"),
        (lambda: design("atlas"), "unknown robot 'atlas'"),
        (lambda: design(mujoco.MjModel.from_xml_string("<mujoco/>")), "no position servo"),
        (lambda: design("barkour_vb", duration=3.0, band=(0.1, 0.5)), "make the signal longer"),
        (lambda: design(_arms(9), duration=4.0, limits=ExcitationLimits(torque=1e-4)), "needs .* N m of 9.0"),
    ],
)
def test_what_cannot_be_designed_is_named(call: Callable[[], CommandFile], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_files_come_back(ending: str, tmp_path: Path) -> None:
    commands = design("barkour_vb", "prbs", 4.0, seed=3)
    path = tmp_path / f"commands.{ending}"
    commands.save(path)
    back = CommandFile.load(path)
    assert (back.robot, back.joints, back.kind, back.seed) == ("barkour_vb", commands.joints, "prbs", 3)
    np.testing.assert_allclose(back.q_cmd, commands.q_cmd, rtol=1e-8)
    np.testing.assert_allclose(back.t, commands.t, rtol=1e-8)
    assert "rad" in (path.read_text() if ending == "csv" else str(np.load(path)["units"]))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    commands = design("barkour_vb", "chirp", 4.0)
    with pytest.raises(InvalidInput, match="ends in .npz or .csv"):
        commands.save(tmp_path / "commands.txt")
    path = tmp_path / "commands.csv"
    commands.save(path)
    text = path.read_text()
    for damaged in (text.replace("units=s,rad", "units=s,deg"), text.replace("0.5", "x", 1), "", text[:30]):
        path.write_text(damaged)
        with pytest.raises(InvalidInput, match=r"commands.csv is not a command file"):
            CommandFile.load(path)
    with pytest.raises(InvalidInput, match="is not a command file"):
        CommandFile.load(tmp_path / "absent.npz")
