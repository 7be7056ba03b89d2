"""What dual training, its distributions and its measures refuse, each in one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from spheres import BIMODAL, unit

from energax.data import TwoNeurons
from energax.energy import Flat, Gaussian, Sphere, Tilt, Torus, UniformSphere
from energax.evaluate import kl_on_sphere, sphere_grid
from energax.learner.dual import (
    DualTraining,
    KernelBall,
    KernelDual,
    Neurons,
    PrimalTraining,
    VariationBall,
)
from energax.learner.dual.dual import check_players
from energax.network import Relu, Shallow, add_bias, flatten, make_shallow
from energax.sampler import OnManifold

ROWS = unit(5, 3)
SPHERE = Sphere((3,))
BALL = VariationBall()


def network(z=None, w=None, c=None):
    parts = (unit(3, 3) if z is None else z, np.ones(3) if w is None else w)
    signs = jnp.array([1, -1, 1] if c is None else c)
    return Shallow(*map(jnp.asarray, parts), signs, Relu(), flatten)


def neurons(ball=BALL, direction=0.1, weight=0.1):
    return Neurons(direction, weight, ball)


def dual(made=None, rows=ROWS, manifold=SPHERE, **settings):
    """A start of dual training with one thing wrong."""
    rules = DualTraining(
        OnManifold(manifold, 0.1), settings.pop("neurons", None) or neurons(), **settings
    )
    players = Tilt(manifold.distribution, network()) if made is None else made
    return rules.init(players, jnp.asarray(rows), key=jax.random.key(0))


def primal(nodes=None, shares=None):
    good = sphere_grid(2)
    nodes = good[0] if nodes is None else jnp.asarray(nodes)
    return PrimalTraining(SPHERE, neurons(), nodes, good[1] if shares is None else shares)


def spoilt(at, value):
    rows = ROWS.copy()
    rows[at] = value
    return rows


def tilt(**parts):
    return Tilt(SPHERE.distribution, network(**parts))


def kernel(radius=1.0, rate=0.1, rows=ROWS, distribution=None, **settings):
    rules = KernelDual(SPHERE, Relu(), radius, rate, **settings)
    return rules.init(
        SPHERE.distribution if distribution is None else distribution,
        jnp.asarray(rows),
        key=jax.random.key(0),
    )


FLAT = Flat(Gaussian(jnp.zeros(2)))
REFUSED = {
    "a radius of 0": (lambda: VariationBall(0.0), "`radius` must be above 0.*got 0.0"),
    "a radius below 0": (lambda: KernelBall(-1.0), "`radius` must be above 0.*got -1.0"),
    "no radius": (lambda: KernelBall(float("nan")), "`radius` must be above 0.*got nan"),
    "direction step": (
        lambda: neurons(direction=-0.1),
        "`direction_step` must be at least 0 and finite; got -0.1",
    ),
    "weight step": (
        lambda: neurons(weight=float("inf")),
        "`weight_step` must be at least 0 and finite; got inf",
    ),
    "step size": (lambda: OnManifold(SPHERE, 0.0), "`step_size` must be above 0 and finite"),
    "odd copies": (lambda: dual(copies=3), "`copies` must be at least 1, and even .*; got 3"),
    "no copies": (lambda: dual(copies=0, antithetic=False), "`copies` must be .*; got 0"),
    "restart": (lambda: dual(restart=1.1), r"`restart` must be a probability in \[0, 1\]; got 1.1"),
    "every": (lambda: dual(every=0), "`every` must be at least 1, or None; got 0"),
    "rows off the sphere": (
        lambda: dual(rows=spoilt(3, 2.0)),
        "`rows` must be rows of length 1.*row 3 has length 3.4641",
    ),
    "rows that are not finite": (lambda: dual(rows=spoilt(1, np.nan)), "row 1 has length nan"),
    "rows of another shape": (
        lambda: dual(rows=unit(5, 4)),
        r"`rows` must have rows of shape \(3,\); got \(4,\)",
    ),
    "rows off the torus": (
        lambda: Torus((2,)).check("rows", np.array([[0.1, 0.2], [0.3, 1.2]])),
        r"`rows` must lie in \[0, 1\] on each axis.*row 1 does not",
    ),
    "rows of nothing in flat space": (
        lambda: FLAT.check("rows", np.array([[0.1, 0.2], [0.3, np.inf]])),
        "`rows` must be finite; row 1 is not",
    ),
    "a weight below 0": (
        lambda: dual(tilt(w=np.array([1.0, -2.0, 1.0]))),
        "`weights` must be at least 0 .*neuron 1 has -2: put its sign into `signs`",
    ),
    "a weight that is not finite": (
        lambda: dual(tilt(w=np.array([1.0, 2.0, np.nan]))),
        "`weights` must be finite; neuron 2 has nan",
    ),
    "a long direction": (
        lambda: dual(tilt(z=2 * unit(3, 3))),
        "`directions` must be rows of length 1, on the unit sphere; row 0 has length",
    ),
    "a sign of 0": (
        lambda: dual(tilt(c=[1, 0, -1])),
        r"`signs` must be \+1 or -1; neuron 1 has 0",
    ),
    "directions that move in the kernel ball": (
        lambda: dual(neurons=neurons(KernelBall(1.0))),
        "`direction_step` must be 0 in the kernel ball.*got 0.1: use `VariationBall`",
    ),
    "players of another distribution": (
        lambda: dual(Tilt(Gaussian(jnp.zeros(3)), network())),
        "`players` must tilt the distribution of `manifold`: build them with "
        "`manifold.distribution`",
    ),
    "players of another shape": (
        lambda: dual(Tilt(UniformSphere((4,)), network())),
        r"`players` act on examples of shape \(4,\), `manifold` has \(3,\)",
    ),
    "directions of another dimension": (
        lambda: dual(
            Tilt(
                FLAT.distribution, make_shallow((3,), 3, embedding=add_bias, key=jax.random.key(0))
            ),
            np.ones((5, 2)),
            FLAT,
        ),
        "`directions` must have 3 numbers each, as the embedded rows have; got 4",
    ),
    "nodes off the sphere": (
        lambda: primal(2 * np.asarray(sphere_grid(2)[0])),
        "`nodes` must be rows of length 1.*row 0 has length 2",
    ),
    "kernel radius": (
        lambda: kernel(radius=float("inf")),
        "`radius` must be above 0 and finite; got inf",
    ),
    "kernel rate": (lambda: kernel(rate=0.0), "`rate` must be above 0 and finite; got 0"),
    "kernel copies": (lambda: kernel(copies=0), "`copies` must be at least 1; got 0"),
    "kernel rows": (lambda: kernel(rows=2 * ROWS), "`rows` must be rows of length 1.*row 0"),
    "kernel of another distribution": (
        lambda: kernel(distribution=Gaussian(jnp.zeros(3))),
        "`players` must be the distribution of `manifold`: give `manifold.distribution`",
    ),
    "a sphere of one number": (lambda: UniformSphere((1,)), "`shape` must have at least 2 numbers"),
    "a grid of one point": (lambda: sphere_grid(1), "`points` must be at least 2; got 1"),
    "a divergence by three points": (
        lambda: kl_on_sphere(UniformSphere((3,)), UniformSphere((3,)), 3),
        "`points` must be at least 4; got 3",
    ),
    "one direction": (lambda: TwoNeurons(BIMODAL[:1]), r"must have shape \(2, dim\), dim >= 3"),
    "on the circle": (lambda: TwoNeurons(BIMODAL[:, :2]), r"dim >= 3; got \(2, 2\)"),
    "parallel": (lambda: TwoNeurons(BIMODAL[[0, 0]]), "`directions` must not be parallel"),
    "opposite": (lambda: TwoNeurons(BIMODAL[[0, 0]] * [[1], [-1]]), "must not be parallel"),
    "a direction of 0": (
        lambda: TwoNeurons(BIMODAL * [[1], [0]]),
        "`directions` must be finite and not 0; got lengths",
    ),
    "strength": (lambda: TwoNeurons(BIMODAL, 0.0), "`strength` must be above 0 and finite; got 0"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_sentence(what):
    make, sentence = REFUSED[what]
    with pytest.raises(ValueError, match=sentence):
        make()


def test_what_is_right_is_taken():
    """Negative control: the same calls with nothing wrong."""
    dual()
    kernel()
    primal()
    FLAT.check("rows", np.ones((2, 2)))


@pytest.mark.parametrize("made", ["a distribution", "another network"])
def test_players_of_another_kind_are_refused(made):
    """By the type where annotations are checked, by `check_players` where they are not."""
    distribution = SPHERE.distribution
    players = {
        "a distribution": distribution,
        "another network": Tilt(distribution, lambda x: jnp.sum(x)),
    }[made]
    with pytest.raises(
        TypeError, match="`players` must be a `Tilt` of a distribution by a `Shallow`"
    ):
        check_players(players, SPHERE)


def test_shares_that_do_not_fit_the_nodes_are_refused():
    with pytest.raises(Exception, match="log_shares"):
        primal(shares=jnp.zeros(3))
