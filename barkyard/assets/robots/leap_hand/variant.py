"""Which links a hand has and how long they are, and the short name that says so."""

import re
from dataclasses import dataclass

from barkyard.assets.robots.leap_hand.numbers import EXTENSION_MM, FINGERS, LINKS
from barkyard.errors import InvalidInput

_LETTERS = {finger[0]: finger for finger in FINGERS}
_LINK = re.compile(r"([1-4])(\+|\((\d+)\))?")
_FINGER = re.compile(rf"([{''.join(_LETTERS)}])((?:{_LINK.pattern})+)")
LONGEST_MM = 100


@dataclass(frozen=True, order=True)
class HandLink:
    """A link that is there.

    Attributes:
        finger: number in `FINGERS`.
        number: 1 at the palm to 4 at the tip of the whole finger.
        longer_mm: by how much it is longer than the real one [mm].
    """

    finger: int
    number: int
    longer_mm: int = 0


@dataclass(frozen=True)
class HandVariant:
    """A hand with some of its links, some of them longer. What hung from a missing link hangs in its place.

    Its name lists the links of each finger: `i1234-m1234-r1234-t1234` is the whole hand, `i123+4-t1234` has two
    fingers, and the third link of the first is 15 mm longer. Other lengths are in brackets: `i3(22)4`.

    Attributes:
        links: in order.

    Raises:
        InvalidInput: no link, a link twice, one that cannot be made longer, or one too long.
    """

    links: tuple[HandLink, ...]

    def __post_init__(self) -> None:
        places = [(link.finger, link.number) for link in self.links]
        if not places or places != sorted(set(places)):
            raise InvalidInput(f"a hand has one or more links, each once, in the order of fingers; got {self.links}")
        for link in self.links:
            numbers = LINKS[FINGERS[link.finger]][link.number - 1]
            if link.longer_mm and not numbers.extensible:
                raise InvalidInput(
                    f"link {link.number} of the {FINGERS[link.finger]} only turns and cannot be longer; "
                    "fingers have the links 1, 3 and 4 to lengthen, the thumb 3 and 4"
                )
            if not 0 <= link.longer_mm <= LONGEST_MM:
                raise InvalidInput(f"a link is {link.longer_mm} mm longer; valid: 0 to {LONGEST_MM}")

    @classmethod
    def from_name(cls, name: str) -> "HandVariant":
        """Inverse of `name`. Raises InvalidInput if it is none."""
        words = [_FINGER.fullmatch(word) for word in name.split("-")]
        links = [
            HandLink(
                FINGERS.index(_LETTERS[word[1]]), int(number), int(length) if length else EXTENSION_MM * bool(mark)
            )
            for word in words
            if word
            for number, mark, length in _LINK.findall(word[2])
        ]
        if not all(words) or (hand := cls(tuple(links))).name != name:
            raise InvalidInput(
                f"{name!r} is no hand: write the links of each finger after its letter ({', '.join(_LETTERS)}), as in "
                f"{FULL.name}, i34-t1234 or i123+4-t1234; + is {EXTENSION_MM} mm longer, (22) is 22 mm"
            )
        return hand

    @classmethod
    def from_counts(cls, index: int, middle: int, ring: int, thumb: int) -> "HandVariant":
        """A hand whose fingers have so many links, the outermost ones."""
        counts = (index, middle, ring, thumb)
        return cls(tuple(HandLink(f, n) for f, count in enumerate(counts) for n in range(5 - count, 5)))

    @property
    def name(self) -> str:
        """What `from_name` reads."""
        words = []
        for finger, word in enumerate(FINGERS):
            links = [link for link in self.links if link.finger == finger]
            if links:
                words.append(word[0] + "".join(f"{link.number}{_mark(link.longer_mm)}" for link in links))
        return "-".join(words)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of its joints, in order."""
        return tuple(joint_name(link) for link in self.links)


def joint_name(link: HandLink) -> str:
    """Such as `index_mcp`; the link's body has the same name."""
    finger = FINGERS[link.finger]
    return f"{finger}_{LINKS[finger][link.number - 1].joint}"


def _mark(longer_mm: int) -> str:
    if not longer_mm:
        return ""
    return "+" if longer_mm == EXTENSION_MM else f"({longer_mm})"


FULL = HandVariant.from_counts(4, 4, 4, 4)
"""The unmodified hand."""
