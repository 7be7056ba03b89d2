"""Three Gaussian classes that overlap: logits, joint density by SciPy, and labelled rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

from energax.energy import Classifier

SHARES = np.array([0.5, 0.3, 0.2])
SPREAD = np.array([1.0, 0.7, 1.2])


def means(shape):
    """Three classes that overlap, apart along a ramp."""
    ramp = np.linspace(0.5, 1.0, int(np.prod(shape))).reshape(shape)
    return np.stack([-ramp, 0.2 * ramp, ramp]) * 2 / np.sqrt(ramp.size)


class Quadratic(eqx.Module):
    """f(x)[y] = log p(x, y) up to a constant, for Gaussian classes: every weight is known."""

    share: jax.Array
    mean: jax.Array
    log_precision: jax.Array

    def __init__(self, shape):
        dim = int(np.prod(shape))
        precision = 1 / SPREAD**2
        self.mean, self.log_precision = jnp.asarray(means(shape), float), jnp.log(precision)
        self.share = jnp.asarray(np.log(SHARES) + dim * np.log(precision) / 2, float)
        self.log_precision = self.log_precision.astype(self.share.dtype)

    def __call__(self, x):
        square = jnp.sum((x[None] - self.mean).reshape(3, -1) ** 2, axis=1)
        return self.share - jnp.exp(self.log_precision) * square / 2


def log_joint(x):
    """log p(x, y) of each class, by SciPy."""
    parts = [norm.logpdf(x, mean, std) for mean, std in zip(means(x.shape), SPREAD, strict=True)]
    return np.log(SHARES) + np.array([part.sum() for part in parts])


def model(shape):
    """The truth: log Z is that of a unit Gaussian on every axis."""
    return Classifier(Quadratic(shape), shape, 3)


def sample(shape, sizes, seed=3):
    """Rows with labels from the truth, without JAX."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, size=sizes, p=SHARES)
    spread = SPREAD[label].reshape(*sizes, *(1,) * len(shape))
    x = means(shape)[label] + spread * rng.normal(size=(*sizes, *shape))
    return jnp.asarray(x, float), jnp.asarray(label)
