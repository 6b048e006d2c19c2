"""Episodes on film: mp4 files, and stills from them."""

import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import ENDS
from barkyard.errors import BarkyardError, RenderingError
from barkyard.evaluation.result import EpisodeRecord

HOLD_SECONDS = 1.0
"""The last frame stays this long, so that one sees how it ended."""

_ENCODER = [
    "-c:v",
    "libx264",
    "-crf",
    "23",
    "-preset",
    "veryfast",
    "-threads",
    "1",
    "-pix_fmt",
    "yuv420p",
    "-movflags",
    "+faststart",
    "-f",
    "mp4",
]
_STILLS = ["-fps_mode", "passthrough", "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p", "-f", "image2pipe", "-"]
_JPEG_END = b"\xff\xd9"
_FFMPEG_REMEDY = "Install one with: pip install imageio-ffmpeg, or do without videos."

RenderFrames = Callable[[str | None, NDArray[np.intp]], NDArray[np.uint8]]


class VideoRecorder:
    """Films the first episodes of an evaluation; `watch` is the hook for `barkyard.rollout.rollout`.

    Frames go to the encoder one by one, so memory does not grow with the length of an episode. A file gets its name
    when its episode is finished; before that it is hidden.
    """

    def __init__(
        self, render_frames: RenderFrames, folder: Path, episodes: int, fps: float, camera: str | None = None
    ) -> None:
        """Prepare to film.

        Args:
            render_frames: `(camera, slots (k,)) -> (k, H, W, 3)` uint8.
            folder: where files go; made if absent.
            episodes: how many to film.
            fps: frames per second [Hz].
            camera: which camera films, or None for the default.

        Raises:
            RenderingError: there is no ffmpeg.
            BarkyardError: the folder cannot be made.
        """
        ffmpeg_program()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BarkyardError(f"cannot make the video folder {folder}: {error.strerror}") from error
        self._render_frames, self._folder, self._episodes = render_frames, folder, episodes
        self._fps, self._camera = fps, camera
        self._writers: dict[int, Mp4Writer] = {}

    def watch(self, env: Any, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> None:
        """Add a frame to every film whose episode is among `numbers` `(k,)`, running in `slots` `(k,)`."""
        filmed = numbers < self._episodes
        if not filmed.any():
            return
        frames = self._render_frames(self._camera, slots[filmed])
        for number, frame in zip(numbers[filmed].tolist(), frames, strict=True):
            if number not in self._writers:
                self._writers[number] = Mp4Writer(self._folder / f".episode_{number}.partial", self._fps)
            self._writers[number].append(frame)

    def finish(self, number: int, record: EpisodeRecord) -> None:
        """Close the film of episode `number`, if there is one, and name it after how the episode went."""
        writer = self._writers.get(number)
        if writer is None:
            return
        writer.close()
        writer.path.replace(episode_file(self._folder, record, ".mp4"))
        del self._writers[number]

    def discard_unfinished(self) -> None:
        """Stop the encoders that are still at work and remove their files."""
        while self._writers:
            self._writers.popitem()[1].discard()


def episode_file(folder: Path, record: EpisodeRecord, ending: str) -> Path:
    """Where a file about an episode goes: `episode_<seed>_<success, or why it ended><ending>`.

    Files of this ending and seed from an earlier run into the same folder, which may have ended otherwise, are removed.
    """
    for end in ENDS:
        (folder / f"episode_{record.seed}_{end}{ending}").unlink(missing_ok=True)
    return folder / f"episode_{record.seed}_{'success' if record.success else record.end}{ending}"


class Mp4Writer:
    """One H.264 file, written frame by frame."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self._fps = fps
        self._last = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the encoder has ended

    def append(self, frame: NDArray[np.uint8]) -> None:
        """Add one frame `(H, W, 3)`; all have the size of the first. Odd sizes are padded by a repeated edge.

        Raises:
            RenderingError: the encoder cannot be started.
            BarkyardError: the encoder has failed, as when the disk is full; the file is removed.
        """
        height, width, _ = frame.shape
        if height % 2 or width % 2:  # the pixel format every player knows (yuv420p) has no odd sizes
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._process is None:
            with _interrupts_wait():
                self._process = self._start(frame.shape[1], frame.shape[0])
        self._last = frame.tobytes()
        self._write(1)

    def close(self) -> None:
        """Hold the last frame and end the file.

        Raises:
            BarkyardError: the encoder has failed, as when the disk is full; the file is removed.
        """
        self._write(round(HOLD_SECONDS * self._fps))
        if self._end():
            self._fail()
        self._messages.close()

    def discard(self) -> None:
        """Stop and remove the file."""
        if self._process is not None:
            self._process.kill()
            self._end()
        self._messages.close()
        self.path.unlink(missing_ok=True)

    def _start(self, width: int, height: int) -> "subprocess.Popen[bytes]":
        frames = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self._fps:.6f}", "-i", "-"]
        command = [ffmpeg_program(), "-y", "-v", "error", *frames, *_ENCODER, f"file:{self.path}"]
        try:  # in its own session, so that Ctrl-C reaches us and not the encoder
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages, start_new_session=True
            )
        except OSError as error:
            raise RenderingError(f"ffmpeg did not start: {error}. {_FFMPEG_REMEDY}") from error

    def _write(self, times: int) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            for _ in range(times):
                self._process.stdin.write(self._last)
        except OSError:
            self._end()
            self._fail()

    def _end(self) -> int:
        assert self._process is not None and self._process.stdin is not None
        with suppress(OSError):  # the encoder may be gone; its exit status says so
            self._process.stdin.close()
        return self._process.wait()

    def _fail(self) -> NoReturn:
        self._messages.seek(0)
        said = self._messages.read().decode(errors="replace").strip() or "nothing"
        self.discard()
        raise BarkyardError(
            f"{self.path.parent}: a video could not be written. Is the disk full? Free some space, or do without "
            f"videos. The encoder said: {said}"
        )


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: an encoder that nobody knows of would go on and leave a file."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if came:
        raise KeyboardInterrupt


def film_strip(path: Path, stills: int) -> list[bytes]:
    """JPEG stills spread evenly over an episode's video, its first and last frame among them.

    The second for which the last frame is held is left out. There are fewer stills if there are fewer frames.

    Raises:
        RenderingError: there is no ffmpeg.
        BarkyardError: the file is not a video that can be read.
    """
    program = ffmpeg_program()
    last = _last_frame(path)
    wanted = sorted({round(i * last / max(stills - 1, 1)) for i in range(stills)})
    select = "select='" + "+".join(f"eq(n,{i})" for i in wanted) + "'"
    command = [program, "-v", "error", "-i", f"file:{path}", "-vf", select, *_STILLS]
    found = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    images = [image + _JPEG_END for image in found.stdout.split(_JPEG_END)[:-1]]  # the mark stands nowhere else
    if found.returncode or len(images) != len(wanted):
        raise _not_a_video(path)
    return images


def ffmpeg_program() -> str:
    """The ffmpeg that imageio-ffmpeg brings or finds.

    Raises:
        RenderingError: there is none.
    """
    try:
        import imageio_ffmpeg

        program = str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise RenderingError(f"video needs ffmpeg, and there is none: {error}. {_FFMPEG_REMEDY}") from error
    if shutil.which(program) is None:
        raise RenderingError(f"video needs ffmpeg, and {program!r} cannot be run. {_FFMPEG_REMEDY}")
    return program


def _last_frame(path: Path) -> int:
    import imageio_ffmpeg

    try:
        frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    except (OSError, RuntimeError) as error:
        raise _not_a_video(path) from error
    held = round(HOLD_SECONDS * frames / seconds) if seconds else 0
    return max(int(frames) - held - 1, 0)


def _not_a_video(path: Path) -> BarkyardError:
    return BarkyardError(f"{path}: not a video that ffmpeg can read; remove it or film it again")
