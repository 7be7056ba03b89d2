"""Gaussian mixtures fitted to rows by maximum likelihood: base and noise distributions."""

import numpy as np
from jaxtyping import Float
from sklearn.mixture import GaussianMixture as SklearnMixture

from energax.energy.distributions import GaussianMixture


def fit_mixture(
    rows: Float[np.ndarray, " size *shape"],
    components: int = 1,
    *,
    ridge: float = 1e-4,
    seed: int = 0,
) -> GaussianMixture:
    """Fit a mixture of `components` Gaussians with full covariance, by EM in float64.

    Args:
        ridge: added to each variance, in squared units of the rows. Without it a constant column
            makes a covariance singular.
        seed: of the initial assignment of rows to components.

    Raises:
        ValueError: for fewer rows than components, or fewer than 2.

    Source: scikit-learn's `GaussianMixture`.

    Example:
        >>> rows = np.array([[0.0], [2.0], [4.0]])
        >>> ex.energy.fit_mixture(rows).means.round(6).tolist()
        [[2.0]]
    """
    if len(rows) < max(components, 2):
        raise ValueError(f"{components} components cannot be fitted to {len(rows)} rows.")
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    found = SklearnMixture(components, reg_covar=ridge, random_state=seed).fit(flat)
    means = np.asarray(found.means_).reshape(components, *rows.shape[1:])
    factors = np.linalg.cholesky(np.asarray(found.covariances_))
    log_weights = np.log(np.asarray(found.weights_))
    return GaussianMixture(*(a.astype(rows.dtype) for a in (log_weights, means, factors)))
