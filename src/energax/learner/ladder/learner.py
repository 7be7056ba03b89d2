"""Maximum likelihood by a ladder of chains: mixing, log Z and recovery from one mechanism."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from energax.energy import AbstractDistribution, draws, float_dtype, weights
from energax.errors import Diverged
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.ladder.insertion import Growth, grow
from energax.learner.ladder.lag import Pause, find_work, measure_lag, remember
from energax.learner.ladder.log_z import Ratios
from energax.learner.ladder.rollback import (
    check_start,
    choose,
    keeps_overlap,
    retreat,
    shorten,
)
from energax.learner.ladder.rungs import TOP, Rungs, Walkers
from energax.learner.ladder.swaps import Links, move_all, swap_all
from energax.learner.ladder.watch import measure_ladder_state
from energax.learner.update import (
    apply_update,
    check_ema_decay,
    copy_arrays,
    init_memory,
    select_weights,
    update_average,
)
from energax.sampler import AbstractSampler, DiscreteLangevin, Langevin, check_space

GROUPS = 16
"""Groups of chains that never exchange states: the error of log Z is their spread."""

FAILURES = 3
"""Times that overlap is lost, without a new rung between, before training stops."""


class LadderState(eqx.Module):
    """What `Ladder` carries from update to update.

    Args:
        energy: The one in training, the top of the ladder.
        average: Running average of its weights, None where none is kept.
        optimiser: Its memory.
        rungs: Checkpoints of the energy with their chains.
        ratios: Running estimates of the links between them.
        growth: How far the making of the next rung has come.
        round: Exchange rounds made.
        rate: What the optimiser's steps are multiplied by: halved where overlap is lost.
        failures: How often that was since the last new rung.
        pause: Of the updates, while the chains of the top catch up.
        updates: All updates.

    Example:
        >>> base = ex.energy.Gaussian(jnp.zeros(1))
        >>> learner = ex.learner.Ladder(base, ex.sampler.mala(0.5), optax.sgd(0.1), chains=16)
        >>> int(learner.init(base, jnp.ones((4, 1)), key=key).rungs.count)
        1
    """

    energy: PyTree
    average: PyTree
    optimiser: PyTree
    rungs: Rungs
    ratios: Ratios
    growth: Growth
    round: Int[Array, ""]
    rate: Float[Array, ""]
    failures: Int[Array, ""]
    pause: Pause
    updates: Int[Array, ""]


class Ladder(AbstractLearner):
    """Maximum likelihood with persistent chains at checkpoints of the energy's own training.

    Rung 0 is a distribution with exact draws, the top is the energy in training, and neighbours
    exchange states: a chain of the top that is caught in a mode leaves it through the ladder. A
    rung is added when the acceptance of swaps with the top falls. log Z is the sum of Bennett's
    ratios along the ladder, so that the log-likelihood is known at every update. An update that
    loses overlap is rolled back, and so are all since the last sound checkpoint where a link
    between checkpoints is lost, chains with weights; the learning rate is halved. Where averages
    over the chains lag behind the energy, updates pause until they have caught up.

    The gradient is that of mean E(data) - mean E(chains of the top). Metrics of an update are
    those before it: `log_likelihood` of the batch, `log_z` and its standard error `log_z_error`,
    acceptance of swaps (`swap_rate_min`, `swap_rate_mean`), `rungs`, the mean of the rounds since
    the chains of the top were drawn from the base (`renewal_age`), the share of them that no swap
    takes down (`immobile_share`), the `lag` in standard deviations, `paused`, `rate_scale`.

    Args:
        base: Rung 0. Training starts near it: with an energy that has a fair share of swaps.
        sampler: Local moves. It must leave the distribution of every rung invariant.
        optimiser: Any of Optax.
        sweeps: Local moves in a round.
        rounds: Exchange rounds for each update.
        chains: On each rung, a multiple of 16: 16 groups never mix and give the error of log Z.
        max_rungs: Room for rungs above the base. When it is full, the rung whose neighbours
            overlap most makes way.
        target: Acceptance of swaps at which a rung is added; at 0.25 neighbours are 1.3 nats apart.
        alarm: Acceptance of swaps below which overlap is lost.
        step_kl: Largest divergence KL(old, new) of an update, in nats; a larger step is shortened.
        ema_decay: As in `Descent`. The metrics are those of the last weights, not of the average.

    Raises:
        ValueError: for numbers out of range; at `init`, for an energy too far from the base.
        TypeError: for a sampler that is not exact, or does not serve the energy.

    Trap: a mode that the base, the path and the chains never saw is missed without a sign; see
    `measure_ladder`. Source: Bereux, Decelle, Furtlehner, Rosset and Seoane (2024), from whom we
    differ: error bars from groups of chains, rollback before chains move, an exact base throughout.

    Example:
        >>> base = ex.energy.Gaussian(jnp.zeros(1))
        >>> learner = ex.learner.Ladder(base, ex.sampler.mala(0.5), optax.sgd(0.1), chains=16)
        >>> learner.energy(learner.init(base, jnp.ones((4, 1)), key=key)).mean.tolist()
        [0.0]
    """

    base: AbstractDistribution
    sampler: AbstractSampler
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    sweeps: int = eqx.field(static=True, default=1)
    rounds: int = eqx.field(static=True, default=1)
    chains: int = eqx.field(static=True, default=128)
    max_rungs: int = eqx.field(static=True, default=32)
    target: float = eqx.field(static=True, default=0.25)
    alarm: float = eqx.field(static=True, default=0.1)
    step_kl: float = eqx.field(static=True, default=0.01)
    ema_decay: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_ema_decay(self.ema_decay)
        if self.chains < GROUPS or self.chains % GROUPS:
            raise ValueError(f"`chains` must be a multiple of {GROUPS}; got {self.chains}.")
        if self.sweeps < 1 or self.rounds < 1 or self.max_rungs < 3:
            raise ValueError(
                "`sweeps` and `rounds` must be at least 1 and `max_rungs` at least 3; got "
                f"{self.sweeps}, {self.rounds} and {self.max_rungs}."
            )
        if not 0 < self.alarm < self.target <= 0.5:
            raise ValueError(
                "`alarm` must be above 0, `target` above it and at most 0.5; got "
                f"{self.alarm} and {self.target}."
            )
        match self.sampler:
            case Langevin():
                raise TypeError("Langevin is not exact: use `mala` or another sampler that is.")
            case DiscreteLangevin(adjusted=False):
                raise TypeError(
                    "DiscreteLangevin without its Metropolis step is not exact: leave "
                    "`adjusted=True`."
                )

    def init(self, players: PyTree, rows: Any, *, key: PRNGKeyArray) -> LadderState:
        energy = copy_arrays(players)
        moving, still = weights(energy)
        draw, go = jax.random.split(key)
        x = draws(self.base, self.chains, key=draw)
        check_space(self.sampler, energy, x[0])
        # By exact draws: swaps of chains that have not reached the energy would look fair.
        spread, kept = check_start(energy, self.base, x, self.alarm)
        if not bool(kept):
            raise ValueError(
                f"The energy differs from that of `base` by a standard deviation of {spread:.2g} "
                f"nats over its draws, which leaves fewer than `alarm` = {self.alarm} of the swaps "
                "accepted: start from an energy nearer the base."
            )
        zero = jnp.zeros((), jnp.int32)
        rungs = Rungs.create(moving, Walkers.create(x, zero), self.max_rungs + 1)
        ratios = Ratios.create(self.max_rungs + 1, GROUPS, float_dtype(moving))
        growth = Growth.create()
        carry = (rungs, ratios, zero)
        climb = eqx.filter_jit(self._climb)
        rungs, ratios, now, _ = climb(still, carry, growth.extra, key=go)
        average = None if self.ema_decay is None else moving
        memory = init_memory(self.optimiser, moving)
        state = LadderState(
            energy, average, memory, rungs, ratios, growth, now, jnp.ones((), ratios.value.dtype),
            zero, Pause.create(), zero,
        )  # fmt: skip
        return copy_arrays(state)

    def step(
        self, state: LadderState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[LadderState, Metrics]:
        still = weights(state.energy)[1]
        carry, extra = (state.rungs, state.ratios, state.round), state.growth.extra
        extra = jnp.maximum(extra, state.pause.extra)
        rungs, ratios, now, links = self._climb(still, carry, extra, key=key)
        lag, error = measure_lag(find_work(self.base, still, rungs), rungs.walkers.lag[TOP])
        pause = state.pause.advance(lag, error)
        metrics = measure_ladder_state(self.base, rungs, ratios, links, now)
        paused = (pause.rounds > 0).astype(lag.dtype)
        metrics |= {"rate_scale": state.rate, "lag": lag, "paused": paused}
        energies = jnp.mean(jax.vmap(state.energy)(batch))
        metrics |= {"log_likelihood": -energies.astype(state.rate.dtype) - metrics["log_z"]}
        acceptance = ratios.acceptance[rungs.count - 1]
        before = rungs.count
        rungs, ratios, growth = grow(rungs, ratios, state.growth, now, target=self.target)
        state = eqx.tree_at(
            lambda s: (s.rungs, s.ratios, s.growth, s.round, s.failures, s.pause),
            state,
            (rungs, ratios, growth, now, jnp.where(rungs.count > before, 0, state.failures), pause),
        )
        state, found = self._descend(state, batch, acceptance)
        return self._retreat(state), metrics | found

    def _descend(
        self, state: LadderState, batch: Any, acceptance: Float[Array, ""]
    ) -> tuple[LadderState, Metrics]:
        """An update of the weights, unless in a pause, or swaps with the top would be refused."""
        moving, still = weights(state.energy)
        x, kept = state.rungs.walkers.x[TOP], (moving, state.optimiser, state.average)

        def loss(moving: PyTree) -> tuple[Array, tuple[Array, Array]]:
            energy = jax.vmap(eqx.combine(moving, still))
            data, model = jnp.mean(energy(batch)), energy(x)
            return data - jnp.mean(model), (data, model)

        grad, (data, model) = jax.grad(loss, has_aux=True)(moving)
        proposal, memory = apply_update(self.optimiser, grad, state.optimiser, moving)
        proposal = shorten(moving, proposal, state.rate)
        width = jnp.std(jax.vmap(eqx.combine(proposal, still))(x) - model)
        paused = state.pause.rounds > 0
        safe = keeps_overlap(acceptance, width, self.alarm) | paused
        go = safe & ~paused & (state.failures < FAILURES)
        # KL(old, new) is width^2 / 2 for small steps.
        share = jnp.minimum(1, (2 * self.step_kl) ** 0.5 / jnp.maximum(width, self.step_kl))
        proposal = shorten(moving, proposal, share)
        average = update_average(self.ema_decay, state.average, proposal, state.updates)
        moving, memory, average = choose(go, (proposal, memory, average), kept)
        top = jnp.arange(len(state.rungs.order), dtype=jnp.int32) == state.rungs.count - 1
        change = jax.vmap(eqx.combine(moving, still))(x) - model
        rungs = state.rungs.with_walkers(remember(state.rungs.walkers, change, go))
        after = LadderState(
            eqx.combine(moving, still), average, memory, rungs.set_top(moving),
            state.ratios.restart(top & go), state.growth, state.round,
            jnp.where(safe, state.rate, state.rate / 2),
            state.failures + jnp.where(safe, 0, 1), state.pause, state.updates + 1,
        )  # fmt: skip
        norm = optax.tree.norm(grad)
        return after, {"energy_data": data, "energy_chain": jnp.mean(model), "grad_norm": norm}

    def _retreat(self, state: LadderState) -> LadderState:
        """Back to a sound checkpoint where a link is lost, the optimiser at its start."""
        rungs, ratios, growth, lost = retreat(
            state.rungs, state.ratios, state.growth, state.round, alarm=self.alarm
        )
        still = weights(state.energy)[1]
        moving = jax.tree.map(lambda stack: stack[TOP], rungs.weights)
        average = None if self.ema_decay is None else moving
        memory, average = choose(
            lost, (init_memory(self.optimiser, moving), average), (state.optimiser, state.average)
        )
        rate = jnp.where(lost, state.rate / 2, state.rate)
        failures = state.failures + jnp.where(lost, 1, 0)
        return LadderState(
            eqx.combine(moving, still), average, memory, rungs, ratios, growth, state.round, rate,
            failures, state.pause, state.updates,
        )  # fmt: skip

    def energy(self, state: LadderState) -> Any:
        """The trained energy, with averaged weights where they are kept, else the last ones."""
        return select_weights(state.energy, state.average)

    def check(self, state: LadderState) -> None:
        """Raise Diverged, naming the cause, where overlap was lost three times."""
        if int(state.failures) < FAILURES:
            return
        count = int(state.rungs.count)
        rates = [float(rate) for rate in state.ratios.acceptance[:count]]
        worst = min(range(count), key=rates.__getitem__)
        raise Diverged(
            f"The ladder lost overlap {FAILURES} times without a new rung, the last at "
            f"{2 * float(state.rate):.3g} of the learning rate; the fewest swaps are accepted "
            f"between rungs {worst} and {worst + 1} of {count}: {rates[worst]:.1%}. Lower the "
            "learning rate, or raise `sweeps` or `rounds`."
        )

    def exchange(
        self, still: PyTree, rungs: Rungs, now: Int[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Rungs, Links]:
        """One round: draws of the base, swaps of all neighbours, and `sweeps` local moves."""
        first, second = jax.random.split(key)
        rungs, links = swap_all(self.base, still, rungs, now, groups=GROUPS, key=first)
        return move_all(self.sampler, still, rungs, self.sweeps, key=second), links

    def _climb(
        self, still: PyTree, carry: tuple[Rungs, Ratios, Array], extra: Array, *, key: PRNGKeyArray
    ) -> tuple[Rungs, Ratios, Array, Links]:
        """`rounds` and `extra` exchange rounds, with the estimates that follow them; what the last
        says of the links."""

        def make(index: Array, carry: tuple) -> tuple:
            rungs, ratios, now, _ = carry
            go = jax.random.fold_in(key, index)
            rungs, links = self.exchange(still, rungs, now + 1, key=go)
            return rungs, ratios.update(links, rungs.active), now + 1, links

        return jax.lax.fori_loop(0, self.rounds + extra, make, (*carry, Links.create(carry[0])))
