"""Titles and explanations of the metrics that a page shows."""

TITLES = {
    "loss": "Loss",
    "energy_data": "Energy of data and model",
    "energy_chain": "Energy of data and model",
    "energy_noise": "Energy of data and model",
    "energy_rival": "Energy of data and model",
    "grad_norm": "Gradient norm of the weights",
    "rival_grad_norm": "Gradient norm of the rival",
    "rival_loss": "Loss of the rival",
    "generator_loss": "Loss of the generator",
    "generator_data": "Reconstruction negative log-likelihood",
    "generator_grad_norm": "Gradient norm of the generator",
    "generator_weight_norm": "Norm of the weights",
    "generator_size": "Root mean square of the draws",
    "encoder_loss": "Loss of the encoder",
    "encoder_data": "Loss of the encoder on data rows",
    "encoder_grad_norm": "Gradient norm of the encoder",
    "encoder_weight_norm": "Norm of the weights",
    "encoder_size": "Root mean square of the draws",
    "weight_norm": "Norm of the weights",
    "variation": "Mean weight of the neurons",
    "distance": "Distance between particles and rows",
    "latent_grad_norm": "Gradient norm of the posterior of z",
    "latent_displacement": "Displacement of the chains on z",
    "kernel_stein": "Kernel Stein discrepancy²",
    "modes_covered": "Modes covered",
    "mode_shares_off": "Error of the mode weights",
    "coverage": "Coverage",
    "input_grad_norm": "Gradient norm of the energy in x",
    "slope": "Gradient norm of the energy in x",
    "acceptance": "Acceptance rate of the chains",
    "displacement": "Displacement of the chains",
    "age": "Age of the buffer",
    "accuracy": "Accuracy of the classifier",
    "unmet": "Chain pairs that never met",
    "meeting": "Meeting time of chain pairs",
    "effective_size": "Effective size of the weighted draws",
    "clipped": "Rows beyond the clip",
    "label_accuracy": "Accuracy of the labels",
    "log_z": "log Z",
    "log_z_forward": "log Z, forward",
    "log_z_reverse": "log Z, reverse",
    "mmd": "MMD²",
    "rhat": "R-hat",
    "ess": "Effective sample size",
    "bits_per_dim": "Bits per dimension",
    "test_log_likelihood": "Test log-likelihood",
    "temperature": "Temperature",
    "kl": "Kullback-Leibler divergence",
    "seconds": "Seconds",
}
"""Metrics with the same title share a panel."""

MEANINGS = {
    "loss": "what the optimiser minimises; with chains it hovers and does not show progress",
    "energy_data": "mean energy of data rows, nats",
    "energy_chain energy_data": "mean energy, nats; the lines should meet: a gap means slow chains",
    "energy_data energy_noise": "mean energy, nats; data must fall below noise",
    "energy_chain": "mean energy at the ends of the chains, nats",
    "energy_data energy_rival": "mean energy, nats; equal where the rival has learned the model",
    "energy_rival": "mean energy of the rival's draws, nats",
    "rival_loss": "what the rival minimises; constant where neither side gains",
    "rival_grad_norm": "norm of the rival's gradient before clipping",
    "generator_loss": "what the generator minimises, nats; it does not show progress",
    "generator_data": "mean of -log p(x | z) over data rows, at the z inferred for each, nats",
    "generator_grad_norm": "norm of the generator's gradient before clipping",
    "encoder_loss": "what the encoder minimises, nats",
    "encoder_data": "the encoder's loss on data rows, -log q(z | x) at the inferred z, nats",
    "encoder_grad_norm": "norm of the encoder's gradient before clipping",
    "latent_grad_norm": "norm of the gradient in z at the ends of the posterior chains",
    "latent_displacement": "root mean square move of z in one update; 0: the chains have no effect",
    "encoder_weight_norm generator_weight_norm weight_norm": "norm of the weights of each network",
    "encoder_size generator_size": "root mean square of the draws of generator and encoder",
    "generator_size": "root mean square of the generator's draws",
    "unmet": "share of chain pairs that never met; each one leaves a bias",
    "meeting": "mean step at which the two chains of a pair meet",
    "effective_size": "effective number of the weighted draws; a small one gives noisy gradients",
    "clipped": "share of rows where the critic's exponential continues as a straight line",
    "kernel_stein": "distance between the model's score and the test rows; 0 if they agree",
    "modes_covered": "share of the true modes to which the model gives at least half their weight",
    "mode_shares_off": "total variation between the mode weights of the model and the true ones",
    "label_accuracy": "share of rows whose most probable label is the right one",
    "cross_entropy": "minus the mean log-probability of the right label, nats",
    "variation": "bound on the variation norm of f; steady growth means that training diverges",
    "distance": "largest difference of a neuron's mean over particles and over rows; should fall",
    "coverage": "share of test rows with a draw closer than their fifth nearest neighbour",
    "energy_noise": "mean energy of draws of the noise distribution, nats",
    "grad_norm": "norm of the gradient before clipping; a sudden rise is a sign of divergence",
    "input_grad_norm": "norm of dE/dx, averaged over rows; near 0 the chains only diffuse",
    "slope": "norm of dE/dx, averaged over rows; near 0 the chains only diffuse",
    "acceptance": "share of proposals accepted; 1 for a sampler that accepts everything",
    "displacement": "root mean square move of a chain, or share of its sites changed; 0: frozen",
    "age": "mean number of updates since a chain of the buffer was restarted",
    "accuracy": "share of rows classified correctly as data or noise; at 1 the noise is too easy",
    "log_z": "logarithm of the normalising constant, nats",
    "log_z_forward": "from the base distribution to the model, biased low; equal by quadrature",
    "log_z_reverse": "from the model to the base distribution, biased high; equal by quadrature",
    "mmd": "squared distance between draws and test rows; 0 if the distributions agree",
    "rhat": "variance of all chains over variance within chains; 1 if they agree, good below 1.01",
    "ess": "number of independent draws that the chains are worth",
    "bits_per_dim": "code length of a test row for each dimension; lower is better",
    "test_log_likelihood": "mean log-density of a test row, nats; higher is better",
    "temperature": "temperature that step size and noise imply; 1 draws from the model itself",
    "kl": "Kullback-Leibler divergence of the model from the true distribution, nats",
    "seconds": "wall-clock time",
}
"""Short explanations, by metric; for a panel of several, by their sorted names."""

GRADES = {
    "rhat": (lambda value: value < 1.01, lambda value: value < 1.1),
    "ess": (lambda value: value >= 400, lambda value: value >= 100),
    "acceptance": (lambda value: value >= 0.3, lambda value: value >= 0.1),
}
"""Thresholds of "good" and "fair" for each figure of chain health; NaN is "poor"."""


def title_of(name: str) -> str:
    """The title of a name; for a nested one, "outer/inner", of both parts."""
    words = [TITLES.get(part, part.replace("_", " ")) for part in name.split("/")]
    words[0] = words[0] if name in TITLES else words[0][:1].upper() + words[0][1:]
    return ", ".join(words)


def grade(name: str, value: float) -> str:
    """ "good", "fair" or "poor": R-hat after Vehtari et al. (2021), the rest by rule of thumb."""
    good, fair = GRADES[name]
    return "good" if good(value) else "fair" if fair(value) else "poor"
