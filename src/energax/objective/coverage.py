"""Does the noise of noise-contrastive estimation cover the data?"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

COVERAGE_FLOOR = 0.05
"""Below this noise coverage data rows count for less than a twentieth: worth a warning."""


def noise_coverage(doubt: Float[Array, " batch"], ratio: int) -> Float[Array, ""]:
    """The mean of P(noise | row) over data rows, relative to noise that is the data itself.

    `doubt` is P(noise | row) by the classifier, r / (1 + r) where it cannot discriminate. For the
    best classifier of data p and noise q this is the integral of (1 + r) p q / (p + r q): 1 if and
    only if p = q, else below by Jensen's inequality, and 0 without overlap. It is also the mean
    weight of a data row in the gradient. Clipped at 1, which a poor model can exceed.
    """
    return jnp.minimum(jnp.mean(doubt) * (1 + ratio) / ratio, 1)


def coverage_warning(metrics: Mapping[str, ArrayLike]) -> str | None:
    """A sentence to show where noise-contrastive estimation ended with noise far from the data.

    Args:
        metrics: Numbers or arrays by name, such as those that `train.fit` yields last. Read is the
            mean of "noise_coverage", a number in [0, 1].

    Returns:
        The sentence where the coverage is below 0.05; else, and without such a metric, None.

    Example:
        >>> ex.objective.coverage_warning({"noise_coverage": 0.5}) is None
        True
        >>> ex.objective.coverage_warning({"noise_coverage": 0.01})
        'Noise coverage is only 1.0%:...'
    """
    if "noise_coverage" not in metrics:
        return None
    covered = float(np.mean(np.asarray(metrics["noise_coverage"])))
    if covered >= COVERAGE_FLOOR:
        return None
    return (
        f"Noise coverage is only {covered:.1%}: nearly every data row is classified with "
        "certainty, so the energy hardly learns. Use noise closer to the data, such as a mixture "
        "or a flow fitted to it, or a method without noise."
    )
