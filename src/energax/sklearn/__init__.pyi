"""scikit-learn's estimators: a density, and a detector of outliers with p-values."""

from .density import EnergyDensity as EnergyDensity
from .density import UncertifiedWarning as UncertifiedWarning
from .detector import EnergyOutlierDetector as EnergyOutlierDetector
from .ensemble import EnergyEnsemble as EnergyEnsemble
from .saving import load as load
from .saving import save as save
