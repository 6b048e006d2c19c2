import io
import os
import resource
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.errors import BarkyardError, InvalidInput, RenderingError
from barkyard.evaluation import EvaluationInterrupted, evaluate, evaluation_seeds
from barkyard.evaluation.video import Mp4Writer, film_strip

from .fakes import FailingActor, FakeVectorEnv, StillActor, length, succeeds

SEEDS = evaluation_seeds(9)
HOLD = 10  # 1 s at 10 Hz


def video_names(seeds: list[int]) -> list[str]:
    return sorted(f"episode_{seed}_{'success' if succeeds(seed) else 'time_limit'}.mp4" for seed in seeds)


def frames_of(path: Path) -> NDArray[np.uint8]:
    """Needs `imageio_leaves_pipes_open`."""
    return np.stack(list(iio.imiter(path, plugin="FFMPEG")))


def write_video(path: Path, frames: int, size: tuple[int, int] = (32, 48)) -> Path:
    writer = Mp4Writer(path, 10.0)
    for i in range(frames):
        writer.append(np.full((*size, 3), 20 * i, dtype=np.uint8))
    writer.close()
    return path


imageio_leaves_pipes_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@imageio_leaves_pipes_open
@pytest.mark.parametrize("num_envs", [1, 4])
def test_the_first_episodes_are_filmed_frame_by_frame(tmp_path: Path, num_envs: int) -> None:
    env = FakeVectorEnv(num_envs)
    evaluate(env, StillActor(), SEEDS, videos=3, video_dir=tmp_path / "videos")
    assert sorted(os.listdir(tmp_path / "videos")) == video_names(SEEDS[:3])
    assert {succeeds(seed) for seed in SEEDS[:3]} == {True, False}, "the test is not valid"
    for seed in SEEDS[:3]:
        [path] = (tmp_path / "videos").glob(f"episode_{seed}_*.mp4")
        frames = frames_of(path)
        assert frames.shape == (length(seed) + 1 + HOLD, 32, 48, 3)
        brightness = frames.mean(axis=(1, 2, 3))
        np.testing.assert_allclose(brightness[: length(seed) + 1], 20 * np.arange(length(seed) + 1), atol=4)
        np.testing.assert_allclose(brightness[length(seed) :], 20 * length(seed), atol=4)


def test_only_what_is_filmed_is_rendered() -> None:
    env = FakeVectorEnv(4)
    evaluate(env, StillActor(), SEEDS)
    assert env.rendered == []


def test_one_render_a_frame_of_a_filmed_episode(tmp_path: Path) -> None:
    env = FakeVectorEnv(4)
    evaluate(env, StillActor(), SEEDS, videos=2, video_dir=tmp_path)
    rendered = [seed for seeds in env.rendered for seed in seeds]
    assert {seed: rendered.count(seed) for seed in rendered} == {seed: length(seed) + 1 for seed in SEEDS[:2]}


def test_videos_do_not_change_the_result(tmp_path: Path) -> None:
    filmed = evaluate(FakeVectorEnv(4), StillActor(), SEEDS, videos=2, video_dir=tmp_path)
    assert filmed.fingerprint == evaluate(FakeVectorEnv(4), StillActor(), SEEDS).fingerprint


def test_a_video_of_an_earlier_run_that_ended_otherwise_is_replaced(tmp_path: Path) -> None:
    (tmp_path / f"episode_{SEEDS[0]}_failure.mp4").write_bytes(b"old")
    (tmp_path / "mine.mp4").write_bytes(b"keep")
    evaluate(FakeVectorEnv(4), StillActor(), SEEDS, videos=1, video_dir=tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*video_names(SEEDS[:1]), "mine.mp4"])


@imageio_leaves_pipes_open
def test_frames_of_odd_size_are_padded(tmp_path: Path) -> None:
    evaluate(FakeVectorEnv(1, frame_size=(31, 45)), StillActor(), SEEDS[:1], videos=1, video_dir=tmp_path)
    assert frames_of(tmp_path / video_names(SEEDS[:1])[0]).shape[1:] == (32, 46, 3)


def test_a_stop_keeps_finished_videos_and_no_broken_ones(tmp_path: Path) -> None:
    with pytest.raises(EvaluationInterrupted) as stopped:
        evaluate(FakeVectorEnv(3), FailingActor(20, KeyboardInterrupt()), SEEDS, videos=9, video_dir=tmp_path)
    done = [record.seed for record in stopped.value.partial.episodes]
    assert 0 < len(done) < 9
    assert sorted(os.listdir(tmp_path)) == video_names(done)


@pytest.mark.parametrize(
    ("videos", "folder", "named"), [(-1, "x", "videos is -1"), (2, None, "video_dir is not given")]
)
def test_refuses(tmp_path: Path, videos: int, folder: str | None, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        evaluate(FakeVectorEnv(1), StillActor(), SEEDS, videos=videos, video_dir=folder and tmp_path / folder)
    assert os.listdir(tmp_path) == []


def test_a_missing_library_is_named_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    env = FakeVectorEnv(1)
    with pytest.raises(RenderingError, match=r"pip install imageio-ffmpeg"):
        evaluate(env, StillActor(), SEEDS, videos=1, video_dir=tmp_path)
    assert not env.seeds.any()
    assert evaluate(env, StillActor(), SEEDS).complete, "without videos nothing is missing"


def test_a_missing_program_is_named_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(RenderingError, match="'/nowhere/ffmpeg' cannot be run"):
        evaluate(FakeVectorEnv(1), StillActor(), SEEDS, videos=1, video_dir=tmp_path)


def test_a_video_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BarkyardError, match="cannot make the video folder"):
        evaluate(FakeVectorEnv(1), StillActor(), SEEDS, videos=1, video_dir=tmp_path / "file" / "videos")


class NoisyEnv(FakeVectorEnv):
    """Frames that do not compress."""

    def render_frames(self, camera: str | None, slots: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Noise."""
        return np.random.default_rng(self.steps).integers(0, 256, (len(slots), 128, 128, 3), dtype=np.uint8)


def test_a_full_disk_leaves_no_broken_video(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, hard))
    try:
        with pytest.raises(BarkyardError, match=r"Is the disk full.*encoder said"):
            evaluate(NoisyEnv(1), StillActor(), SEEDS, videos=1, video_dir=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_film_strip_spans_the_video(tmp_path: Path) -> None:
    stills = film_strip(write_video(tmp_path / "a.mp4", 11), 5)
    brightness = [iio.imread(io.BytesIO(still)).mean() for still in stills]
    np.testing.assert_allclose(
        brightness, [0, 40, 100, 160, 200], atol=6
    )  # frames 0, 2.5 (rounds to 2), 5, 7.5 (8), 10


def test_film_strip_of_fewer_frames_than_stills(tmp_path: Path) -> None:
    assert len(film_strip(write_video(tmp_path / "a.mp4", 3), 40)) == 3
    assert len(film_strip(write_video(tmp_path / "b.mp4", 1), 1)) == 1


@pytest.mark.parametrize("content", [b"", b"not a video", None])
def test_film_strip_names_a_file_that_is_no_video(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "broken.mp4").write_bytes(content)
    with pytest.raises(BarkyardError, match=r"broken\.mp4: not a video"):
        film_strip(tmp_path / "broken.mp4", 5)
