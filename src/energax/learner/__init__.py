"""Who moves, and in what order?"""

from energax.learner.base import AbstractLearner as AbstractLearner
from energax.learner.base import Metrics as Metrics
from energax.learner.descent import Descent as Descent
from energax.learner.descent import DescentState as DescentState
