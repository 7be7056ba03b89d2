"""The numbers of others that ours stand beside: facts, with their source."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Published:
    """KL in nats by iteration; means over the last 500, SM being twice the Fisher divergence.

    `word`: where they come from. `variation`: mean weight at the end. `below`: the first iteration
    with KL below 0.03. `early`: mean weight at iteration 200. None or absent: not published.
    """

    word: str
    kl: dict[int, float]
    last_kl: float | None = None
    last_sm: float | None = None
    variation: float | None = None
    below: int | None = None
    early: float | None = None


DATA = "published"
"""Data of the figures of Domingo-Enrich et al. (2021): one run in 3-D, the mean of 5 in 15-D."""
RERUN = "rerun"
"""One run of an independent implementation of the released algorithm, where no data are at hand."""

_HIGH = (50, 100, 200, 500, 1000, 2000, 4000)


def _three(kl: tuple[float, ...], last_kl: float, last_sm: float, variation: float) -> Published:
    return Published(DATA, dict(zip(_HIGH[1:], kl, strict=True)), last_kl, last_sm, variation)


def _fifteen(
    kl: tuple[float, ...], below: int, last: tuple[float, float, float], early: float
) -> Published:
    return Published(DATA, dict(zip(_HIGH, kl, strict=True)), *last, below, early)


RESULTS: dict[tuple[str, str], Published] = {
    ("dual-3d", "n1000-p0"): _three(
        (0.502, 0.390, 0.110, 0.00774, 0.00462, 0.00440), 0.0060, 0.118, 9.93
    ),
    ("dual-3d", "n1000-p1"): _three(
        (0.546, 0.483, 0.302, 0.0641, 0.0110, 0.0107), 0.0110, 0.243, 10.29
    ),
    ("dual-3d", "n1000-p1in60"): _three(
        (0.508, 0.410, 0.141, 0.0104, 0.00743, 0.00391), 0.0040, 0.122, 9.88
    ),
    ("dual-3d", "n10000-p0"): _three(
        (0.498, 0.388, 0.112, 0.00657, 0.00057, 0.00062), 0.00060, 0.0245, 9.74
    ),
    ("dual-3d", "n10000-p1"): _three(
        (0.546, 0.475, 0.282, 0.0528, 0.00119, 0.00079), 0.00081, 0.0359, 9.81
    ),
    ("dual-3d", "n10000-p1in60"): _three(
        (0.504, 0.406, 0.140, 0.00934, 0.00052, 0.00044), 0.00040, 0.0216, 9.74
    ),
    ("dual-15d", "old-p0"): _fifteen(
        (0.296, 0.0526, 0.0541, 0.0421, 0.0221, 0.0209, 0.0209), 679, (0.0209, 1.145, 9.74), 6.35
    ),
    ("dual-15d", "old-p1"): _fifteen(
        (0.122, 0.0518, 0.0366, 0.0172, 0.0176, 0.0205, 0.0216), 237, (0.0215, 1.283, 10.0), 7.26
    ),
    ("dual-15d", "old-p1in40"): _fifteen(
        (0.274, 0.0527, 0.0522, 0.0371, 0.0193, 0.0190, 0.0194), 590, (0.0192, 1.120, 9.87), 6.35
    ),
    ("dual-15d", "new-p0"): Published(RERUN, {200: 0.102, 500: 0.0041, 1000: 0.0036}, None, 0.30),
    ("dual-scales", "step-0.004"): Published(RERUN, {4000: 0.21}),
    ("dual-scales", "step-0.04"): Published(RERUN, {1000: 0.016, 4000: 0.009}),
    ("dual-scales", "step-0.4"): Published(RERUN, {100: 0.015}),
    ("dual-lazy", "old-features"): Published(RERUN, {1000: 0.026}),
    ("dual-lazy", "old-lazy"): Published(RERUN, {1000: 0.658}),
}
"""By experiment and setting."""

INITIAL: dict[str, tuple[float, float]] = {
    "bimodal": (0.63, 7.3),
    "monomodal": (1.31, 10.1),
    "old": (1.14, 38.2),
    "new": (0.38, 20.3),
}
"""KL and SM error at iteration 0 by teacher: 64 neurons of sign -1 and weight 1.

Source: the data of the figures of Domingo-Enrich et al. (2021).
"""
