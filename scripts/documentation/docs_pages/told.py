"""What the pages of `docs/` say about an environment or a policy: rows of results, and where it is spoken of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown.extensions.toc import slugify

_HEADING = re.compile(r"^(#{1,6}) (.+)$")


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, up to the next heading.

    Attributes:
        page: file name of the page.
        title: the page's title.
        heading: of the section; the title for what stands before the first.
        text: its lines.
    """

    page: str
    title: str
    heading: str
    text: str

    def link(self, folder: str) -> str:
        """A link to it, from a page in the site's `folder` ('' or 'environments/')."""
        up = "../" if folder else ""
        if self.heading == self.title:
            return f"[{self.title}]({up}{self.page})"
        return f"[{self.title}: {self.heading}]({up}{self.page}#{slugify(self.heading, '-')})"


@cache
def sections(docs: Path) -> tuple[Section, ...]:
    """All sections of all pages."""
    return tuple(section for page in sorted(docs.glob("*.md")) for section in _sections_of(page))


def mentions(docs: Path, pattern: str, folder: str = "") -> str:
    """A Markdown list of links to the sections in which `pattern` is found; empty where there are none."""
    found = [section for section in sections(docs) if re.search(pattern, section.text)]
    return "".join(f"- {section.link(folder)}\n" for section in found)


def result_rows(docs: Path, column: str, pattern: str) -> str:
    """As a Markdown table, the rows of `results.md` with `pattern` in `column`; empty where there are none."""
    for section in sections(docs):
        if section.page == "results.md":
            lines = section.text.splitlines()
            for i, line in enumerate(lines[:-1]):
                header = _cells(line)
                if column in header and re.fullmatch(r"[|\s:-]+", lines[i + 1]):
                    table = _rows_below(lines[i + 2 :])
                    rows = [row for row in table if re.search(pattern, _cells(row)[header.index(column)])]
                    if rows:
                        return "\n".join([line, lines[i + 1], *rows]) + "\n"
    return ""


def _sections_of(page: Path) -> Iterator[Section]:
    title, heading, lines, fenced = page.stem, "", list[str](), False
    for line in page.read_text().splitlines():
        fenced ^= line.startswith("```")
        found = None if fenced else _HEADING.match(line)
        if found:
            if heading:
                yield Section(page.name, title, heading, "\n".join(lines))
            heading, lines = found[2], []
            title = heading if len(found[1]) == 1 else title
        lines.append(line)
    yield Section(page.name, title, heading or title, "\n".join(lines))


def _rows_below(lines: list[str]) -> list[str]:
    end = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return lines[:end]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
