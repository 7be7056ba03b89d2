"""Annealing of a restricted Boltzmann machine: block Gibbs moves of both layers together."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, Shaped, UInt8

from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    BernoulliRBM,
    CategoricalRBM,
    IndependentSites,
    SiteMixture,
    float_dtype,
)
from energax.evaluate.kernel import AbstractKernel, check_tries, jump
from energax.evaluate.path import AbstractPath, LinearPath
from energax.evaluate.problem import AbstractProblem
from energax.evaluate.sites import check_states, fit_sites_mixture, loosen, mix_sites
from energax.sampler import Info, State
from energax.space import AbstractFinite, Bits, Categories

FiniteRBM = BernoulliRBM | CategoricalRBM


def join(v: UInt8[Array, "*shape"], h: UInt8[Array, " hidden"]) -> UInt8[Array, " units"]:
    """Both layers in one vector, the visible one first."""
    return jnp.concatenate([v.reshape(-1), h])


def part(
    x: UInt8[Array, " units"], space: AbstractFinite
) -> tuple[UInt8[Array, "*shape"], UInt8[Array, " hidden"]]:
    """The visible layer, of this space, and the hidden one."""
    return x[: space.sites].reshape(space.shape), x[space.sites :]


def _joint_space(space: AbstractFinite, hidden: int) -> AbstractFinite:
    units = (space.sites + hidden,)
    return Bits(units) if space.states == 2 else Categories(units, space.states)


class Joint(AbstractEnergy):
    """E(v, h) of a restricted Boltzmann machine, of both layers in one vector.

    Its log Z is that of the visible layer alone.
    """

    rbm: FiniteRBM
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, rbm: FiniteRBM):
        self.rbm, self.shape = rbm, _joint_space(rbm.space, len(rbm.hidden)).shape

    @property
    def space(self) -> AbstractFinite:
        return _joint_space(self.rbm.space, len(self.rbm.hidden))

    def __call__(self, x: UInt8[Array, " units"]) -> Float[Array, ""]:
        v, h = part(x, self.rbm.space)
        e = self.rbm.space.embed(v, float_dtype(self.rbm))
        return self.rbm.visible_energy(e) - h.astype(e.dtype) @ self.rbm.hidden_logits(e)


class JointBase(AbstractDistribution):
    """Independent visible sites, and hidden bits that are 0 or 1 alike, of energy 0."""

    visible: IndependentSites
    hidden: int = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, visible: IndependentSites, hidden: int):
        self.visible, self.hidden = visible, hidden
        self.shape = _joint_space(visible.space, hidden).shape

    @property
    def space(self) -> AbstractFinite:
        return _joint_space(self.visible.space, self.hidden)

    def __call__(self, x: UInt8[Array, " units"]) -> Float[Array, ""]:
        return self.visible(part(x, self.visible.space)[0])

    def log_z(self) -> Float[Array, ""]:
        return self.visible.log_z() + self.hidden * math.log(2)

    def sample(self, *, key: PRNGKeyArray) -> UInt8[Array, " units"]:
        up, down = jax.random.split(key)
        h = jax.random.bernoulli(up, 0.5, (self.hidden,)).astype(jnp.uint8)
        return join(self.visible.sample(key=down), h)


class Lifted(AbstractDistribution):
    """A distribution of the visible layer, and hidden bits that are those of a machine given it."""

    visible: SiteMixture
    rbm: FiniteRBM
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, visible: SiteMixture, rbm: FiniteRBM):
        self.visible, self.rbm = visible, rbm
        self.shape = _joint_space(rbm.space, len(rbm.hidden)).shape

    @property
    def space(self) -> AbstractFinite:
        return _joint_space(self.rbm.space, len(self.rbm.hidden))

    def __call__(self, x: UInt8[Array, " units"]) -> Float[Array, ""]:
        v, h = part(x, self.rbm.space)
        logits = self.rbm.hidden_logits(self.rbm.space.embed(v, float_dtype(self.rbm)))
        return self.visible(v) + jnp.sum(jax.nn.softplus(logits)) - h.astype(logits.dtype) @ logits

    def log_z(self) -> Float[Array, ""]:
        return self.visible.log_z()

    def sample(self, *, key: PRNGKeyArray) -> UInt8[Array, " units"]:
        down, up = jax.random.split(key)
        v = self.visible.sample(key=down)
        return join(v, self.rbm.sample_hidden(v, key=up))


class LayerKernel(AbstractKernel):
    """A jump to base draws, then `leaps` sweeps: the hidden layer, then the visible one.

    At time t the machine has weights t W, hidden biases t b, and visible biases t a + (1 - t) those
    of the base: both layers are drawn exactly.
    """

    rbm: FiniteRBM
    visible: Float[Array, "..."]
    leaps: int = eqx.field(static=True)
    tries: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_tries(self.leaps, self.tries)

    def temper(self, time: Float[Array, ""]) -> FiniteRBM:
        """The machine at time t."""
        rbm = self.rbm
        biases = (1 - time) * self.visible + time * rbm.visible
        now = (time * rbm.weights, biases, time * rbm.hidden)
        return eqx.tree_at(lambda made: (made.weights, made.visible, made.hidden), rbm, now)

    def __call__(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        step_size: Float[Array, ""],
        x: UInt8[Array, " size units"],
        jumps: Bool[Array, ""],
        shortest: Float[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> tuple[State, Info]:
        rbm, energy = self.temper(time), path.at(time)

        def sweep(x: UInt8[Array, " units"], key: PRNGKeyArray) -> tuple[Array, None]:
            up, down = jax.random.split(key)
            h = rbm.sample_hidden(part(x, rbm.space)[0], key=up)
            return join(rbm.sample_visible(h, key=down), h), None

        def one(x: UInt8[Array, " units"], key: PRNGKeyArray) -> tuple[State, Info]:
            leave, go = jax.random.split(key)
            x = jump(path, time, x, jumps, self.tries, key=leave)
            x, _ = jax.lax.scan(sweep, x, jax.random.split(go, self.leaps))
            value = energy(x)
            return State(x), Info(jnp.ones_like(value), value, jnp.zeros_like(value))

        return jax.vmap(one)(x, jax.random.split(key, len(x)))


class LayerProblem(AbstractProblem):
    """Annealing of a machine from independent visible sites, as both layers together.

    Source: Salakhutdinov and Murray (2008), section 4.1, whose weights have the hidden layer summed
    out; here they are those of both layers, which costs variance of the order of one over the
    number of times.
    """

    path: AbstractPath
    target: AbstractEnergy
    rbm: FiniteRBM
    base: IndependentSites

    def __init__(self, rbm: FiniteRBM, base: IndependentSites):
        self.rbm, self.base, self.target = rbm, base, Joint(rbm)
        self.path = LinearPath(JointBase(base, len(rbm.hidden)), self.target)

    def lift(
        self, rows: Shaped[Array, " rows *shape"], *, key: PRNGKeyArray
    ) -> UInt8[Array, " rows units"]:
        """Each with a draw of the hidden layer given it."""
        v = check_states(rows, self.rbm.space)
        keys = jax.random.split(key, len(v))
        return jax.vmap(lambda x, k: join(x, self.rbm.sample_hidden(x, key=k)))(v, keys)

    def make_kernel(self, x: UInt8[Array, " size units"], leaps: int, tries: int) -> LayerKernel:
        logits = self.base.logits
        own = logits[:, 1] - logits[:, 0] if isinstance(self.rbm, BernoulliRBM) else logits
        return LayerKernel(self.rbm, own.reshape(self.rbm.visible.shape), leaps, tries)

    def spread(
        self, x: UInt8[Array, " size units"], broad: float, *, key: PRNGKeyArray
    ) -> UInt8[Array, " size units"]:
        """Some sites of both layers are drawn again, all states alike."""
        where, down, up = jax.random.split(key, 3)
        v = jax.vmap(lambda k: self.rbm.space.draw(key=k))(jax.random.split(down, len(x)))
        h = jax.random.bernoulli(up, 0.5, (len(x), len(self.rbm.hidden))).astype(jnp.uint8)
        return loosen(x, jax.vmap(join)(v, h), broad, key=where)

    def fit(self, x: UInt8[np.ndarray, " size units"]) -> Lifted:
        v = x[:, : self.rbm.space.sites].reshape(-1, *self.rbm.shape)
        return Lifted(fit_sites_mixture(v, self.rbm.space, self.rbm), self.rbm)

    def mix(self, first: Lifted, second: Lifted) -> Lifted:
        return Lifted(mix_sites(first.visible, second.visible), self.rbm)
