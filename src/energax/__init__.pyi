"""energax: train, sample, measure and explain energy-based models, p(x) = exp(-E(x)) / Z."""

from . import data as data
from . import energy as energy
from . import evaluate as evaluate
from . import learner as learner
from . import network as network
from . import objective as objective
from . import sampler as sampler
from . import train as train
from .errors import Diverged as Diverged
from .errors import InputError as InputError
