"""Who moves, and in what order?"""

from energax.learner.base import AbstractLearner as AbstractLearner
from energax.learner.base import Metrics as Metrics
from energax.learner.descent import Descent as Descent
from energax.learner.descent import DescentState as DescentState
from energax.learner.game import AdversarialGenerator as AdversarialGenerator
from energax.learner.game import AdversarialLikelihood as AdversarialLikelihood
from energax.learner.game import Cooperative as Cooperative
from energax.learner.game import FDivergence as FDivergence
from energax.learner.game import FlowContrastive as FlowContrastive
from energax.learner.game import FromChains as FromChains
from energax.learner.game import FromLaw as FromLaw
from energax.learner.game import Game as Game
from energax.learner.game import GameState as GameState
from energax.learner.game import LearnedStein as LearnedStein
from energax.learner.game import Players as Players
