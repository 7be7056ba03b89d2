"""The distributions that the rows come from: two neurons each, as in the authors' released code."""

import numpy as np

from energax.data import TwoNeurons

_FIRST = """
    -.1581 -.1232 -.1913 .4161 .4344 .1045 .3137 .2839 .1072 .1849 -.2719 -.1624 -.0897 -.2070 .4179
"""

DIRECTIONS: dict[str, tuple[str, str]] = {
    "bimodal": ("-.4907 .7621 .4224", ".4253 -.3558 -.8321"),
    "monomodal": ("-.1685 .9065 -.3871", "-.3475 .3090 .8853"),
    "old": (
        _FIRST,
        """
    .5860 .1702 -.1274 .0954 .1495 .1055 .2156 .1797 -.1128 .0606 -.1669 .0621 -.4499 .4556 .1786
        """,
    ),
    "new": (
        _FIRST,
        """
    .1901 .0444 .1050 -.4427 -.4244 -.0265 -.2217 -.2021 .0412 -.2631 .3599 .1848 .0721 .2579 -.4216
        """,
    ),
}
"""Word to two directions, not yet of unit length: angles 2.55, 1.575, 1.37 and 2.87 radians.

Source: Domingo-Enrich et al. (2021), released code. "bimodal" and "monomodal" are in R^3; those in
R^15 share their first direction.
"""


def directions(word: str) -> np.ndarray:
    """The two directions of a teacher, as rows."""
    return np.array([line.split() for line in DIRECTIONS[word]], float)


def target(word: str) -> TwoNeurons:
    """E(x) = -5 sum of two ramps."""
    return TwoNeurons(directions(word))
