"""The errors Barkyard raises on purpose.

Every message names the value that was wrong, the values that would have been right, and what to do. The command
line turns `InvalidInput` into exit code 2 and every other `BarkyardError` into exit code 1.
"""


class BarkyardError(Exception):
    """Base of all errors raised on purpose."""


class InvalidInput(BarkyardError, ValueError):
    """A value given by the caller is not one of the valid ones."""


class DatasetError(BarkyardError):
    """A dataset on disk is damaged, foreign, or does not hold what was asked for."""


class CheckpointError(BarkyardError):
    """A checkpoint on disk is damaged, or does not fit the environment or dataset it is used with."""


class ResultError(BarkyardError):
    """A result file is damaged or does not follow the schema."""


class RenderingError(BarkyardError):
    """No working OpenGL backend; the message holds the line that installs one."""
