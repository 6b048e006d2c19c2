"""`barkyard envs`: the registered environments."""

from barkyard.cli.terminal import Json, print_json, print_text, table


def envs(*, as_json: Json = False) -> int:
    """List the environments.

    Args:
        as_json: print JSON.
    """
    from barkyard.envs.entries import ENVIRONMENTS

    if as_json:
        print_json([{"id": name, "summary": entry.summary} for name, entry in ENVIRONMENTS.items()])
    else:
        rows = [(name, entry.summary) for name, entry in ENVIRONMENTS.items()]
        print_text(table(("environment", "task"), rows))
    return 0
