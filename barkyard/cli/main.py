"""The door to all commands: parses words, and turns errors into messages and exit codes."""

import os
from collections.abc import Callable, Sequence
from typing import Final

import tyro

from barkyard.cli.bisect import bisect
from barkyard.cli.calibrate import calibrate
from barkyard.cli.collect import collect
from barkyard.cli.compare import compare
from barkyard.cli.convert import convert
from barkyard.cli.correlate import correlate
from barkyard.cli.doctor import doctor
from barkyard.cli.envs import envs
from barkyard.cli.evaluate import evaluate
from barkyard.cli.export import export
from barkyard.cli.inspect import inspect
from barkyard.cli.predict import predict
from barkyard.cli.replay import replay
from barkyard.cli.report import report
from barkyard.cli.score import score
from barkyard.cli.search import search
from barkyard.cli.serve import serve
from barkyard.cli.surrogate import surrogate
from barkyard.cli.teleop import teleop
from barkyard.cli.terminal import print_note
from barkyard.cli.train import train
from barkyard.errors import BarkyardError, InvalidInput

COMMANDS: Final[dict[str, Callable[..., int]]] = {
    "doctor": doctor,
    "envs": envs,
    "collect": collect,
    "teleop": teleop,
    "train": train,
    "evaluate": evaluate,
    "replay": replay,
    "inspect": inspect,
    "convert": convert,
    "report": report,
    "score": score,
    "calibrate": calibrate,
    "surrogate": surrogate,
    "compare": compare,
    "correlate": correlate,
    "predict": predict,
    "search": search,
    "bisect": bisect,
    "serve": serve,
    "export": export,
}

FAILED: Final = 1
WRONG_WORDS: Final = 2
INTERRUPTED: Final = 130


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        words: what follows `barkyard`; by default what was typed.
    """
    # OpenMP threads that spin while they wait slow the simulation's threads, and on a shared machine training, tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code: int = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="barkyard",
            description="Robot learning in simulation: demonstrations, policies, measured evaluation.",
            args=words,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
        return code
    except InvalidInput as error:
        print_note(f"barkyard: {error}")
        return WRONG_WORDS
    except (BarkyardError, OSError) as error:
        print_note(f"barkyard: {error}")
        return FAILED
    except KeyboardInterrupt as interrupt:
        print_note(f"barkyard: interrupted. {interrupt}".rstrip())
        return INTERRUPTED
