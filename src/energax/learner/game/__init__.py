"""How do an energy and a rival move together?"""

from energax.learner.game.adversarial import AdversarialGenerator as AdversarialGenerator
from energax.learner.game.adversarial import AdversarialLikelihood as AdversarialLikelihood
from energax.learner.game.base import AbstractMemorylessRules as AbstractMemorylessRules
from energax.learner.game.base import AbstractRules as AbstractRules
from energax.learner.game.base import Players as Players
from energax.learner.game.f_divergence import FDivergence as FDivergence
from energax.learner.game.flow_contrast import FlowContrastive as FlowContrastive
from energax.learner.game.game import Game as Game
from energax.learner.game.game import GameState as GameState
from energax.learner.game.stein import LearnedStein as LearnedStein
from energax.learner.game.weighted import AbstractSource as AbstractSource
from energax.learner.game.weighted import FromChains as FromChains
from energax.learner.game.weighted import FromDistribution as FromDistribution
