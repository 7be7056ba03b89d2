"""Half a line for every number, and the full name of every short one."""

OBJECTIVES = {
    "pcd": "persistent contrastive divergence",
    "cd": "contrastive divergence",
    "cd-improved": "improved contrastive divergence",
    "shortrun": "short-run chains",
    "recovery": "recovery likelihood",
    "sm": "implicit score matching",
    "ssm": "sliced score matching",
    "ssm-finite": "finite-difference score matching",
    "dsm": "denoising score matching",
    "nce": "noise-contrastive estimation",
    "nce-ranking": "ranking noise-contrastive estimation",
    "nce-conditional": "conditional noise-contrastive estimation",
    "nce-self": "self-perturbed noise-contrastive estimation",
    "discrepancy": "energy discrepancy",
    "velocity": "minimum velocity learning",
    "contraction": "minimum KL contraction",
    "flow": "minimum probability flow",
    "stein": "kernel Stein discrepancy",
    "coupled": "likelihood by coupled chains",
    "dsm-levels": "denoising score matching at many levels",
    "recovery-levels": "recovery likelihood at many levels",
    "adversarial": "adversarial likelihood against a flow",
    "adversarial-generator": "adversarial likelihood against a noisy generator",
    "flow-contrastive": "flow-contrastive estimation",
    "stein-learned": "learned Stein discrepancy",
    "f-kl": "f-divergence: Kullback-Leibler",
    "f-reverse-kl": "f-divergence: reverse Kullback-Leibler",
    "f-js": "f-divergence: Jensen-Shannon",
    "f-hellinger": "f-divergence: squared Hellinger",
    "f-pearson": "f-divergence: Pearson",
    "cooperative": "cooperative training with a generator",
    "joint": "joint likelihood of rows and labels",
}

TITLES = {
    "loss": "Loss",
    "energy_data": "Energy of data and model",
    "energy_chain": "Energy of data and model",
    "energy_noise": "Energy of data and model",
    "energy_rival": "Energy of data and model",
    "grad_norm": "Gradient norm of the weights",
    "rival_grad_norm": "Gradient norm of the rival",
    "rival_loss": "Loss of the rival",
    "kernel_stein": "Kernel Stein discrepancy²",
    "modes_covered": "Modes covered",
    "mode_shares_off": "Shares of modes, error",
    "coverage": "Coverage",
    "slope": "Slope of the energy",
    "acceptance": "Acceptance of the chains",
    "displacement": "Displacement of the chains",
    "age": "Age of the buffer",
    "accuracy": "Accuracy of the classifier",
    "log_z": "log Z",
    "mmd": "MMD²",
    "rhat": "R-hat",
    "ess": "Effective sample size",
    "bits_per_dim": "Bits per dimension",
    "test_log_likelihood": "Test log-likelihood",
    "temperature": "Temperature",
    "kl": "Kullback-Leibler divergence",
}
"""Names that share a title share a panel."""

MEANINGS = {
    "loss": "what the optimiser lowers; a contrastive one hovers: no sign of progress",
    "energy_data": "mean energy of data rows, nats",
    "energy_chain energy_data": "mean energy, nats; the lines should meet, a gap: chains lag",
    "energy_data energy_noise": "mean energy in nats; data below noise, or nothing was learned",
    "energy_chain": "mean energy of the rows that the chains reached",
    "energy_data energy_rival": "mean energy, nats; they meet where the rival draws the model",
    "energy_rival": "mean energy of the rows that the rival drew",
    "rival_loss": "what the rival lowers; it hovers where neither player gains",
    "rival_grad_norm": "length of the rival's gradient before clipping",
    "unmet": "share of chain pairs that never met: each brings bias back",
    "meeting": "step at which two chains meet, on average",
    "cloud_size": "draws that count among those weighted to be the model's; few: poor gradients",
    "clipped": "share of rows at which the critic's exponential has gone straight",
    "kernel_stein": "how far the model's slopes are from those of test rows; 0 if the laws agree",
    "modes_covered": "share of the modes of the true law with at least half of their mass",
    "mode_shares_off": "total variation between the model's shares of modes and the true ones",
    "label_accuracy": "share of rows whose likeliest label is the right one",
    "cross_entropy": "minus the mean log-probability of the right label, nats",
    "coverage": "share of test rows with a draw as near as their fifth neighbour",
    "energy_noise": "mean energy of rows of the noise law",
    "grad_norm": "length of the gradient before clipping; a sudden rise announces divergence",
    "slope": "length of dE/dx, averaged over rows; near 0 chains only diffuse",
    "acceptance": "share of proposals taken; 1 for a sampler that accepts everything",
    "displacement": "root mean square move of a chain in one update; 0 means frozen",
    "age": "updates since a buffered row was started anew, on average",
    "accuracy": "share of rows told rightly from noise; 1 means that the noise is too easy",
    "log_z": "logarithm of the normaliser, nats",
    "log_z_forward": "annealed from the base law to the model: low on average",
    "log_z_reverse": "annealed from the model back to the base law: high on average",
    "mmd": "squared distance between draws and test rows, unbiased; 0 if the laws agree",
    "rhat": "spread between chains over spread within; 1 if they agree, trusted below 1.01",
    "ess": "independent draws that the chains are worth; errors shrink with its square root",
    "bits_per_dim": "code length of a test row for each dimension; lower is better",
    "test_log_likelihood": "mean log-density of a test row, nats; higher is better",
    "temperature": "temperature that step size and noise imply; 1 draws from the model itself",
    "kl": "nats lost by using the model for the true law; 0 if they agree",
    "seconds": "wall-clock time",
}

GRADES = {
    "rhat": (lambda value: value < 1.01, lambda value: value < 1.1),
    "ess": (lambda value: value >= 400, lambda value: value >= 100),
    "acceptance": (lambda value: value >= 0.3, lambda value: value >= 0.1),
}
"""When a health figure is good, and when it is at least fair. NaN is neither."""


def title(name: str) -> str:
    """The name in words; of a nested one, "outer/inner", both parts."""
    words = [TITLES.get(part, part.replace("_", " ")) for part in name.split("/")]
    words[0] = words[0] if name in TITLES else words[0][:1].upper() + words[0][1:]
    return ", ".join(words)


def grade(name: str, value: float) -> str:
    """ "good", "fair" or "poor": R-hat by Vehtari et al. (2021), the rest by house rule."""
    good, fair = GRADES[name]
    return "good" if good(value) else "fair" if fair(value) else "poor"
