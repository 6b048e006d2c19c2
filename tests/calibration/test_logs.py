"""Recordings: what is read, what is remarked on, and what is refused with file, column and row."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.calibration.logs import RobotLog
from barkyard.errors import InvalidInput
from tests.calibration.synthetic import chirp

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
JOINTS = np.array(["shoulder", "elbow"])


def arrays() -> dict[str, Any]:
    time, command = chirp(0, 6.0)
    late = np.concatenate([command[:1].repeat(3, axis=0), command[:-3]])
    return {"t_cmd": time, "t_meas": time + 0.004, "q_cmd": command, "q_meas": late, "joints": JOINTS}


def write(path: Path, **changed: Any) -> Path:
    np.savez(path, **{**arrays(), **changed})
    return path


def write_csv(path: Path, rows: list[str] | None = None) -> Path:
    found = arrays()
    header = "t_cmd,t_meas,shoulder.cmd,elbow.cmd,shoulder.meas,elbow.meas"
    table = np.column_stack([found["t_cmd"], found["t_meas"], found["q_cmd"], found["q_meas"]])
    lines = [",".join(repr(float(value)) for value in row) for row in table]
    path.write_text("\n".join([header, *(lines if rows is None else rows)]) + "\n")
    return path


def changed(name: str, row: int, column: int, value: float) -> dict[str, Any]:
    values = arrays()[name].copy()
    values[row, column] = value
    return {name: values}


def test_npz_and_csv_hold_the_same(tmp_path: Path) -> None:
    one, two = RobotLog.load(write(tmp_path / "a.npz")), RobotLog.load(write_csv(tmp_path / "b.csv"))
    for name in ("command_time", "command", "time", "position"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert one.joints == two.joints == ("shoulder", "elbow")
    assert one.time[0] - one.command_time[0] == pytest.approx(0.004)
    assert one.sha256 != two.sha256 and one.source == "real" and one.remarks() == ()


def test_one_clock_and_the_source(tmp_path: Path) -> None:
    found = arrays()
    np.savez(tmp_path / "a.npz", t=found["t_cmd"], q_cmd=found["q_cmd"], q_meas=found["q_meas"], joints=JOINTS,
             source="surrogate")  # fmt: skip
    log = RobotLog.load(tmp_path / "a.npz")
    assert np.array_equal(log.time, log.command_time) and log.source == "surrogate"


BAD = {
    "nan": (changed("q_meas", 41, 1, np.nan), "q_meas of elbow, row 42: nan; it must be finite"),
    "unsorted": ({"t_meas": np.append(arrays()["t_meas"][:-1], 0.5)}, "t_meas, row 300: 0.5 after 5.96"),
    "degrees": (
        {"q_cmd": np.rad2deg(arrays()["q_cmd"]), "q_meas": np.rad2deg(arrays()["q_meas"])},
        "no angle in radians; if the file is in degrees, divide by 57.2958",
    ),
    "half in degrees": (
        {"q_meas": np.rad2deg(0.3 * arrays()["q_meas"]), "q_cmd": 0.3 * arrays()["q_cmd"]},
        "partner spans; is it in degrees?",
    ),
    "swapped": (
        {"q_meas": arrays()["q_meas"][:, ::-1]},
        "q_meas of shoulder and elbow follow one another's commands",
    ),
    "shape": ({"q_meas": arrays()["q_meas"][:-2]}, "q_meas has the shape (298, 2); 300 stamps of 2 joints"),
    "another clock": ({"t_meas": arrays()["t_meas"] + 1e6}, "they must overlap and have one clock"),
    "units": ({"units": "deg"}, "units is 'deg'; positions must be in 'rad'"),
    "words": ({"q_cmd": arrays()["q_cmd"].astype(str)}, "q_cmd is of <U"),
    "one name twice": ({"joints": np.array(["elbow", "elbow"])}, "each name may be there once"),
    "source": ({"source": "video"}, "source is 'video'; valid: real, surrogate"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_recording_is_refused(case: str, tmp_path: Path) -> None:
    wrong, message = BAD[case]
    path = write(tmp_path / "run.npz", **wrong)
    with pytest.raises(InvalidInput) as caught:
        RobotLog.load(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


def test_degrees_name_column_and_row(tmp_path: Path) -> None:
    values = arrays()["q_cmd"].copy()
    values[122, 0] = 17.2
    path = write(tmp_path / "run.npz", q_cmd=values)
    with pytest.raises(InvalidInput, match="q_cmd of shoulder, row 123: 17.2"):
        RobotLog.load(path)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_a_truncated_file_is_refused(kept: float, tmp_path: Path) -> None:
    path = write(tmp_path / "run.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InvalidInput, match=f"{path}: the file is cut short, damaged"):
        RobotLog.load(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,0,1,1,1,1", "0.1,0.1,1,1"], "row 2 ends after column elbow.cmd: 4 cells"),
        (["0,0,1,1,1,1", "0.1,0.1,1,one,1,1"], "elbow.cmd, row 2: 'one' is not a number"),
        (["0,0,1,1,1,1", "0.1,0.1,1,1,inf,1"], "q_meas of shoulder, row 2: inf"),
        ([], "there is no sample"),
    ],
)
def test_a_bad_csv_is_refused(rows: list[str], message: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "run.csv", rows)
    with pytest.raises(InvalidInput) as caught:
        RobotLog.load(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


def test_missing_files_endings_and_arrays(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a file"):
        RobotLog.load(tmp_path / "none.npz")
    (tmp_path / "run.bag").write_text("")
    with pytest.raises(InvalidInput, match="a recording ends in .npz or .csv"):
        RobotLog.load(tmp_path / "run.bag")
    np.savez(tmp_path / "run.npz", q_cmd=np.zeros((3, 2)))
    with pytest.raises(InvalidInput, match="there is no q_meas, joints, t_cmd, t_meas"):
        RobotLog.load(tmp_path / "run.npz")


def test_what_looks_odd_is_reported_and_kept(tmp_path: Path) -> None:
    found = arrays()
    time, position = found["t_meas"].copy(), found["q_meas"].copy()
    time[100:] += 0.3
    time[50] = time[49]
    position[200, 1] += 0.5
    log = RobotLog.load(write(tmp_path / "run.npz", t_meas=time, q_meas=position))
    assert np.array_equal(log.time, time) and np.array_equal(log.position, position)
    remarks = " / ".join(log.remarks())
    assert "t_meas has 1 gaps, the longest 0.320 s after row 100" in remarks
    assert "t_meas has 1 repeated stamps, the first in row 51" in remarks
    assert "elbow has 1 outliers, the first in row 201" in remarks


def test_names_ranges_and_columns_left_out(tmp_path: Path) -> None:
    log = RobotLog.load(write(tmp_path / "run.npz"))
    assert log.named({"elbow": "knee"}, ("shoulder", "knee", "toe")).joints == ("shoulder", "knee")
    with pytest.raises(InvalidInput, match="shoulder is not a joint; columns: shoulder, elbow; joints of the model: a"):
        log.named({"elbow": "a"}, ("a",))
    with pytest.raises(InvalidInput, match="hip is not a column"):
        log.named({"hip": "a"}, ("shoulder", "elbow"))
    scaled = log.rescaled("elbow", -1.0, 3.0)
    assert np.allclose(scaled.position[:, 1], -1.0 + 4.0 * log.position[:, 1])
    assert np.array_equal(scaled.command[:, 0], log.command[:, 0])
    assert log.without(("elbow",)).joints == ("shoulder",)
    with pytest.raises(InvalidInput, match="cannot skip hip"):
        log.without(("hip",))


def test_a_stretch_keeps_stamps_and_the_command_in_force(tmp_path: Path) -> None:
    log = RobotLog.load(write(tmp_path / "run.npz"))
    part = log.between(1.0, 2.0)
    assert part.time[0] - log.time[0] == pytest.approx(1.0) and len(part.time) == 50
    assert part.command_time[0] <= part.time[0] < part.command_time[1]
    assert np.isin(part.position, log.position).all()
    with pytest.raises(InvalidInput, match="fewer than two samples"):
        log.between(99.0, 100.0)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real recordings are not beside this checkout")
@pytest.mark.parametrize("path", sorted(DATA.glob("*/*.npz")) or [DATA], ids=lambda path: path.stem)
def test_real_recordings_are_read(path: Path) -> None:
    log = RobotLog.load(path)
    assert len(log.joints) in (6, 12) and log.duration > 10.0 and log.source == "real"
