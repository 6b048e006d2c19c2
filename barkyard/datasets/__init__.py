"""The native dataset: a folder in LeRobot's v3.0 layout, written so that a kill costs nothing finished."""

from barkyard.datasets.compaction import compact
from barkyard.datasets.encoding import EpisodeRecord, episode_fingerprint
from barkyard.datasets.normalization import Normalizer
from barkyard.datasets.reader import Dataset
from barkyard.datasets.spec import DatasetSpec
from barkyard.datasets.windows import WindowBatch, Windows, split_episodes
from barkyard.datasets.writer import DatasetWriter

__all__ = [
    "Dataset",
    "DatasetSpec",
    "DatasetWriter",
    "EpisodeRecord",
    "Normalizer",
    "WindowBatch",
    "Windows",
    "compact",
    "episode_fingerprint",
    "split_episodes",
]
