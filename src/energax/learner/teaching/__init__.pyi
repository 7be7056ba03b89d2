"""How do an energy, a generator and an encoder teach one another?"""

from .base import Optimisers as Optimisers
from .base import TeachingPlayers as TeachingPlayers
from .posterior import AbstractPosterior as AbstractPosterior
from .posterior import FromEncoder as FromEncoder
from .posterior import FromPrior as FromPrior
from .posterior import PersistentPosterior as PersistentPosterior
from .posterior import Variational as Variational
from .rules import TeachingRules as TeachingRules
from .teaching import Teaching as Teaching
from .teaching import TeachingState as TeachingState
