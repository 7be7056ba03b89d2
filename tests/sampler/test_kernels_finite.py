"""Each kernel of bits and categories leaves an enumerated distribution as it is: by its whole
transition matrix, p T = p, and by draws that tie the code to the matrix."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from enumeration import distribution
from scipy.special import softmax
from scipy.stats import chi2

from energax.energy import (
    BernoulliRBM,
    Ising,
    Neural,
    NonTrainable,
    Tempered,
    change_energies,
    colour_sites,
    lattice_edges,
)
from energax.network import MLP
from energax.sampler import (
    BlockGibbs,
    DiscreteLangevin,
    Gibbs,
    GibbsWithGradients,
    PathAuxiliary,
    State,
    run,
)
from energax.sampler.informed import Local, Move, look
from energax.space import Bits, Categories

SPACES = {"bits": Bits((2, 2)), "categories": Categories((3,), 3)}
EXACT = 1e-12
FAULT = 1e-3
"""What a planted fault moves p by, at least."""


@functools.cache
def problem(name):
    """A network that is linear in no site, its probabilities, and all points."""
    space = SPACES[name]
    points = space.enumerate()
    rng = np.random.default_rng(1)
    size = space.sites * (1 if name == "bits" else space.states)
    into, out = 1.2 * rng.normal(size=(6, size)), 1.5 * rng.normal(size=6)
    energy = Neural(
        lambda e: out @ jnp.tanh(into @ e.ravel()) + jnp.sum(e.ravel()) ** 2 / 20, space
    )
    return energy, points, distribution(energy)[1]


@functools.cache
def looks(name):
    """`look` at each point."""
    energy, points, _ = problem(name)
    return jax.jit(jax.vmap(lambda x: look(energy, x, "test")))(points)


def moves(name, kernel):
    """Every move of a kernel from a point, as rows of sites, values and counts; x stands for -1."""
    space = SPACES[name]
    if isinstance(kernel, DiscreteLangevin):
        values = np.asarray(space.enumerate(), np.int32).reshape(space.count, -1)
        sites = np.broadcast_to(np.arange(space.sites), values.shape)
        return sites, values, np.full(len(values), space.sites)
    most = 1 if isinstance(kernel, GibbsWithGradients) else min(2 * kernel.length - 1, space.sites)
    rows = []
    for count in range(1, most + 1):
        for sites in itertools.permutations(range(space.sites), count):
            for shifts in itertools.product(range(1, space.states), repeat=count):
                unused = [site for site in range(space.sites) if site not in sites]
                rows.append(([*sites, *unused][:most], [*shifts, *[0] * most][:most], count))
    sites, values, counts = zip(*rows, strict=True)
    return np.asarray(sites), np.asarray(values, np.int32), np.asarray(counts)


@eqx.filter_jit
def transitions(kernel, local, space, moves, accept):
    """Of each point and each move: where it leads, its probability, and its acceptance."""
    sites, values, counts = moves
    shifts = not isinstance(kernel, DiscreteLangevin)

    def one(here, where, what, count):
        new = (here.x[where] + what) % space.states if shifts else what
        move = Move(where, new, count)
        to = space.number(move.apply(here.x))
        there = jax.tree.map(lambda leaf: leaf[to], local)
        chance = jnp.exp(kernel.log_probability(here, move))
        return to, chance, accept(kernel, here, there, move)

    every = jax.vmap(jax.vmap(one, (None, 0, 0, 0)), (0, None, None, None))
    return every(local, sites, values, counts)


@functools.cache
def matrix(name, kernel, acceptance=None):
    """The transition matrix: each point, each move, its probability, and its acceptance."""
    space, kernel = SPACES[name], INFORMED[kernel]
    every = moves(name, kernel)
    accept = acceptance or type(kernel).acceptance
    to, chance, taken = map(np.asarray, transitions(kernel, looks(name), space, every, accept))
    if isinstance(kernel, PathAuxiliary):
        chance = chance / len(np.unique(every[2]))
    assert np.allclose(chance.sum(axis=1), 1, atol=1e-12)
    found = np.zeros((space.count, space.count))
    row = np.broadcast_to(np.arange(space.count)[:, None], to.shape)
    np.add.at(found, (row, to), chance * taken)
    np.add.at(found, (row, row), chance * (1 - taken))
    return found


def drift(name, found):
    """How far p moves in one step."""
    p = problem(name)[2]
    return np.abs(p @ found - p).max()


INFORMED = {
    "gradients": GibbsWithGradients(0.0),
    "gradients, lazy": GibbsWithGradients(0.3),
    "langevin, tiny": DiscreteLangevin(0.1),
    "langevin": DiscreteLangevin(0.5),
    "langevin, large": DiscreteLangevin(2.0),
    "path": PathAuxiliary(2),
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kernel", INFORMED)
def test_an_informed_kernel_leaves_p_and_is_reversible(kernel, name):
    """B8, B10, B11."""
    found, p = matrix(name, kernel), problem(name)[2]
    assert drift(name, found) < EXACT
    flow = p[:, None] * found
    assert np.allclose(flow, flow.T, atol=EXACT)


def without_ratio(kernel, here, there, move):
    """A planted fault: no proposals in the acceptance."""
    return jnp.exp(jnp.minimum(here.energy - there.energy, 0))


def with_replacement(kernel, here, there, move):
    """A planted fault: the probability of a path as if a site could be drawn twice."""

    def log_chance(local, values):
        weights = jnp.where(jax.nn.one_hot(local.x, local.space.states) == 1, -jnp.inf, 0)
        pairs = jax.nn.log_softmax(weights - local.changes / 2, axis=None)
        return jnp.sum(jnp.where(move.mask, pairs[move.sites, values], 0))

    back = log_chance(there, here.x[move.sites])
    ratio = here.energy - there.energy + back - log_chance(here, move.values)
    return jnp.exp(jnp.minimum(ratio, 0))


def penalty_of_bits(kernel, here, there, move):
    """A planted fault: proposals of one size, accepted as if they were of another."""
    wrong = eqx.tree_at(lambda k: k.step_size, kernel, 2 * kernel.step_size)
    return type(kernel).acceptance(wrong, here, there, move)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("kernel", "fault"),
    [
        ("gradients", without_ratio),
        ("langevin", without_ratio),
        ("path", without_ratio),
        ("path", with_replacement),
        ("langevin", penalty_of_bits),
    ],
)
def test_a_wrong_acceptance_is_seen(kernel, fault, name):
    """Negative control."""
    assert drift(name, matrix(name, kernel, fault)) > FAULT


def test_the_penalty_is_that_of_embedded_values():
    """B10: bits at distance 1, categories at squared distance 2, of the same two states."""
    x, to = jnp.zeros(1, jnp.int32), Move(jnp.arange(1), jnp.ones(1, jnp.int32), jnp.array(1))

    def odds(space, a):
        local = Local(space, x, jnp.zeros(()), jnp.zeros((1, 2)))
        chance = float(jnp.exp(DiscreteLangevin(a).log_probability(local, to)))
        return np.log(chance / (1 - chance))

    assert odds(Bits((1,)), 0.2) == pytest.approx(-1 / 0.4)
    assert odds(Categories((1,), 2), 0.2) == pytest.approx(-1 / 0.2)


def unadjusted_error(energy, space, a):
    """Total variation between p and the stationary distribution of unadjusted steps."""
    points = space.enumerate()

    def row(x):
        here, sites = look(energy, x, "test"), jnp.arange(space.sites)
        return jax.vmap(
            lambda to: jnp.exp(
                DiscreteLangevin(a, adjusted=False).log_probability(
                    here, Move(sites, to.reshape(-1).astype(jnp.int32), jnp.array(space.sites))
                )
            )
        )(points)

    found = np.linalg.matrix_power(np.asarray(jax.jit(jax.vmap(row))(points)), 2**30)
    return np.abs(found[0] - distribution(energy)[1]).sum() / 2


def test_small_unadjusted_steps_are_exact_where_the_energy_is_of_degree_two():
    """B10: the error falls to 0 with the step where E is at most quadratic in each site, not else:
    the mean of the two gradients of a flip is then its difference of energies."""
    space = Bits((3,))
    pairs = Neural(lambda e: e[0] * e[1] - 2 * e[1] * e[2] + e[0] ** 2, space)
    errors = [unadjusted_error(pairs, space, a) for a in (0.5, 0.1, 0.05)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2] > 0
    cubic = Neural(lambda e: pairs.extend(e) + e[0] ** 3, space)
    assert unadjusted_error(cubic, space, 0.05) > 0.02


@pytest.mark.parametrize("laziness", [0.0, 0.05])
def test_parity_on_a_flat_energy(laziness):
    """B9: the eigenvalue -1 of the published kernel, and none of a lazy one."""
    space = Bits((3,))
    flat = Neural(lambda e: 0 * jnp.sum(e), space)
    kernel, points = GibbsWithGradients(laziness), space.enumerate()

    def chance(x, site):
        here = look(flat, x, "test")
        move = Move(site[None], 1 - here.x[site][None], jnp.array(1))
        there = look(flat, move.apply(x), "test")
        taken = kernel.acceptance(here, there, move) * jnp.exp(kernel.log_probability(here, move))
        return space.number(move.apply(x)), taken

    every = jax.jit(jax.vmap(jax.vmap(chance, (None, 0)), (0, None)))
    to, taken = every(points, np.arange(3))
    found = np.zeros((8, 8))
    np.add.at(found, (np.arange(8)[:, None], np.asarray(to)), np.asarray(taken))
    found += np.diag(1 - found.sum(axis=1))
    lowest = np.linalg.eigvalsh(found)[0]
    assert lowest == pytest.approx(-1 + 2 * laziness, abs=1e-12)


@functools.cache
def site_matrices(name, kernel):
    """The transition matrix of a draw of each site."""
    kernel = GIBBS[kernel]
    energy, points, _ = problem(name)
    space = SPACES[name]

    def row(x):
        changes = change_energies(energy, x, space)
        chances = kernel.transition(changes, x.reshape(-1).astype(jnp.int32))
        sites, states = jnp.meshgrid(jnp.arange(space.sites), jnp.arange(space.states))
        ends = jax.vmap(lambda i, c: space.number(x.reshape(-1).at[i].set(c.astype(x.dtype))))
        return ends(sites.T.ravel(), states.T.ravel()).reshape(chances.shape), chances

    to, chances = map(np.asarray, jax.jit(jax.vmap(row))(points))
    found = np.zeros((space.sites, space.count, space.count))
    for site in range(space.sites):
        np.add.at(found[site], (np.arange(space.count)[:, None], to[:, site]), chances[:, site])
    return found


GIBBS = {
    "systematic": Gibbs(),
    "random": Gibbs("random"),
    "metropolised": Gibbs(metropolised=True),
    "metropolised, random": Gibbs("random", metropolised=True),
}


def sweep_matrix(name, kernel):
    """That of a whole sweep."""
    sites = site_matrices(name, kernel)
    if GIBBS[kernel].scan == "random":
        return np.linalg.matrix_power(sites.mean(axis=0), len(sites))
    return functools.reduce(np.matmul, sites)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kernel", GIBBS)
def test_gibbs_leaves_p_and_is_reversible_where_it_says(kernel, name):
    """B7."""
    found, p = sweep_matrix(name, kernel), problem(name)[2]
    assert np.allclose(found.sum(axis=1), 1, atol=1e-12)
    assert drift(name, found) < EXACT
    flow = p[:, None] * found
    assert np.allclose(flow, flow.T, atol=EXACT) == ("random" in kernel)


def test_metropolised_gibbs_moves_more_often():
    plain, often = (site_matrices("categories", k) for k in ("systematic", "metropolised"))
    assert np.all(often[:, ~np.eye(27, dtype=bool)] >= plain[:, ~np.eye(27, dtype=bool)] - EXACT)
    assert np.trace(often[0]) < np.trace(plain[0]) - 1


ALL = {name: INFORMED[name] for name in ("gradients, lazy", "langevin", "path")} | GIBBS
"""The kernels whose code differs."""


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kernel", ALL)
def test_steps_are_drawn_from_the_matrix(kernel, name, key):
    """Chi-square of 40,000 steps from one point, one false alarm in 1e6 keys; and the acceptance
    is the chance that a proposal is accepted."""
    sampler, (energy, points, _) = ALL[kernel], problem(name)
    space = SPACES[name]
    start, found = 5, (sweep_matrix if kernel in GIBBS else matrix)(name, kernel)

    def go(key):
        state, info = sampler.step(energy, sampler.init(energy, points[start], key=key), key=key)
        return space.number(state.x), info.acceptance, info.energy - energy(state.x)

    ends, rates, off = jax.jit(jax.vmap(go))(jax.random.split(key, 40_000))
    counts = np.bincount(np.asarray(ends), minlength=space.count)
    assert fits(counts, found[start])
    assert not fits(counts, found[start + 1])  # negative control
    assert float(jnp.abs(off).max()) < 1e-12
    if kernel in ("gradients, lazy", "path"):
        assert agrees((np.asarray(ends) != start) - np.asarray(rates), 0.0)


def fits(counts, expected):
    """Chi-square over cells of at least 5 expected counts, the others together."""
    total = counts.sum()
    many = expected * total >= 5
    if np.any(counts[expected < 1e-15]):
        return False
    seen = np.append(counts[many], counts[~many].sum())
    right = np.append(expected[many], expected[~many].sum()) * total
    keep = right > 0
    return np.sum((seen - right)[keep] ** 2 / right[keep]) < chi2.isf(1e-6, max(keep.sum() - 1, 1))


def colour_matrix(energy, groups):
    """The transition matrix of `Gibbs` with these colours: sites of one colour independent."""
    space = energy.space
    points = space.enumerate()
    changes = jax.jit(jax.vmap(lambda x: change_energies(energy, x, space)))(points)
    chances = softmax(-np.asarray(changes), axis=2)
    bits = np.asarray(points).reshape(space.count, -1)
    found = np.eye(space.count)
    for group in groups:
        one = np.ones((space.count, space.count))
        for site in range(space.sites):
            if site in group:
                one *= chances[:, site][:, bits[:, site]]
            else:
                one *= bits[:, site][:, None] == bits[:, site][None]
        found = found @ one
    return found


def test_colours_leave_p_where_neighbours_differ():
    """B7: a ring of 5 needs three colours; with two, neighbours move at once."""
    energy = Neural(lambda e: jnp.sum((2 * e - 1) * jnp.roll(2 * e - 1, 1)), Bits((5,)))
    edges = np.stack([np.arange(5), np.roll(np.arange(5), 1)], -1)
    p = distribution(energy)[1]

    def off(colours):
        return np.abs(p @ colour_matrix(energy, colours) - p).max()

    assert off(colour_sites(edges, 5)) < EXACT
    assert off([[0, 2, 4], [1, 3]]) > FAULT  # negative control


def test_colours_that_leave_a_site_out_are_refused(key):
    energy, points, _ = problem("bits")
    with pytest.raises(ValueError, match="`colours` must hold each site from 0 to 3 once; got 3"):
        run(Gibbs(colours=[[0, 2], [1]]), energy, points[0], 1, key=key)


def test_colours_draw_from_their_matrix(key):
    """As for the other kernels; one false alarm in 1e6 keys."""
    edges = lattice_edges((2, 3))
    energy = Ising(np.full(len(edges), 0.4), np.full((2, 3), 0.2), edges)
    colours = colour_sites(edges, 6)
    expected = colour_matrix(energy, colours)
    start = energy.space.points(np.array([5]))[0]
    sampler = Gibbs(colours=colours)

    def go(key):
        return energy.space.number(sampler.step(energy, State(start), key=key)[0].x)

    ends = jax.jit(jax.vmap(go))(jax.random.split(key, 40_000))
    counts = np.bincount(np.asarray(ends), minlength=64)
    assert fits(counts, expected[5])
    other = np.argmax(np.abs(expected - expected[5]).sum(axis=1))
    assert not fits(counts, expected[other])  # negative control


def bernoulli(chances, points):
    """Probability of each point, for each row of probabilities of a one."""
    both = np.where(points[None] == 1, chances[:, None], 1 - chances[:, None])
    return both.prod(axis=2)


@eqx.filter_jit
def both_means(rbm, downwards, x, h):
    return jax.vmap(rbm.hidden_given_visible)(x), jax.vmap(downwards.visible_given_hidden)(h)


def rbm_matrix(rbm, rounds, downwards=None):
    """Rounds of h given x, then x given h, of another machine where one is given."""
    x, h = (np.asarray(Bits((n,)).enumerate()) for n in (3, 2))
    up, down = map(np.asarray, both_means(rbm, downwards or rbm, x, h))
    return np.linalg.matrix_power(bernoulli(up, h) @ bernoulli(down, x), rounds)


@pytest.mark.parametrize("rounds", [1, 3])
def test_blocks_leave_p_and_are_drawn_from_their_matrix(rounds, key):
    """B7; chi-square of 20,000 steps, one false alarm in 1e6 keys."""
    weights = 2 * np.random.default_rng(3).normal(size=(3, 2))
    rbm, wrong = (
        BernoulliRBM(w, np.full(3, -0.5), np.full(2, 0.3)) for w in (weights, weights / 2)
    )
    points, p = rbm.space.enumerate(), distribution(rbm)[1]
    found = rbm_matrix(rbm, rounds)
    assert np.abs(p @ found - p).max() < EXACT
    assert np.abs(p @ rbm_matrix(rbm, rounds, wrong) - p).max() > FAULT  # negative control
    walk = BlockGibbs(rounds)
    go = jax.vmap(lambda k: rbm.space.number(walk.step(rbm, State(points[1]), key=k)[0].x))
    counts = np.bincount(np.asarray(jax.jit(go)(jax.random.split(key, 20_000))), minlength=8)
    assert fits(counts, found[1])
    assert not fits(counts, rbm_matrix(rbm, rounds, wrong)[1])


def test_blocks_are_of_temperature_one(key):
    rbm = BernoulliRBM(jnp.ones((3, 2)), jnp.zeros(3), jnp.zeros(2))
    start = jnp.zeros(3, jnp.uint8)
    assert run(BlockGibbs(), NonTrainable(rbm), start, 2, key=key)[1].shape == (2, 3)
    with pytest.raises(TypeError, match="BlockGibbs needs a restricted Boltzmann machine"):
        run(BlockGibbs(), Tempered(rbm, 2.0), start, 2, key=key)


@pytest.mark.parametrize("kernel", ALL)
def test_a_plain_function_is_refused(kernel, key):
    with pytest.raises(TypeError, match=r"names its space of bits or categories: wrap a function"):
        run(ALL[kernel], lambda x: 0.0 * jnp.sum(x), jnp.zeros(3, jnp.uint8), 1, key=key)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Gibbs("sideways"), '`scan` must be "systematic" or "random"; got \'sideways\''),
        (lambda: Gibbs("random", colours=[[0], [1]]), "Colours take turns"),
        (lambda: BlockGibbs(0), "`rounds` must be at least 1; got 0"),
        (lambda: GibbsWithGradients(1.0), r"`laziness` must be in \[0, 1\); got 1.0"),
        (lambda: PathAuxiliary(0), "`length` must be at least 1; got 0"),
        (lambda: DiscreteLangevin(0.0), "`step_size` must be above 0; got 0.0"),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("kernel", ALL)
def test_precision_is_that_of_the_energy(kernel, precision):
    """Also with a float32 energy where float64 is on."""
    space = Categories((3,), 3)
    weights = jnp.ones((3, 3), precision)
    energy = Neural(MLP((3, 3), 4, 1, key=jax.random.key(0)), space)
    energy = jax.tree.map(
        lambda a: a.astype(weights.dtype) if eqx.is_inexact_array(a) else a, energy
    )

    def walk(x):
        return run(ALL[kernel], energy, x, 3, key=jax.random.key(0), keep=lambda s, i: (s.x, i))

    state, (x, info) = jax.eval_shape(walk, jnp.zeros(3, jnp.uint8))
    assert {leaf.dtype for leaf in jax.tree.leaves(info)} == {weights.dtype}
    assert x.dtype == state.x.dtype == jnp.uint8
