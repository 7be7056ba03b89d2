"""How do an energy and a rival move together?"""

from .adversarial import AdversarialGenerator as AdversarialGenerator
from .adversarial import AdversarialLikelihood as AdversarialLikelihood
from .base import AbstractMemorylessRules as AbstractMemorylessRules
from .base import AbstractRules as AbstractRules
from .base import Players as Players
from .f_divergence import FDivergence as FDivergence
from .flow_contrast import FlowContrastive as FlowContrastive
from .game import Game as Game
from .game import GameState as GameState
from .stein import LearnedStein as LearnedStein
from .weighted import AbstractSource as AbstractSource
from .weighted import FromChains as FromChains
from .weighted import FromDistribution as FromDistribution
