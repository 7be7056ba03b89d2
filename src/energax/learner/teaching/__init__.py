"""How do an energy, a generator and an encoder teach one another?"""

from energax.learner.teaching.base import Optimisers as Optimisers
from energax.learner.teaching.base import TeachingPlayers as TeachingPlayers
from energax.learner.teaching.posterior import AbstractPosterior as AbstractPosterior
from energax.learner.teaching.posterior import FromEncoder as FromEncoder
from energax.learner.teaching.posterior import FromPrior as FromPrior
from energax.learner.teaching.posterior import PersistentPosterior as PersistentPosterior
from energax.learner.teaching.posterior import Variational as Variational
from energax.learner.teaching.rules import TeachingRules as TeachingRules
from energax.learner.teaching.teaching import Teaching as Teaching
from energax.learner.teaching.teaching import TeachingState as TeachingState
