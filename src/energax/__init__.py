"""energax: train, sample, measure and explain energy-based models, p(x) = exp(-E(x)) / Z."""

from energax import data as data
from energax import energy as energy
from energax import evaluate as evaluate
from energax import learner as learner
from energax import network as network
from energax import objective as objective
from energax import sampler as sampler
from energax import train as train
from energax.errors import Diverged as Diverged
from energax.errors import InputError as InputError
