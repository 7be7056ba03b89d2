"""What do people look at? Results become one self-contained HTML page or a Markdown table."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
