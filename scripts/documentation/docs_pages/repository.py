"""Files of the repository as pages of the site, and links between them."""

import posixpath
import re
from pathlib import Path

ADOPTED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.txt",
    "barkyard/assets/robots/barkour/README.md": "robots/barkour.md",
    "barkyard/assets/robots/humanoid/README.md": "robots/humanoid.md",
    "barkyard/assets/robots/leap_hand/README.md": "robots/leap_hand.md",
    "barkyard/assets/robots/panda/README.md": "robots/panda.md",
    "barkyard/experts/locomotion/weights/README.md": "robots/trained_experts.md",
}
"""Files outside `docs/`, and where they are in the site."""
_LINK = re.compile(r"(\]\()([^)#:\s]+)(#[^)\s]*)?(\))")


def adopted_pages(root: Path) -> dict[str, str | bytes]:
    """By place in the site: what lies in `docs/` and the adopted files, their links leading to pages of the site."""
    docs = {path.relative_to(root).as_posix(): path for path in (root / "docs").rglob("*") if path.is_file()}
    sources = {source: place_of(source) for source in [*docs, *ADOPTED]}
    made: dict[str, str | bytes] = {}
    for source, place in sources.items():
        content = (root / source).read_bytes()
        is_page = place.endswith(".md")
        made[place] = rewrite_links(content.decode(), source, set(sources)) if is_page else content
    return made


def place_of(source: str) -> str:
    """Where a file of the repository is in the site."""
    return ADOPTED.get(source, source.removeprefix("docs/"))


def rewrite_links(markdown: str, source: str, sources: set[str]) -> str:
    """`markdown` with its relative links leading to pages of the site.

    Args:
        markdown: the text of a page.
        source: the page's path in the repository, which its links start from.
        sources: files of the repository that are in the site; a link to another stays as it is, and a strict build
            refuses it.
    """

    def rewritten(match: re.Match[str]) -> str:
        opening, target, anchor, closing = match.groups(default="")
        leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if leads_to not in sources:
            return match[0]
        folder = posixpath.dirname(place_of(source)) or "."
        return f"{opening}{posixpath.relpath(place_of(leads_to), folder)}{anchor}{closing}"

    return _LINK.sub(rewritten, markdown)
