"""Transforms fitted to training rows, and their record as JSON."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Real

from energax.data.base import AbstractTransform
from energax.data.transform import Pipeline, ScaleToBox, Standardise, Whiten, Whole
from energax.data.unit_box import Dequantise, Logit, MarginalGauss
from energax.errors import InputError

_KINDS: dict[str, type[AbstractTransform]] = {
    "dequantise": Dequantise,
    "standardise": Standardise,
    "whiten": Whiten,
    "whole": Whole,
    "scale_to_box": ScaleToBox,
    "logit": Logit,
    "marginal_gauss": MarginalGauss,
}


def _shared_axes(rows: np.ndarray) -> tuple[int, ...]:
    """Over what to pool: rows of a table, and everything of images."""
    return (0,) if rows.ndim == 2 else tuple(range(rows.ndim))


def _refuse_constant(rows: np.ndarray, axes: tuple[int, ...]) -> None:
    varies = np.asarray(np.ptp(rows, axis=axes) > 0)
    if not varies.all():
        where = f"Column {int(np.argmin(varies)) + 1} of" if varies.ndim else "Every number in"
        raise InputError(f"{where} the training rows is constant: drop it, it has no density.")


def standardise(rows: Real[np.ndarray, " size *shape"]) -> Standardise:
    """Fit `Standardise` to rows: each column of a table, or all pixels of images together.

    Raises:
        InputError: where a column is constant.

    Example:
        >>> transform = ex.data.standardise(np.array([[0.0], [2.0]]))
        >>> transform.encode(jnp.array([2.0]), key=key)[0].tolist()
        [1.0]
    """
    axes = _shared_axes(rows)
    _refuse_constant(rows, axes)
    exact = rows.astype(np.float64)
    return Standardise(exact.mean(axis=axes), exact.std(axis=axes))


def whiten(rows: Real[np.ndarray, " size *shape"], *, noise: float = 0.0) -> Whiten:
    """Fit `Whiten` to rows: mean 0 and identity covariance, by principal axes, largest first.

    y = D^(-1/2) V' (x - mean), with the covariance V D V'. All axes are kept, so densities carry
    over.

    Args:
        noise: standard deviation of independent noise that will be added to each number, such as
            1 / (levels sqrt(12)) for dequantised whole numbers over `levels`.

    Raises:
        InputError: where the rows have no spread along some axis, to six digits.

    Example:
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> y = jax.vmap(lambda x: ex.data.whiten(rows).encode(x, key=key)[0])(jnp.asarray(rows))
        >>> bool(jnp.allclose(jnp.cov(y.T), jnp.eye(2)))
        True
    """
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    covariance = np.cov(flat.T).reshape(flat.shape[1], -1) + noise**2 * np.eye(flat.shape[1])
    spread, axes = np.linalg.eigh(covariance)
    spread, axes = spread[::-1], axes[:, ::-1]
    if not spread[-1] > 1e-12 * spread[0]:
        flatness = int(np.sum(spread <= 1e-12 * spread[0]))
        raise InputError(
            f"The training rows have no spread along {flatness} of {len(spread)} principal axes, "
            "so they have no density to whiten: drop columns that follow from others."
        )
    factor, inverse = (axes / np.sqrt(spread)).T, axes * np.sqrt(spread)
    return Whiten(flat.mean(axis=0).reshape(rows.shape[1:]), factor, inverse)


def scale_to_box(
    rows: Real[np.ndarray, " size *shape"], low: float = -1.0, high: float = 1.0
) -> ScaleToBox:
    """Fit `ScaleToBox` to rows: the range of each column of a table, or of all pixels of images.

    Raises:
        InputError: where a column is constant.

    Example:
        >>> transform = ex.data.scale_to_box(np.array([[0.0], [10.0]]))
        >>> transform.encode(jnp.array([5.0]), key=key)[0].tolist()
        [0.0]
    """
    axes = _shared_axes(rows)
    _refuse_constant(rows, axes)
    exact = rows.astype(np.float64)
    return ScaleToBox(exact.min(axis=axes), exact.max(axis=axes), low, high)


def gaussianise_marginals(
    rows: Real[np.ndarray, " size *shape"], levels: int, *, alpha: float = 1.0
) -> MarginalGauss:
    """Fit `MarginalGauss` to rows of whole numbers 0..levels-1: a histogram of each coordinate.

    Args:
        rows: before dequantisation.
        alpha: above 0, added to each count: a level that never occurs keeps some mass.

    Raises:
        ValueError: for rows that are no such numbers, or an `alpha` that is not above 0.

    Example:
        >>> ex.data.gaussianise_marginals(np.array([[0], [1], [1], [0]]), levels=2).masses.tolist()
        [[0.5], [0.5]]
    """
    if not alpha > 0:
        raise ValueError(f"`alpha` must be above 0; got {alpha}.")
    if np.any(rows != np.floor(rows)) or rows.min() < 0 or rows.max() >= levels:
        raise ValueError(f"`rows` must hold whole numbers from 0 to {levels - 1}.")
    counts = np.stack([np.sum(rows == level, axis=0) for level in range(levels)]) + alpha
    return MarginalGauss(counts / counts.sum(axis=0))


def to_json(transform: AbstractTransform) -> dict[str, Any]:
    """A record of a built-in transform for `json.dumps`; `from_json` reads it back exactly.

    Raises:
        ValueError: for a transform of another class.

    Example:
        >>> ex.data.to_json(ex.data.Dequantise(17))
        {'kind': 'dequantise', 'levels': 17}
    """
    if type(transform) is Pipeline:
        return {"kind": "pipeline", "steps": [to_json(step) for step in transform.steps]}
    kinds = {cls: kind for kind, cls in _KINDS.items()}
    if type(transform) not in kinds:
        raise ValueError(f"`transform` has no record: {type(transform).__name__} is not built in.")
    fields = [field.name for field in dataclasses.fields(transform)]
    settings = {name: np.asarray(getattr(transform, name)).tolist() for name in fields}
    return {"kind": kinds[type(transform)]} | settings


def from_json(record: dict[str, Any]) -> AbstractTransform:
    """The transform that `to_json` recorded.

    Raises:
        InputError: for a record that is damaged or of an unknown transform.

    Example:
        >>> ex.data.from_json({"kind": "logit", "margin": 0.01}).margin
        0.01
    """
    kind = record.get("kind")
    settings = {name: value for name, value in record.items() if name != "kind"}
    try:
        if kind == "pipeline":
            return Pipeline(tuple(from_json(step) for step in settings["steps"]))
        if kind in _KINDS:
            arrays = {name: _to_array(name, v) for name, v in settings.items() if type(v) is list}
            return _KINDS[kind](**(settings | arrays))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"The record of the transform {kind!r} is damaged: {error}") from error
    known = ", ".join([*_KINDS, "pipeline"])
    raise InputError(f"The transform {kind!r} is not known; known are {known}.")


def _to_array(name: str, numbers: list[Any]) -> np.ndarray:
    found = np.asarray(numbers)
    if np.any(np.abs(found) > np.finfo(np.float32).max):
        raise ValueError(f"{name} holds a number that is too large")
    return found
