"""Which known combinations work?"""

from . import build as build
from .base import AbstractMethod as AbstractMethod
from .chain import TrainingChain as TrainingChain
from .groundwork import Groundwork as Groundwork
from .kind import KINDS as KINDS
from .kind import MASS_KINDS as MASS_KINDS
from .kind import MIXED_KINDS as MIXED_KINDS
from .kind import Kind as Kind
from .kind import kind_of as kind_of
from .table import MASS_METHODS as MASS_METHODS
from .table import METHODS as METHODS
from .table import MIXED_METHODS as MIXED_METHODS
from .table import TABLES as TABLES
from .table import default_method as default_method
from .table import find_method as find_method
from .table import find_methods as find_methods
from .table import list_methods as list_methods
from .table import method_table as method_table
from .table import name_owners as name_owners
from .table import render_table as render_table
from .table import spell_method as spell_method
