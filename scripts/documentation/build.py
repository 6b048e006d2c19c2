"""Builds the documentation's site: gathers its pages in a folder, and has the generator make HTML of them.

python scripts/documentation/build.py runs/docs
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from docs_pages.environments import environment_pages
from docs_pages.navigation import navigation
from docs_pages.policies import policies_page
from docs_pages.reference import reference_pages
from docs_pages.repository import adopted_pages

ROOT = Path(__file__).parents[2]


def gather(folder: Path) -> None:
    """Write all pages and pictures of the site, and the generator's configuration, into `folder`."""
    docs = ROOT / "docs"
    environments, reference = environment_pages(docs), reference_pages()
    made = adopted_pages(ROOT) | environments | reference | {"policies.md": policies_page(docs)}
    for place, content in made.items():
        path = folder / "pages" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    tree = navigation(sorted(made), [place for place in environments if place.endswith(".md")], list(reference))
    configuration = {"INHERIT": str(ROOT / "mkdocs.yml"), "docs_dir": str(folder / "pages"), "nav": tree}
    (folder / "mkdocs.yml").write_text(json.dumps(configuration))  # JSON is YAML


def main() -> int:
    """Gather and build; the exit code is the generator's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the site's folder; what is in it is replaced")
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        gather(Path(folder))
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
        environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
        return subprocess.run([*command, "-f", f"{folder}/mkdocs.yml"], env=environment, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
