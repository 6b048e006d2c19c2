"""Logs of runs: what is read, and what is refused with file, column and row."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barkyard.agility import Course, Trajectory, score_trajectory
from barkyard.agility.log import COLUMNS
from barkyard.errors import InvalidInput
from tests.agility.runs import run_over

FULL = replace(
    run_over(Course.standard()), base_quat=np.tile([1.0, 0.0, 0.0, 0.0], (len(run_over(Course.standard()).time), 1))
)
HEADER = "time,base_x,base_y,base_z"


def same(first: Trajectory, second: Trajectory) -> bool:
    one, two = first.arrays(), second.arrays()
    return one.keys() == two.keys() and all(
        np.array_equal(one[name], two[name]) and one[name].dtype == two[name].dtype for name in one
    )


@pytest.mark.parametrize("ending", [".csv", ".npz"])
@pytest.mark.parametrize(
    "run",
    [
        FULL,
        replace(FULL, base_quat=None, pole_contact=None),
        Trajectory(FULL.time, FULL.base_pos[:, :2]),
        Trajectory(FULL.time[:1], FULL.base_pos[:1]),
    ],
    ids=["full", "some", "bare", "one sample"],
)
def test_round_trip_is_exact(run: Trajectory, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"run{ending}"
    run.save(path)
    assert same(Trajectory.load(path), run)
    assert score_trajectory(Trajectory.load(path)) == score_trajectory(run)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_columns_in_any_order_among_others(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text(
        "# a robot\nknee,board_contact, base_z,time,base_y,base_x\n9,true,0.3,1.0,-0.5,0.5\n\nx,0,0.4,1.5,-0.6,0.7\n"
    )
    run = Trajectory.load(path)
    assert run.time.tolist() == [1.0, 1.5]
    assert run.base_pos.tolist() == [[0.5, -0.5, 0.3], [0.7, -0.6, 0.4]]
    assert run.board_contact is not None and run.board_contact.tolist() == [True, False]
    assert run.foot_contact is None and run.pole_contact is None and run.base_quat is None


def test_the_published_logs_format(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text(
        "# Time (seconds), X (meters), Y (meters)\n0e+00,4.9e-01,-4.2e-01\n0e+00,4.9e-01,-4.2e-01\n1e-2,5e-1,-4e-1\n"
    )
    run = Trajectory.load(path)
    assert run.base_pos.tolist() == [[0.49, -0.42], [0.49, -0.42], [0.5, -0.4]] and not run.has_height


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("# nothing\n\n", "the file is empty"),
        (HEADER + "\n", "a header and no sample"),
        ("time,base_x,base_z\n0,0,0\n", "no column base_y; the columns that are read: time, base_x"),
        ("base_x,base_y\n0,0\n", "no column time"),
        ("a,b,c\n0,0,0\n", "no column time"),
        (HEADER + ",base_qw\n0,0,0,0,1\n", "no column base_qx, base_qy, base_qz"),
        (HEADER + ",foot_contact_fl,foot_contact_fr,foot_contact_hl\n0,0,0,0,1,1,1\n", "no column foot_contact_hr"),
        (HEADER + ",time\n0,0,0,0,0\n", "column time is there 2 times"),
        (HEADER + "\n0,0,0,0\n1,0,nan,0\n", "base_y, row 2: nan"),
        (HEADER + "\n0,0,0,inf\n", "base_z, row 1: inf"),
        (HEADER + "\n0,0,0,0\n1,0,0,0\n0.5,0,0,0\n", "time, row 3: 0.5 after 1.0"),
        (HEADER + "\n0,0,0,0\n1,0,0\n", "row 2 has 3 cells, and the header 4 columns"),
        (HEADER + "\n0,0,0,0\n1,0,south,0\n", "base_y, row 2: 'south' is not a number"),
        (HEADER + "\n0,0,,0\n", "base_y, row 1: '' is not a number"),
        (HEADER + ",pole_contact\n0,0,0,0,0\n1,0,0,0,maybe\n", "pole_contact, row 2: 'maybe'; it must be one of 0, 1"),
        (HEADER + ",pole_contact\n0,0,0,0,0.5\n", "pole_contact, row 1: '0.5'"),
    ],
)
def test_a_bad_csv_is_refused_with_file_column_and_row(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=message) as refusal:
        Trajectory.load(path)
    assert str(path) in str(refusal.value)


GOOD = {"time": np.arange(3.0), "base_pos": np.zeros((3, 3))}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"time": GOOD["time"]}, "no array base_pos; needed: time, base_pos"),
        (GOOD | {"base_pos": np.zeros((2, 3))}, r"base_pos has the shape \(2, 3\); it must be \(3, 3\) or \(3, 2\)"),
        (GOOD | {"base_quat": np.zeros((3, 3))}, r"base_quat has the shape \(3, 3\); it must be \(3, 4\)"),
        (GOOD | {"foot_contact": np.zeros(3, dtype=bool)}, r"foot_contact has the shape \(3,\); it must be \(3, 4\)"),
        (GOOD | {"board_contact": np.zeros((3, 1))}, r"board_contact has the shape \(3, 1\); it must be \(3,\)"),
        (GOOD | {"time": np.array(0.0)}, "time has the shape"),
        ({"time": np.zeros(0), "base_pos": np.zeros((0, 3))}, "time is empty"),
        (GOOD | {"time": np.array([0.0, np.nan, 1.0])}, "time, row 2: nan"),
        (GOOD | {"time": np.array([0.0, 2.0, 1.0])}, "time, row 3: 1.0 after 2.0"),
        (GOOD | {"base_pos": np.array([[0, 0, 0], [0, 0, 0], [0, np.inf, 0]])}, "base_y, row 3: inf"),
        (GOOD | {"time": np.array(["a", "b", "c"])}, "time is of <U1; it must hold numbers"),
        (GOOD | {"board_contact": np.array([0, 1, 2])}, "board_contact, row 3: 2; it must be 0 or 1"),
        (GOOD | {"board_contact": np.array(["a", "b", "c"])}, "board_contact is of <U1"),
        (GOOD | {"time": np.array([None, None, None])}, "damaged, or not an NPZ file of plain arrays"),
    ],
)
def test_a_bad_npz_is_refused_with_file_array_and_row(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.npz"
    np.savez(path, **arrays)
    with pytest.raises(InvalidInput, match=message) as refusal:
        Trajectory.load(path)
    assert str(path) in str(refusal.value)


def test_an_npz_of_other_kinds_of_numbers_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    np.savez(path, time=np.arange(3), base_pos=np.zeros((3, 3), dtype=np.float32), board_contact=np.array([0, 1, 0]))
    run = Trajectory.load(path)
    assert run.base_pos.dtype == np.float64 and run.board_contact is not None
    assert run.board_contact.tolist() == [False, True, False]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_npz_is_refused(fraction: float, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    FULL.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(InvalidInput, match=f"{path}: the file is cut short, damaged"):
        Trajectory.load(path)


def test_damage_inside_an_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    FULL.save(path)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{path}: the file is cut short, damaged"):
        Trajectory.load(path)


def test_files_that_are_no_logs_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npz.npy", np.zeros(3))
    (tmp_path / "array.npz.npy").rename(tmp_path / "array.npz")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (
        ("array.npz", "not an NPZ file of plain arrays"),
        ("binary.csv", "not text"),
        ("absent.csv", "is not a file"),
        ("run.bag", "ends in .csv or .npz"),
    ):
        with pytest.raises(InvalidInput, match=message) as refusal:
            Trajectory.load(tmp_path / name)
        assert str(tmp_path / name) in str(refusal.value)
    with pytest.raises(InvalidInput, match="ends in .csv or .npz"):
        FULL.save(tmp_path / "run.txt")


def test_arrays_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(InvalidInput, match="pole_contact is of float64; it must be of bool"):
        replace(FULL, pole_contact=np.zeros(len(FULL.time)))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="base_pos is of float32; it must be of float64"):
        replace(FULL, base_pos=FULL.base_pos.astype(np.float32))


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.npz"
    FULL.save(path)
    before = path.read_bytes()

    def full_disk(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        replace(FULL, base_quat=None).save(path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_every_array_has_its_columns() -> None:
    assert list(FULL.arrays()) == list(COLUMNS)
    names = [column for columns in COLUMNS.values() for column in columns]
    assert len(names) == len(set(names)) == 14
