"""`barkyard report`: one page about a run."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from barkyard.cli.terminal import print_note, print_text


def report(run: Annotated[Positional[Path], arg(metavar="RUN_DIR")], /, *, out: Path | None = None) -> int:
    """Write one self-contained HTML page about a run: results, training curve, videos, and how it was made.

    Args:
        run: the run's folder; it holds results/*.json, and where the run made them dataset, policy, videos and
            commands.txt.
        out: the page; by default report.html in the run's folder.
    """
    from barkyard.errors import InvalidInput
    from barkyard.evaluation import text_table
    from barkyard.evaluation.report import write_report
    from barkyard.evaluation.run_folder import gather_run

    if not run.is_dir():
        raise InvalidInput(f"{run} is not a folder; give the folder of a run, which holds results/*.json")
    page = out or run / "report.html"
    gathered = gather_run(run)
    write_report(gathered, page)
    print_text(text_table(gathered.results))
    print_note(f"the report is {page}")
    return 0
