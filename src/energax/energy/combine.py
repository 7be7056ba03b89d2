"""Energies made of energies: sum, temperature, and the path between two."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from energax.energy.base import AbstractEnergy


class Sum(AbstractEnergy):
    """E(x) = E_1(x) + ... + E_n(x): a product of experts."""

    terms: tuple[AbstractEnergy, ...]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, *terms: AbstractEnergy):
        if not terms or any(term.shape != terms[0].shape for term in terms):
            raise ValueError(
                "`terms` must be at least one energy, all of one shape; got shapes "
                f"{[term.shape for term in terms]}."
            )
        self.terms, self.shape = terms, terms[0].shape

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return sum((term(x) for term in self.terms[1:]), self.terms[0](x))


class Tempered(AbstractEnergy):
    """E(x) / T: flatter for a `temperature` T above 1, sharper below."""

    energy: AbstractEnergy
    temperature: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: AbstractEnergy, temperature: float):
        if not temperature > 0:
            raise ValueError(f"`temperature` must be above 0; got {temperature}.")
        self.energy, self.shape = energy, energy.shape
        self.temperature = jnp.asarray(temperature)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(x) / self.temperature.astype(x.dtype)


class Bridge(AbstractEnergy):
    """(1 - t) E_from(x) + t E_to(x), t in [0, 1]: the geometric path that annealing walks."""

    start: AbstractEnergy
    end: AbstractEnergy
    time: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, start: AbstractEnergy, end: AbstractEnergy, time: ArrayLike):
        if start.shape != end.shape:
            raise ValueError(f"Shapes must agree; got {start.shape} and {end.shape}.")
        self.start, self.end, self.shape = start, end, end.shape
        self.time = jnp.asarray(time)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        time = self.time.astype(x.dtype)
        return (1 - time) * self.start(x) + time * self.end(x)
