"""energax: train, sample, measure and explain energy-based models, p(x) = exp(-E(x)) / Z."""

from . import data as data
from . import energy as energy
from . import evaluate as evaluate
from . import learner as learner
from . import method as method
from . import model as model
from . import network as network
from . import objective as objective
from . import report as report
from . import run as run
from . import sampler as sampler
from . import sklearn as sklearn
from . import space as space
from . import train as train
from .errors import Diverged as Diverged
from .errors import InputError as InputError
from .errors import Stopped as Stopped
from .model.base import Model as Model
from .model.fitting import fit as fit
from .model.measuring import Measured as Measured
from .model.measuring import measure as measure
from .model.saving import load as load
from .report.collecting import write_report as write_report
