"""The energy before training: a base distribution, tilted by a new network."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax import data, network
from energax.data import AbstractTransform, MarginalGauss
from energax.energy import AbstractDistribution, AbstractEnergy, Neural, NonTrainable, Tilt
from energax.method.groundwork import Groundwork
from energax.method.parts import Network

CONTRAST = 4.0
"""Brightness has a standard deviation of about 1/4 on the unit box; networks like it near 1."""


class UnmapPixels(eqx.Module):
    """From the normal scores of `MarginalGauss` back to brightness, centred: 4 (x(y) - mean).

    Normal scores spread a pixel that is mostly black over half the line, which is noise to a
    network; brightness leaves it black.
    """

    pixels: MarginalGauss

    def __call__(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        masses = self.pixels.masses
        levels = len(masses)
        middle = (jnp.arange(levels, dtype=masses.dtype) + 0.5) / levels
        mean = jnp.tensordot(middle, masses, axes=1)
        return CONTRAST * (self.pixels.decode(y) - mean.astype(y.dtype))


@eqx.filter_jit
def make_network(
    options: Network,
    shape: tuple[int, ...],
    transform: AbstractTransform,
    *,
    out: int | Literal["scalar"] = "scalar",
    key: PRNGKeyArray,
) -> Callable:
    """A new network of rows in model units; pixels made Gaussian are seen as brightness."""
    width, depth = options.width, options.depth
    match options.kind:
        case "conv":
            net: Callable = network.ConvNet(
                shape, width, depth, spectral=options.spectral, out=out, key=key
            )
        case "shallow":
            net = network.make_shallow(shape, width, embedding=network.add_bias, key=key)
        case "mlp":
            net = network.MLP(shape, width, depth, out=out, key=key)
    match transform:
        case data.Pipeline(steps=(_, MarginalGauss() as pixels)):
            return network.InputTransform(NonTrainable(UnmapPixels(pixels)), net)
    return net


def start_at_zero(net: Callable) -> Callable:
    """The same network, its last layer zero, so that a tilt by it is its base until it is trained.

    But for filters of bounded norm (`spectral`), which cannot be zero.
    """
    match net:
        case network.InputTransform(transform=transform, network=inner):
            return network.InputTransform(transform, start_at_zero(inner))
        case network.MLP(layers=(*_, last)):
            zeros = jnp.zeros_like(last.weight), jnp.zeros_like(last.bias)
            return eqx.tree_at(lambda n: (n.layers[-1].weight, n.layers[-1].bias), net, zeros)
        case network.ConvNet(head=head) if not head.spectral:
            return eqx.tree_at(lambda n: n.head.weight, net, jnp.zeros_like(head.weight))
        case network.Shallow():
            return eqx.tree_at(lambda n: n.weights, net, jnp.zeros_like(net.weights))
    return net


def make_energy(options: Network, ground: Groundwork, *, key: PRNGKeyArray) -> AbstractEnergy:
    """The user's own energy where there is one; else the base, tilted by a new network that is 0.

    Without a base (`--base none`), the network alone.
    """
    if isinstance(ground.energy, AbstractEnergy):
        return ground.energy
    if ground.energy is not None:
        return Neural(ground.energy, ground.base.shape)
    net = make_network(options, ground.base.shape, ground.transform, key=key)
    if not ground.tilted:
        return Neural(net, ground.base.shape)
    return Tilt(ground.base, start_at_zero(net))


def find_tilt(energy: Any) -> Tilt | None:
    """The tilted distribution inside an energy; None where there is none."""

    def is_tilt(node: object) -> bool:
        return type(node) is Tilt

    found = [node for node in jax.tree.leaves(energy, is_leaf=is_tilt) if is_tilt(node)]
    return found[0] if found else None


def find_base(energy: Any, other: AbstractDistribution) -> AbstractDistribution:
    """The base inside an energy, the very object; `other` where it tilts none."""
    tilt = find_tilt(energy)
    return other if tilt is None else tilt.distribution
