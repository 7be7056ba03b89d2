"""Train an energy on a data set: the main job, as one command."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from energax.objective import Direction, Divergence, Kernel
from energax.recipe.begin import asked, resumed, trained
from energax.recipe.evaluate import Evaluate
from energax.recipe.folder import spoken
from energax.recipe.option import otherwise
from energax.recipe.report import Report
from energax.recipe.settings import Base, Network, Objective, Posterior, Settings, Transform


@dataclasses.dataclass(frozen=True)
class Train:
    """Fit an energy to a data set, then sample, evaluate and report it.

    Defaults suit the data; what was chosen is written to config.json.
    """

    data: Annotated[str, tyro.conf.Positional] = "digits"
    """A name (digits, two-moons, eight-gaussians, checkerboard, rings, mnist, fashion-mnist) or a
    path: .npy, .npz, .csv, .parquet, an idx file, a folder of images."""
    objective: Annotated[Objective | None, otherwise("nce; pcd for images")] = None
    """What is minimised. By chains: pcd (persistent contrastive divergence), cd (from the data),
    cd-improved (and through the last step), shortrun (from the base distribution), recovery (of the
    clean row from a noisy one). By slopes: sm (score matching), ssm (sliced), ssm-finite (by finite
    differences), dsm (denoising), velocity (minimum velocity), stein (kernel Stein discrepancy). By
    comparison: nce (noise-contrastive estimation), nce-ranking, nce-conditional, nce-self, flow
    (minimum probability flow), contraction (minimum KL contraction), discrepancy. Without bias, by
    chains that meet: coupled. At many levels of noise: dsm-levels, recovery-levels. Against a rival
    that learns too: adversarial (a flow), adversarial-generator, flow-contrastive, stein-learned (a
    critic), f-kl, f-reverse-kl, f-js, f-hellinger, f-pearson (f-divergences), cooperative (a
    generator), teaching (and an encoder). With labels: joint (noise contrast and cross-entropy of
    one network). One layer of neurons and particles that move together: dual."""
    steps: Annotated[
        int | None,
        otherwise(
            "2000 in the plane (800 chains, most rivals, 1000 stein-learned, 1500 stein, 3000 "
            "dual, 4000 levels) and for images, 1500 for small images, else 3000; 1000 dual "
            "outside the plane"
        ),
    ] = None
    """Updates."""
    seed: int = 0
    """Seed of everything random in the run."""
    out: Annotated[Path | None, otherwise("runs/DATA-OBJECTIVE-NUMBER")] = None
    """Folder of the run; must not exist."""
    resume: Annotated[Path | None, otherwise("begin a new run")] = None
    """Folder of a run to go on with, bit for bit; all other options come from it."""
    evaluate: bool = True
    """Evaluate and report after training; --no-evaluate trains only."""
    batch_size: Annotated[
        int | None,
        otherwise(
            "256; 512 in the plane without chains, 64 for images; 2048 dual, 1024 in the plane; at "
            "most all"
        ),
    ] = None
    """Rows in each update."""
    learning_rate: Annotated[
        float | None,
        otherwise(
            "1e-3; in the plane 5e-3, or 2e-3 by chains and stein, 1e-2 for f- and dsm-levels, "
            "1e-4 adversarial-generator, cooperative, 3e-5 teaching; 5e-4 for images, 1e-4 "
            "teaching"
        ),
    ] = None
    """Rate of Adam at the start; it falls to 0 along a cosine, unless --rate-decay is given."""
    rate_decay: Annotated[float | None, otherwise("0: the cosine")] = None
    """Factor of all rates after each pass over as many rows as there are."""
    clip: Annotated[float | None, otherwise("1")] = None
    """Largest norm of a gradient."""
    weight_decay: Annotated[float | None, otherwise("0; 1 for small images")] = None
    """Decoupled weight decay of Adam, of the energy."""
    decay: Annotated[
        float | None,
        otherwise("0.99; in the plane 0.995, or 0.998 by chains; 0.999 small images, and levels"),
    ] = None
    """Running average of the weights; 0 keeps none."""
    transform: Annotated[
        Transform | None, otherwise("standardise; marginal for small images, box for images")
    ] = None
    """From your units to the model's: standardise, box (to [-1, 1]), marginal (each pixel made
    Gaussian by its histogram), whiten (full covariance to the identity), none."""
    network: Annotated[Network | None, otherwise("conv for images, shallow for dual, else mlp")] = (
        None
    )
    """Multilayer perceptron, residual convolutions, or one layer of neurons that count alike."""
    width: Annotated[int | None, otherwise("128; 256 small images, dual; 8 for conv")] = None
    """Units of a layer, or channels of the first convolution."""
    depth: Annotated[int | None, otherwise("2")] = None
    """Hidden layers, or residual blocks."""
    spectral: bool = False
    """Bound the spectral norm of each convolution by 1."""
    base: Annotated[
        Base | None,
        otherwise(
            "gaussian in the plane (mixture by chains, most rivals and stein), box for images, "
            "else mixture"
        ),
    ] = None
    """Distribution that is tilted and that chains start from: gaussian, mixture, flow (all fitted),
    box (uniform), none."""
    components: Annotated[int | None, otherwise("10")] = None
    """Gaussians in a base of the kind mixture."""
    noise: Annotated[
        float | None,
        otherwise(
            "0.3; 0.1 for dsm, 0.5 for recovery, 0.7 for teaching; in the plane 0.05 and 0.2; of "
            "generators there 0.15, 0.2 cooperative, teaching"
        ),
    ] = None
    """dsm, recovery, nce-conditional, nce-self, flow, discrepancy, adversarial-generator,
    cooperative, teaching: standard deviation of the added noise, in model units."""
    control_variate: Annotated[bool | None, otherwise("no; yes in the plane")] = None
    """dsm: take off a term of mean 0 that carries most of the variance of small noise."""
    projections: Annotated[int | None, otherwise("1")] = None
    """ssm, ssm-finite: random directions for each row."""
    plain: bool = False
    """ssm: the plain form instead of the variance-reduced one."""
    direction: Direction = "rademacher"
    """ssm, ssm-finite: distribution of the directions."""
    noise_ratio: Annotated[
        int | None,
        otherwise(
            "4; 2 in the plane, 1 for small images and flow-contrastive, 8 adversarial-generator"
        ),
    ] = None
    """nce, nce-ranking, joint, f-, flow-contrastive: noise rows for each data row; nce-conditional,
    flow, contraction, discrepancy: points that each row is compared with; adversarial-generator:
    proposals."""
    divergence: Divergence = "logistic"
    """nce, joint: Bregman divergence of the density ratio: logistic, kl (importance sampling),
    squared."""
    kernel: Kernel = "multiquadric"
    """stein: inverse multiquadric or Gaussian."""
    bandwidth: Annotated[float | None, otherwise("0; 0.06 in the plane")] = None
    """stein: width of the kernel in model units; 0 for the median distance within a batch."""
    levels: Annotated[int | None, otherwise("10; in the plane 4, or 3 for recovery-levels")] = None
    """dsm-levels, recovery-levels: levels of noise, evenly spaced in their logarithm."""
    broadest: Annotated[float | None, otherwise("1")] = None
    """dsm-levels, recovery-levels: the first level, in model units."""
    finest: Annotated[float | None, otherwise("0.08; in the plane 0.05 for recovery-levels")] = None
    """dsm-levels, recovery-levels: the last level, whose energy is kept."""
    rounds: Annotated[
        int | None,
        otherwise("1; in the plane 2 f-reverse-kl, 3 or 4 stein-learned, adversarial"),
    ] = None
    """Games: updates of the rival for each of the energy."""
    rival_rate: Annotated[
        float | None,
        otherwise(
            "1e-3; in the plane 2e-3 adversarial, stein-learned, 3e-3 generators, 3e-4 "
            "flow-contrastive, 1e-2 f-; for images 3e-4 teaching"
        ),
    ] = None
    """Games, teaching: rate of Adam for the rival, or the generator, at the start."""
    momentum: Annotated[
        float | None,
        otherwise(
            "0.9; 0 in the plane for rivals that draw, critics of slopes, f-reverse-kl, f-pearson"
        ),
    ] = None
    """Running average of the gradient in Adam, of all players (b1)."""
    square_momentum: Annotated[float | None, otherwise("0.999")] = None
    """Running average of the squared gradient in Adam, of all players (b2)."""
    rival_decay: Annotated[float | None, otherwise("0")] = None
    """Games, teaching: decoupled weight decay of Adam, of the networks beside the energy."""
    rival_width: Annotated[int | None, otherwise("128; 16 for teaching on images")] = None
    """Games, teaching: units of a layer, or channels, of the networks beside the energy."""
    encoder_width: Annotated[
        int | None, otherwise("that of --rival-width: 128; 16 for teaching on images")
    ] = None
    """teaching: units of a layer of the encoder, or channels of its first convolution."""
    halvings: Annotated[int | None, otherwise("2")] = None
    """teaching with conv: how often generator and encoder double and halve the image."""
    anchor: Annotated[float | None, otherwise("1")] = None
    """flow-contrastive: weight of the flow's own likelihood of the data."""
    posterior: Annotated[Posterior | None, otherwise("encoder; none cooperative")] = None
    """teaching: where z of a row comes from. By chains on z: encoder (from its draw), prior (from
    N(0, I)), kept (from the row's last visit); variational (the encoder's draw), none."""
    latent: Annotated[int | None, otherwise("16; 2 in the plane, 64 for images")] = None
    """teaching, cooperative: numbers of z."""
    latent_steps: Annotated[int | None, otherwise("10")] = None
    """teaching: Langevin steps on z in each update; 0 for none."""
    latent_step_size: Annotated[float | None, otherwise("5e-3")] = None
    """teaching: h of those steps; it must fall with the square of --noise."""
    synthetic: Annotated[
        float | None, otherwise("0.1, 50 for images; cooperative 0.09, 0.04 in the plane")
    ] = None
    """teaching, cooperative: weight, for the generator, of its draws as the energy revised them."""
    imitation: Annotated[float | None, otherwise("0.1")] = None
    """teaching: weight, for the encoder, of the z of those draws."""
    through: Annotated[float | None, otherwise("0")] = None
    """teaching: weight, for the generator, of the energy at its draws less log q(z | draw)."""
    again: Annotated[bool | None, otherwise("yes; no cooperative")] = None
    """teaching: revise anew for the energy, after the generator has moved."""
    encoder_rate: Annotated[float | None, otherwise("1e-3; 3e-3 plane, 3e-4 images")] = None
    """teaching: rate of Adam for the encoder at the start."""
    labels: Annotated[int | None, otherwise("as many as the data have, 0 for none")] = None
    """joint: how many labels there are."""
    label_weight: Annotated[float | None, otherwise("1")] = None
    """joint: weight of the cross-entropy of the labels."""
    copies: Annotated[int | None, otherwise("2")] = None
    """dual: particles for each row of a batch, an even number."""
    restart: Annotated[float | None, otherwise("0")] = None
    """dual: probability that a particle starts again at a row, before each step; 1 is score
    matching."""
    direction_step: Annotated[float | None, otherwise("2; 1 in the plane")] = None
    """dual: step of the directions of neurons; 0 fixes them."""
    weight_step: Annotated[float | None, otherwise("2")] = None
    """dual: step of the logarithms of their weights."""
    radius: Annotated[float | None, otherwise("200; 600 in the plane")] = None
    """dual: largest mean weight, a bound on the variation norm; 0 for none."""
    chain_steps: Annotated[
        int | None,
        otherwise(
            "20; 40 recovery, recovery-levels; in the plane 40 cooperative, 30 coupled and "
            "recovery-levels"
        ),
    ] = None
    """Chains: Langevin steps in each update; coupled: the most that a pair makes."""
    step_size: Annotated[
        float | None,
        otherwise(
            "4e-3 in the plane (0.02 coupled, 0.01 cooperative), 0.025 recovery elsewhere, 0.1 "
            "recovery-levels, 0.05 for small images, 10 for images, else 0.01"
        ),
    ] = None
    """Chains: h in x' = x - h dE/dx + noise, in model units; recovery-levels: in units of the noise
    between two levels."""
    chain_noise: Annotated[
        float | None, otherwise("sqrt(2 h), which is temperature 1; 0.01 for images")
    ] = None
    """Chains: standard deviation of that noise; the temperature is noise^2 / (2 h)."""
    chain_clip: Annotated[float | None, otherwise("0; 0.01 for images")] = None
    """Chains: bound on each component of dE/dx; 0 for none."""
    buffer_size: Annotated[int | None, otherwise("8192; 2048 in the plane, 4096 for images")] = None
    """pcd: chains that are kept."""
    fresh: Annotated[
        float | None,
        otherwise(
            "0.05; 0.1 in the plane, 0.02 for images; teaching 0.01, but 1 in both, "
            "with --no-again and without steps"
        ),
    ] = None
    """pcd: share of chains that start again from the base distribution; teaching: of the chains
    that the energy is told from the rows, from the generator."""
    energy_penalty: Annotated[
        float | None,
        otherwise(
            "0; 1 for images and in the plane for adversarial-generator, cooperative; 0.01 "
            "adversarial"
        ),
    ] = None
    """Chains, and rivals that draw: weight of the spread of E over data and model."""
    chunk_steps: Annotated[int | None, otherwise("100; 10 for images")] = None
    """Updates in one compiled program, between two lines of the log."""
    checkpoint_every: Annotated[int | None, otherwise("500; 100 for images")] = None
    """Updates between checkpoints, rounded up to a chunk."""
    test_fraction: float = 0.2
    """Share of a file's rows that is kept for the test, where the file does not say."""

    def __call__(self) -> None:
        if self.resume is None:
            folder = asked(self.data, self.test_fraction, self.out, self._chosen())
        else:
            folder = resumed(self.resume, self._given())
        trained(folder)
        if self.evaluate:
            Evaluate(folder.path)()
            Report(folder.path)()
        else:
            print(f"Trained {folder.path}; measure it by: {spoken('evaluate', folder)}")

    def _chosen(self) -> dict[str, Any]:
        """The options that are settings of the run, None where nothing was given."""
        names = [field.name for field in dataclasses.fields(Settings)]
        return {name: getattr(self, name) for name in names}

    def _given(self) -> list[str]:
        """The options that were given, but for those of the command alone."""
        return [
            field.name
            for field in dataclasses.fields(self)
            if field.name not in ("resume", "evaluate")
            and getattr(self, field.name) != field.default
        ]
