"""Where does x live?"""

from .base import AbstractSpace as AbstractSpace
from .columns import Columns as Columns
from .finite import AbstractFinite as AbstractFinite
from .finite import Bits as Bits
from .finite import Categories as Categories
from .finite import from_dict as from_dict
from .product import Product as Product
from .reals import Box as Box
from .reals import Reals as Reals
from .reals import UnitSphere as UnitSphere
