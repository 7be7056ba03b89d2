"""A normalising flow as a distribution: an exact, trainable density with cheap draws."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import paramax
from flowjax.bijections import AbstractBijection, Affine, Chain, RationalQuadraticSpline, Reshape
from flowjax.distributions import AbstractTransformed, StandardNormal, Transformed
from flowjax.flows import coupling_flow
from jaxtyping import Array, Float, Key, PRNGKeyArray, PyTree

from energax.energy.base import AbstractDistribution, NonTrainable, log_density, weights

KNOTS, REACH = 8, 4.0
"""Each layer bends its axis by a spline of `KNOTS` pieces on [-REACH, REACH], in units of std."""

HELD_OUT, CHECKS = 10, 20
"""A fit validates on one row in `HELD_OUT`, `CHECKS` times."""


def _is_non_trainable(node: PyTree) -> bool:
    return isinstance(node, paramax.NonTrainable)


class Flow(AbstractDistribution):
    """A FlowJAX flow over the flattened example: E(x) = -log q(x), log Z = 0, exact draws.

    Training moves the bijection of the flow. Its base distribution, and parts that FlowJAX marks as
    `NonTrainable`, stay as they are.

    Args:
        distribution: unconditional, over the flattened example.
        shape: of one example.

    Raises:
        ValueError: where the two do not match.

    Trap: FlowJAX turns a density of NaN into 0, here an infinite energy.

    Source: Papamakarios et al. (2021), section 2.

    Example:
        >>> flow = ex.energy.make_flow((2,), layers=1, width=4, key=key)
        >>> type(flow).__name__, float(flow.log_z()), flow.sample(key=key).shape
        ('Flow', 0.0, (2,))
    """

    moving: PyTree
    still: NonTrainable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, distribution: AbstractTransformed, shape: tuple[int, ...]):
        if distribution.shape != (math.prod(shape),) or distribution.cond_shape is not None:
            raise ValueError(
                f"`distribution` must be unconditional and of shape {(math.prod(shape),)}, that of "
                f"the flattened example; got {distribution.shape} given {distribution.cond_shape}."
            )
        frozen = eqx.tree_at(
            lambda flow: flow.base_dist, distribution, replace_fn=paramax.non_trainable
        )
        self.moving, still = eqx.partition(frozen, eqx.is_inexact_array, is_leaf=_is_non_trainable)
        self.still, self.shape = NonTrainable(still), shape

    @property
    def distribution(self) -> AbstractTransformed:
        """The FlowJAX distribution of the flattened example."""
        return eqx.combine(self.moving, self.still.value)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return -self.distribution.log_prob(x.reshape(-1))

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros(())

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        return self.distribution.sample(key).reshape(self.shape)


def make_flow(
    shape: tuple[int, ...],
    *,
    layers: int = 4,
    width: int = 32,
    mean: Float[Array, "*shape"] | None = None,
    std: Float[Array, "*shape"] | None = None,
    key: PRNGKeyArray,
) -> Flow:
    """An untrained flow, close to N(mean, std^2) on each axis: coupling layers with splines.

    Draws and density both take one pass. The splines act within 4 `std` of `mean`; outside, the
    tails are Gaussian. With a single axis there is nothing to couple: one spline has the pieces of
    all layers.

    Args:
        width: number of hidden units of the network in each of the `layers`.
        mean: of the shape of an example, 0 unless given; not trained.
        std: of the shape of an example, 1 unless given; not trained.

    Raises:
        ValueError: for `layers` or a `width` below 1.

    Source: Dinh et al. (2017) for the couplings, Durkan et al. (2019) for the splines.

    Example:
        >>> flow = ex.energy.make_flow((2,), layers=1, width=4, std=jnp.full(2, 3.0), key=key)
        >>> ex.energy.draws(flow, 5, key=key).shape
        (5, 2)
    """
    if layers < 1 or width < 1:
        raise ValueError(f"`layers` and `width` must be at least 1; got {layers} and {width}.")
    dim = math.prod(shape)
    base = StandardNormal((dim,))
    if dim == 1:
        spline = RationalQuadraticSpline(knots=KNOTS * layers, interval=REACH)
        inner: AbstractBijection = Reshape(spline, (1,))
    else:
        inner = coupling_flow(
            key,
            base_dist=base,
            transformer=RationalQuadraticSpline(knots=KNOTS, interval=REACH),
            flow_layers=layers,
            nn_width=width,
            nn_activation=jax.nn.silu,
        ).bijection
    shift = jnp.zeros(dim) if mean is None else mean.reshape(-1)
    scale = jnp.ones(dim) if std is None else std.reshape(-1)
    return Flow(
        Transformed(base, Chain([inner, paramax.non_trainable(Affine(shift, scale))])), shape
    )


def fit_flow(
    rows: Float[np.ndarray, " size *shape"],
    *,
    layers: int = 4,
    width: int = 32,
    updates: int = 1000,
    batch_size: int = 512,
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> Flow:
    """Fit a flow to rows by maximum likelihood, with Adam and a cosine schedule.

    It starts at the mean and the standard deviation of each axis. One row in ten is held out and
    its likelihood measured 20 times; the best weights are kept. The same seed gives the same flow.

    Args:
        layers, width: as in `make_flow`.
        updates: of Adam, rounded up to a multiple of 20.
        batch_size: at most the number of rows to train on.

    Raises:
        ValueError: for fewer than 20 rows, or a constant column.

    Example:
        >>> rows = np.linspace(-1, 1, 40)[:, None] * np.ones(2)
        >>> flow = ex.energy.fit_flow(rows, layers=1, width=4, updates=20)
        >>> flow.shape
        (2,)
    """
    if len(rows) < 2 * HELD_OUT:
        raise ValueError(f"A flow cannot be fitted to {len(rows)} rows: give {2 * HELD_OUT}.")
    exact = np.asarray(rows, np.float64)
    mean, std = exact.mean(axis=0), exact.std(axis=0)
    if not np.all(std > 0):
        raise ValueError("`rows` must vary on every axis; a constant column has no density.")
    born, split, go = jax.random.split(jax.random.key(seed), 3)
    mean, std = jnp.asarray(mean, rows.dtype), jnp.asarray(std, rows.dtype)
    start = make_flow(rows.shape[1:], layers=layers, width=width, mean=mean, std=std, key=born)
    shuffled = jax.random.permutation(split, jnp.asarray(rows))
    held = len(rows) // HELD_OUT
    rate = optax.cosine_decay_schedule(learning_rate, updates)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    parts = shuffled[held:], shuffled[:held]
    return _fit(start, *parts, optimiser, updates, min(batch_size, len(parts[0])), key=go)


def _loss(distribution: Flow, rows: Float[Array, " size *shape"]) -> Float[Array, ""]:
    return -jnp.mean(jax.vmap(lambda x: log_density(distribution, x))(rows))


@eqx.filter_jit
def _fit(
    start: Flow,
    rows: Float[Array, " size *shape"],
    held: Float[Array, " held *shape"],
    optimiser: optax.GradientTransformation,
    updates: int,
    batch_size: int,
    *,
    key: PRNGKeyArray,
) -> Flow:
    """The flow of least loss on the held-out rows among those that Adam visits."""
    moving, still = weights(start)

    def update(carry: tuple, key: PRNGKeyArray) -> tuple[tuple, None]:
        moving, memory = carry
        batch = rows[jax.random.randint(key, (batch_size,), 0, len(rows))]
        grad = jax.grad(lambda moving: _loss(eqx.combine(moving, still), batch))(moving)
        # Optax mixes its integer count with floats, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            change, memory = optimiser.update(grad, memory, moving)
        return (optax.apply_updates(moving, change), memory), None

    def stretch(carry: tuple, keys: Key[Array, " updates"]) -> tuple[tuple, None]:
        going, best, least = carry
        going, _ = jax.lax.scan(update, going, keys)
        now = _loss(eqx.combine(going[0], still), held)
        best = jax.tree.map(lambda new, old: jnp.where(now < least, new, old), going[0], best)
        return (going, best, jnp.minimum(now, least)), None

    keys = jax.random.split(key, (CHECKS, -(-updates // CHECKS)))
    first = (moving, optimiser.init(moving)), moving, _loss(start, held)
    (_, best, _), _ = jax.lax.scan(stretch, first, keys)
    return eqx.combine(best, still)
