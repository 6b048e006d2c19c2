"""The command line: `barkyard COMMAND ...`, one file a command.

Exit codes: 0 done, 1 the work failed, 2 the words were wrong, 130 interrupted.
"""

from barkyard.cli.main import main as main
