"""A product of experts: many quick energies, in two systems of units, over parts of the rows."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from energax.sklearn.base import (
    AbstractEnergyEstimator,
    Each,
    Facts,
    Rows,
    check_new_rows,
    check_training_rows,
    draw_seed,
)
from energax.sklearn.experts import (
    Arrays,
    LinearConditionals,
    Neighbourhoods,
    NormalScores,
    StandardUnits,
    fit_mixture,
    load_mixture,
    save_mixture,
)
from energax.train.arrays import read_arrays, write_named

ARRAYS = "ensemble.safetensors"

UNITS = (StandardUnits, NormalScores)

EXPERTS = 5 * len(UNITS)
"""Energies of a member."""

HELD, LEAST = 0.2, 4
"""Share of the rows that the scale of an expert is found by; fewer rows than `LEAST` are not
split."""

MOST = 5000
"""Rows that a member learns from: what neighbours cost grows with their square."""

HIGH = 0.9
"""The unit of an expert's energy is the gap between its median and this quantile."""


class Member:
    """The experts of one part of the rows; energies are in units of the other part."""

    def __init__(self, rows: Rows, mixtures: list[Any]):
        self.rows, self.mixtures = rows, mixtures
        self.units = [units(rows) for units in UNITS]
        self.linear = [LinearConditionals(units(rows)) for units in self.units]
        self.near = [Neighbourhoods(units(rows)) for units in self.units]
        self.middles, self.scales = np.zeros(EXPERTS), np.ones(EXPERTS)

    def calibrate(self, rows: Rows) -> None:
        """Take the median of each expert as 0 and its 90% quantile as 1."""
        energies = self.experts(rows)
        self.middles = np.median(energies, axis=0)
        gap = np.quantile(energies, HIGH, axis=0) - self.middles
        self.scales = np.where(gap > 0, gap, 1.0)

    def experts(self, rows: Rows) -> Float[np.ndarray, " size experts"]:
        """The energy of each row by each expert, in its own units."""
        found = []
        parts = zip(self.units, self.mixtures, self.linear, self.near, strict=True)
        for units, mixture, linear, near in parts:
            x = units(rows)
            found += [-mixture.score_samples(x), linear.energies(x), *near.energies(x).T]
        return np.stack(found, axis=1)

    def energies(self, rows: Rows) -> Each:
        """The mean over the experts."""
        return ((self.experts(rows) - self.middles) / self.scales).mean(axis=1)


class EnergyEnsemble(AbstractEnergyEstimator):
    """A product of experts, whose energy is the mean of many that are quickly fitted.

    E(x) = mean_k (E_k(x) - m_k) / s_k, over five experts: a Gaussian mixture, linear regressions of
    each column on the others, the distance to the fifth neighbour, the local outlier factor, and
    Gaussians at the nearest rows with local covariances. Each is fitted in standardised units and
    in normal scores, by every member of the ensemble to a part of the rows; on the other rows m_k
    is its median and m_k + s_k its 90% quantile. An unusual row is one that several experts agree
    on.

    It serves to rank rows and has no log Z; `EnergyDensity` is for densities.

    Args:
        members: how many parts of the rows, at least 1.
        components: Gaussians of a mixture, at least 1; fewer where rows are few.
        random_state: seed of the parts and of the mixtures.

    Attributes: `members_`; `n_features_in_`; `feature_names_in_` of a frame.

    Raises:
        ValueError: at `fit`, for an argument out of range.

    Trap: a member keeps at most 5,000 rows, so rare kinds of usual rows may be missed in large
    tables.
    Source: Hinton (2002) for products of experts.

    Example:
        >>> usual = np.random.default_rng(0).normal(size=(100, 2))
        >>> ensemble = ex.sklearn.EnergyEnsemble(random_state=0).fit(usual)
        >>> bool(np.diff(ensemble.score_samples(np.array([[0.0, 0.0], [9.0, 9.0]])))[0] < 0)
        True
    """

    def __init__(self, *, members: Any = 3, components: Any = 10, random_state: Any = None):
        self.members = members
        self.components = components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "EnergyEnsemble":
        """Fit every member to its part of the rows. `y` is not looked at."""
        for name in ("members", "components"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)!r}.")
        rows = check_training_rows(self, X, least=2)
        rng = np.random.default_rng(draw_seed(self.random_state))
        self.members_ = [self._fit_member(rows, rng) for _ in range(self.members)]
        return self

    def _fit_member(self, rows: Rows, rng: np.random.Generator) -> Member:
        order = rng.permutation(len(rows))
        count = max(2, round(HELD * len(rows))) if len(rows) >= LEAST else 0
        known = rows[order[count:]][:MOST]
        seed = int(rng.integers(2**31))
        mixtures = [fit_mixture(units(known)(known), self.components, seed) for units in UNITS]
        member = Member(known, mixtures)
        member.calibrate(rows[order[:count]][:MOST] if count else rows)
        return member

    def score_samples(self, X: Any) -> Each:
        """Minus the energy of each row: low is unusual."""
        rows = check_new_rows(self, X)
        return -np.mean([member.energies(rows) for member in self.members_], axis=0)

    def write(self, folder: Path) -> Facts:
        arrays: Arrays = {}
        for place, member in enumerate(self.members_):
            for name in ("rows", "middles", "scales"):
                arrays[f"{place}.{name}"] = getattr(member, name)
            for at, mixture in enumerate(member.mixtures):
                own = save_mixture(mixture)
                arrays |= {f"{place}.{at}.{name}": array for name, array in own.items()}
        write_named(folder / ARRAYS, {name: np.ascontiguousarray(a) for name, a in arrays.items()})
        return {"members": len(self.members_)}

    def read(self, folder: Path, facts: Facts) -> None:
        arrays = read_arrays(folder / ARRAYS)
        self.members_ = [_read_member(arrays, place) for place in range(facts["members"])]


def _read_member(arrays: Arrays, place: int) -> Member:
    mixtures = []
    for at in range(len(UNITS)):
        names = ("weights", "means", "factors")
        mixtures.append(load_mixture({name: arrays[f"{place}.{at}.{name}"] for name in names}))
    member = Member(arrays[f"{place}.rows"], mixtures)
    member.middles, member.scales = arrays[f"{place}.middles"], arrays[f"{place}.scales"]
    return member
