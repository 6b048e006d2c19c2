"""Damaged, foreign and incomplete datasets."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from barkyard.datasets import Dataset, DatasetWriter, compact
from barkyard.errors import DatasetError, InvalidInput

from .synthetic import assert_same, make_episode

EPISODES = [make_episode(i, length=4 + i, images=True) for i in range(5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with DatasetWriter.create(tmp_path / "dataset", EPISODES[0]) as writer:
        for episode in EPISODES:
            writer.write(episode)
    return tmp_path / "dataset"


def data_file(path: Path, number: int) -> Path:
    return path / f"data/chunk-000/file-{number:03d}.parquet"


def truncate(path: Path) -> None:
    file = data_file(path, 2)
    file.write_bytes(file.read_bytes()[:-100])


def empty(path: Path) -> None:
    data_file(path, 2).write_bytes(b"")


def scribble(path: Path) -> None:
    """Flip one bit in the page that holds the actions; the footer stays whole."""
    file = data_file(path, 2)
    content = bytearray(file.read_bytes())
    group = pq.read_metadata(file).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    column = next(column for column in columns if column.path_in_schema.startswith("action"))
    content[column.data_page_offset + column.total_compressed_size - 3] ^= 4
    file.write_bytes(content)


def replace_by_foreign(path: Path) -> None:
    pq.write_table(pa.table({"action": [1.0]}), data_file(path, 2))


def replace_by_other_dataset(path: Path) -> None:
    other = path.parent / "other"
    DatasetWriter.create(other, make_episode(0)).close()
    with DatasetWriter.resume(other) as writer:
        writer.write(make_episode(0))
    shutil.copy(data_file(other, 0), data_file(path, 2))


def replace_by_copy(path: Path) -> None:
    shutil.copy(data_file(path, 1), data_file(path, 2))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "truncated"),
        (empty, "truncated"),
        (scribble, "damaged"),
        (replace_by_foreign, "not written by Barkyard"),
        (replace_by_other_dataset, "another dataset: observation part 'image_front'"),
        (replace_by_copy, "repeats episode 1"),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_stays_usable(path: Path, damage: Any, reason: str) -> None:
    damage(path)
    with pytest.raises(DatasetError, match=reason) as caught:
        Dataset.open(path)
    message = str(caught.value)
    assert "data/chunk-000/file-002.parquet" in message
    assert "file-001" not in message
    assert "skip_damaged=True" in message
    with pytest.warns(UserWarning, match="file-002"):
        rest = Dataset.open(path, skip_damaged=True)
    kept = EPISODES[:2] + EPISODES[3:]
    for stored, episode in zip(rest, kept, strict=True):
        assert_same(stored, episode)
    if damage is not scribble:  # the writer reads footers only
        with pytest.raises(DatasetError, match=reason):
            DatasetWriter.resume(path)


def test_compact_sets_damaged_files_aside(path: Path) -> None:
    truncate(path)
    with pytest.raises(DatasetError, match="file-002"):
        compact(path)
    compact(path, skip_damaged=True)
    assert (path / "damaged/chunk-000-file-002.parquet").exists()
    dataset = Dataset.open(path)
    assert dataset.seeds.tolist() == [0, 1, 3, 4]
    assert [record.episode_index for record in dataset.records] == [0, 1, 2, 3]
    assert pq.read_table(path / "data")["index"].to_pylist() == list(range(dataset.num_frames))


def test_damage_that_appears_later_is_named_too(path: Path) -> None:
    dataset = Dataset.open(path)
    file = data_file(path, 2)
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(DatasetError, match="file-002"):
        dataset.episode(2)
    assert_same(dataset.episode(3), EPISODES[3])
    with pytest.raises(InvalidInput, match=r"0\.\.4"):
        dataset.episode(5)
    with pytest.raises(InvalidInput, match="joint_pos"):
        dataset.take(["no_such_part"], np.arange(2))


def test_lost_files_are_noticed(path: Path) -> None:
    data_file(path, 1).unlink()
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 of 5 episodes, the first of them episode 1"):
            assert len(Dataset.open(path)) == 4
    compact(path)
    assert Dataset.open(path).seeds.tolist() == [0, 2, 3, 4]


def test_a_file_with_another_name_is_named(path: Path) -> None:
    (path / "data/chunk-000/mine.parquet").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"mine\.parquet is not named"):
        Dataset.open(path)


def test_metadata_that_lags_is_rebuilt(path: Path) -> None:
    meta, before = path / "meta", {}
    for file in meta.rglob("*.*"):
        before[file] = file.read_bytes()
    info = json.loads((meta / "info.json").read_text())
    stale = info | {"total_episodes": 0, "total_frames": 0, "barkyard": info["barkyard"] | {"contents": "older"}}
    (meta / "info.json").write_text(json.dumps(stale))
    shutil.rmtree(meta / "episodes")
    (meta / "stats.json").unlink()
    (meta / "tasks.parquet").unlink()
    assert Dataset.open(path).info["total_episodes"] == 5
    assert {file: file.read_bytes() for file in meta.rglob("*.*")} == before


def test_reading_while_another_records_leaves_the_metadata_to_it(path: Path) -> None:
    with DatasetWriter.resume(path) as writer:
        writer.write(make_episode(7, images=True))
        assert len(Dataset.open(path)) == 6
        assert json.loads((path / "meta/info.json").read_text())["total_episodes"] == 5
    assert json.loads((path / "meta/info.json").read_text())["total_episodes"] == 6


def change_info(path: Path, **changes: Any) -> None:
    info = json.loads((path / "meta/info.json").read_text())
    (path / "meta/info.json").write_text(json.dumps(info | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codebase_version": "v2.1"}, r"'v2\.1'"),
        ({"barkyard": None}, "did not record"),
        ({"barkyard": {"schema": 99}}, "schema 99"),
        ({"barkyard": {"schema": 1}}, "incomplete"),
        ({"data_path": "../../elsewhere/file-{file_index:03d}.parquet"}, r"\.\./\.\./elsewhere"),
    ],
)
def test_foreign_info_is_refused(path: Path, changes: dict[str, Any], message: str) -> None:
    change_info(path, **changes)
    with pytest.raises(DatasetError, match=message):
        Dataset.open(path)


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder"):
        Dataset.open(tmp_path / "absent")
    with pytest.raises(DatasetError, match=r"meta/info\.json"):
        Dataset.open(tmp_path)
    (tmp_path / "meta").mkdir()
    for content in ("{", "[]", "\udce9"):
        (tmp_path / "meta/info.json").write_text(content, errors="surrogateescape")
        with pytest.raises(DatasetError, match=r"info\.json"):
            Dataset.open(tmp_path)


def test_parts_that_lie_elsewhere_are_refused(path: Path) -> None:
    ours = json.loads((path / "meta/info.json").read_text())["barkyard"]
    ours["parts"]["joint_pos"]["start"] = 2
    change_info(path, barkyard=ours)
    with pytest.raises(DatasetError, match="do not lie"):
        Dataset.open(path)


def test_a_dataset_without_episodes_opens(tmp_path: Path) -> None:
    DatasetWriter.create(tmp_path, make_episode(0)).close()
    dataset = Dataset.open(tmp_path)
    assert (len(dataset), dataset.num_frames, dataset.actions.shape) == (0, 0, (0, 4))
