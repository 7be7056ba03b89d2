"""What is an energy?"""

from energax.energy.autoencoder import DenoisingAutoencoder as DenoisingAutoencoder
from energax.energy.base import AbstractEnergy as AbstractEnergy
from energax.energy.base import AbstractLaw as AbstractLaw
from energax.energy.base import Energy as Energy
from energax.energy.base import Fixed as Fixed
from energax.energy.base import detached as detached
from energax.energy.base import draws as draws
from energax.energy.base import log_density as log_density
from energax.energy.base import score as score
from energax.energy.base import weights as weights
from energax.energy.combine import Bridge as Bridge
from energax.energy.combine import Sum as Sum
from energax.energy.combine import Tempered as Tempered
from energax.energy.fitted import fitted_mixture as fitted_mixture
from energax.energy.laws import Gaussian as Gaussian
from energax.energy.laws import GaussianMixture as GaussianMixture
from energax.energy.laws import UniformBox as UniformBox
from energax.energy.neural import Neural as Neural
from energax.energy.noisy import AbstractNoisy as AbstractNoisy
from energax.energy.noisy import NoisyEnergy as NoisyEnergy
from energax.energy.noisy import NoisyScore as NoisyScore
from energax.energy.noisy import denoised as denoised
from energax.energy.normalised import Normalised as Normalised
from energax.energy.tilt import Tilt as Tilt
