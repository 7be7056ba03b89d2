"""Annealing of real numbers: Hamiltonian moves, and jumps to base draws."""

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc.metrics import Metric, gaussian_euclidean
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from energax.energy import AbstractEnergy, GaussianMixture, score
from energax.evaluate.bennett import fit_proposal, mix
from energax.evaluate.kernel import AbstractKernel, check_tries, jump, vary
from energax.evaluate.path import AbstractPath
from energax.evaluate.problem import AbstractProblem
from energax.sampler import FromBlackjax, Info, State

DENSE = 256
"""Largest number of axes for which the mass matrix of the moves is a full matrix."""


class HamiltonianKernel(AbstractKernel):
    """A transition that leaves exp(-E_t) as it is: a jump to base draws, then Hamiltonian steps.

    The jump alone crosses from mode to mode; the Hamiltonian steps alone go where no base draw
    falls. `leaps` leapfrog steps; `tries` base draws offered to each particle.
    """

    inverse_mass: Float[Array, "..."]
    leaps: int = eqx.field(static=True)
    tries: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_tries(self.leaps, self.tries)

    def metric(self) -> Metric:
        """BlackJAX's metric, its kinetic energy as a sum of squares.

        p'M^-1 p, as it has it, can overflow to minus infinity: an endless trajectory is accepted.
        """
        found = gaussian_euclidean(self.inverse_mass)
        if self.inverse_mass.ndim == 1:
            return found
        factor = jnp.linalg.cholesky(self.inverse_mass)

        def kinetic_energy(
            momentum: Float[Array, "*shape"], position: object = None
        ) -> Float[Array, ""]:
            del position
            return 0.5 * jnp.sum((factor.T @ momentum.ravel()) ** 2)

        return found._replace(kinetic_energy=kinetic_energy)

    def __call__(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        step_size: Float[Array, ""],
        x: Float[Array, " size *shape"],
        jumps: Bool[Array, ""],
        shortest: Float[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> tuple[State, Info]:
        energy = path.at(time)
        fixed = {"inverse_mass_matrix": self.metric(), "num_integration_steps": self.leaps}

        def one(x: Float[Array, "*shape"], key: PRNGKeyArray) -> tuple[State, Info]:
            leave, shake, first, go = jax.random.split(key, 4)
            x = jump(path, time, x, jumps, self.tries, key=leave)
            now = {"step_size": vary(step_size, shortest, key=shake)}
            sampler = FromBlackjax(blackjax.hmc, fixed | now)
            return sampler.step(energy, sampler.init(energy, x, key=first), key=go)

        return jax.vmap(one)(x, jax.random.split(key, len(x)))


def make_kernel(
    path: AbstractPath, x: Float[Array, " size *shape"], leaps: int, tries: int
) -> HamiltonianKernel:
    """A kernel whose inverse mass is (E[s s'] + Cov(x)^-1)^-1 over base draws `x`, s = score.

    The first term is the mean precision of the base, exact for a Gaussian; the second keeps flat
    directions finite. A diagonal above `DENSE` axes.
    """
    slopes = eqx.filter_jit(jax.vmap(lambda y: score(path.base, y)))(x)
    rows, slopes = (np.asarray(a, np.float64).reshape(len(x), -1) for a in (x, slopes))
    if rows.shape[1] > DENSE:
        precision = np.mean(slopes**2, axis=0) + 1 / rows.var(axis=0)
        return HamiltonianKernel(jnp.asarray(1 / precision, x.dtype), leaps, tries)
    spread = np.atleast_2d(np.cov(rows, rowvar=False))
    # Shrinking towards the diagonal keeps the inverse finite with fewer draws than axes.
    spread = 0.9 * spread + 0.1 * np.diag(np.diag(spread))
    precision = slopes.T @ slopes / len(rows) + np.linalg.inv(spread)
    return HamiltonianKernel(jnp.asarray(np.linalg.inv(precision), x.dtype), leaps, tries)


class RealProblem(AbstractProblem):
    """Annealing of real numbers."""

    path: AbstractPath
    target: AbstractEnergy

    def lift(
        self, rows: Float[Array, " rows *shape"], *, key: PRNGKeyArray
    ) -> Float[Array, " rows *shape"]:
        return rows

    def make_kernel(
        self, x: Float[Array, " size *shape"], leaps: int, tries: int
    ) -> HamiltonianKernel:
        return make_kernel(self.path, x, leaps, tries)

    def spread(
        self, x: Float[Array, " size *shape"], broad: float, *, key: PRNGKeyArray
    ) -> Float[Array, " size *shape"]:
        """Each about the mean of all by a factor between 1 and `broad`.

        Of a Gaussian base, that is a draw at up to `broad`^2 times its temperature.
        """
        power = jax.random.uniform(key, (len(x), *(1,) * (x.ndim - 1)), x.dtype)
        mean = jnp.mean(x, axis=0, keepdims=True)
        return mean + broad**power * (x - mean)

    def fit(self, x: Float[np.ndarray, " size *shape"]) -> GaussianMixture:
        return fit_proposal(x)

    def mix(self, first: GaussianMixture, second: GaussianMixture) -> GaussianMixture:
        return mix(first, second)
