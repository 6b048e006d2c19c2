"""The page about a dataset: all of it is there, and it asks for nothing from elsewhere."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from barkyard.datasets import Dataset, DatasetWriter
from barkyard.datasets.page import EPISODES_PICTURED, STILLS, episodes_pictured, write_page
from barkyard.datasets.survey import Outlier
from barkyard.errors import DatasetError, RenderingError

from .synthetic import make_episode


class _Sources(HTMLParser):
    """Everything that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes that load something."""
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "poster", "data")]


def dataset(path: Path, episodes: int = 12, *, images: bool = False, env_id: str = "barkyard/Lift-v0") -> Dataset:
    with DatasetWriter.create(path, make_episode(0, images=images, env_id=env_id)) as writer:
        for seed in range(episodes):
            writer.write(make_episode(seed, 50 if seed == 4 else 5, images=images, env_id=env_id))
    return Dataset.open(path)


def page_of(opened: Dataset, folder: Path, **more: object) -> str:
    write_page(opened, folder / "page.html", **more)  # type: ignore[arg-type]
    return (folder / "page.html").read_text()


def test_the_page_tells_what_the_dataset_holds_and_loads_nothing(tmp_path: Path) -> None:
    opened = dataset(tmp_path / "dataset", images=True)
    page = page_of(opened, tmp_path)
    for words in ("12, of which 6 succeeded (50.0%)", "105 at 20 Hz: 5.2 s", opened.fingerprint, "joint_pos[6]"):
        assert words in page
    assert "Without success: 0, 2, 4, 6, 8, 10." in page
    (row,) = re.findall(r"<tr><td>4</td><td>4</td><td>time limit</td><td>(.*?)</td>", page)
    assert "length [steps] 50 (median 5" in row
    parser = _Sources()
    parser.feed(page)
    assert parser.sources and all(source.startswith("data:image/jpeg;base64,") for source in parser.sources)
    assert "url(" not in page and "<script" not in page and "@import" not in page


def test_stills_are_the_stored_images(tmp_path: Path) -> None:
    like = make_episode(1, 9, images=True)
    colours = np.linspace(0, 255, 10).astype(np.uint8)
    like.observations["image_front"] = np.broadcast_to(colours[:, None, None, None], (10, 12, 16, 3)).copy()
    with DatasetWriter.create(tmp_path / "dataset", like) as writer:
        writer.write(like)
    page = page_of(Dataset.open(tmp_path / "dataset"), tmp_path)
    stills = [Image.open(io.BytesIO(base64.b64decode(s))) for s in re.findall(r"base64,([^\"]+)", page)]
    assert len(stills) == STILLS
    assert [np.asarray(still).mean() for still in stills] == pytest.approx(colours[[0, 2, 4, 6, 8]], abs=2)


def test_without_images_pictures_are_asked_for_step_by_step(tmp_path: Path) -> None:
    asked: list[tuple[int, list[int]]] = []

    def pictures(episode: int, steps: Sequence[int]) -> Mapping[str, NDArray[np.uint8]]:
        asked.append((episode, list(steps)))
        return {"scene": np.zeros((len(steps), 4, 4, 3), np.uint8)}

    page = page_of(dataset(tmp_path / "dataset"), tmp_path, pictures=pictures)
    assert dict(asked)[4] == [0, 12, 24, 37, 49] and len(asked) == 12
    assert page.count("data:image/jpeg") == 12 * STILLS


def test_where_nothing_can_be_drawn_the_page_says_why(tmp_path: Path) -> None:
    def broken(episode: int, steps: Sequence[int]) -> Mapping[str, NDArray[np.uint8]]:
        raise RenderingError("no OpenGL <here>")

    opened = dataset(tmp_path / "dataset")
    assert "No pictures could be drawn from the stored states: no OpenGL &lt;here&gt;" in page_of(
        opened, tmp_path, pictures=broken
    )
    assert "no images, and no simulator states" in page_of(opened, tmp_path)


def test_words_of_the_dataset_stay_words(tmp_path: Path) -> None:
    page = page_of(dataset(tmp_path / "dataset", 2, env_id="<script>alert(1)</script>"), tmp_path)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_an_empty_dataset_is_refused(tmp_path: Path) -> None:
    with DatasetWriter.create(tmp_path / "dataset", make_episode(0)):
        pass
    with pytest.raises(DatasetError, match="no episodes yet"):
        write_page(Dataset.open(tmp_path / "dataset"), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_unusual_episodes_are_pictured_beside_ordinary_ones() -> None:
    unusual = [Outlier(episode, ()) for episode in range(100, 130)]
    chosen = episodes_pictured(200, unusual)
    assert len(chosen) == EPISODES_PICTURED == len(set(chosen)) and chosen == sorted(chosen)
    assert set(range(100, 112)) <= set(chosen) and 0 in chosen
    assert episodes_pictured(3, []) == [0, 1, 2]
    assert episodes_pictured(2, [Outlier(0, ()), Outlier(1, ())]) == [0, 1]
