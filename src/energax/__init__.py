"""energax: train, sample, measure and explain energy-based models, p(x) = exp(-E(x)) / Z."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
