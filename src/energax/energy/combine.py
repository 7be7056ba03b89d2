"""Energies made of energies: sum, temperature, and the path between two."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Shaped

from energax.energy.base import AbstractEnergy, NonTrainable
from energax.space import AbstractSpace

Part = AbstractEnergy | NonTrainable
"""What may be combined: an energy, or one that training leaves as it is."""


class Sum(AbstractEnergy):
    """E(x) = E_1(x) + ... + E_n(x): a product of experts.

    Trap: training moves every term, exact distributions among them too. Wrap a term in
    `NonTrainable` to keep it as it is.

    Args:
        terms: at least one energy, all of one shape.

    Raises:
        ValueError: where shapes differ or there is no term.

    Example:
        >>> frozen, free = (ex.energy.Gaussian(jnp.zeros(2)) for _ in range(2))
        >>> energy = ex.energy.Sum(ex.energy.NonTrainable(frozen), free)
        >>> len(jax.tree.leaves(ex.energy.weights(energy)[0]))  # mean and std of `free`
        2
    """

    terms: tuple[Part, ...]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, *terms: Part):
        if not terms or any(term.shape != terms[0].shape for term in terms):
            raise ValueError(
                "`terms` must be at least one energy, all of one shape; got shapes "
                f"{[term.shape for term in terms]}."
            )
        self.terms, self.shape = terms, terms[0].shape

    @property
    def space(self) -> AbstractSpace:
        return self.terms[0].space

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return sum((term(x) for term in self.terms[1:]), self.terms[0](x))

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return sum((term.extend(e) for term in self.terms[1:]), self.terms[0].extend(e))


class Tempered(AbstractEnergy):
    """E(x) / T: flatter for a `temperature` T above 1, sharper below.

    The temperature is a setting and is never trained. Trap: training moves the energy inside;
    wrap it in `NonTrainable` to keep it as it is.

    Raises:
        ValueError: for a temperature that is not above 0.

    Example:
        >>> frozen = ex.energy.NonTrainable(ex.energy.Gaussian(jnp.zeros(2)))
        >>> energy = ex.energy.Tempered(frozen, 2.0)
        >>> float(energy(jnp.ones(2))), jax.tree.leaves(ex.energy.weights(energy)[0])
        (0.5, [])
    """

    energy: Part
    fixed_temperature: NonTrainable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: Part, temperature: float):
        if not temperature > 0:
            raise ValueError(f"`temperature` must be above 0; got {temperature}.")
        self.energy, self.shape = energy, energy.shape
        self.fixed_temperature = NonTrainable(jnp.asarray(temperature))

    @property
    def temperature(self) -> Float[Array, ""]:
        """T."""
        return self.fixed_temperature.value

    @property
    def space(self) -> AbstractSpace:
        return self.energy.space

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        value = self.energy(x)
        return value / self.temperature.astype(value.dtype)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        value = self.energy.extend(e)
        return value / self.temperature.astype(value.dtype)


class Bridge(AbstractEnergy):
    """(1 - t) E_start(x) + t E_end(x), t in [0, 1]: the geometric path of annealing.

    The time t is a setting and is never trained. Trap: training moves both ends; wrap one in
    `NonTrainable` to keep it as it is.

    Raises:
        ValueError: where the two shapes differ.

    Example:
        >>> start, end = ex.energy.Gaussian(jnp.zeros(1)), ex.energy.Gaussian(jnp.ones(1))
        >>> float(ex.energy.Bridge(start, end, 0.25)(jnp.ones(1)))
        0.375
    """

    start: Part
    end: Part
    fixed_time: NonTrainable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        start: Part,
        end: Part,
        time: ArrayLike,
    ):
        if start.shape != end.shape:
            raise ValueError(f"Shapes must agree; got {start.shape} and {end.shape}.")
        self.start, self.end, self.shape = start, end, end.shape
        self.fixed_time = NonTrainable(jnp.asarray(time))

    @property
    def time(self) -> Float[Array, ""]:
        """t."""
        return self.fixed_time.value

    @property
    def space(self) -> AbstractSpace:
        return self.start.space

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self._mix(self.start(x), self.end(x))

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return self._mix(self.start.extend(e), self.end.extend(e))

    def _mix(self, start: Float[Array, ""], end: Float[Array, ""]) -> Float[Array, ""]:
        time = self.time.astype(start.dtype)
        return (1 - time) * start + time * end
