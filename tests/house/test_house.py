"""The rules of the house: how classes inherit, what is documented, what a file may hold."""

import abc
import ast
import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import jaxtyping
import pytest

import energax
from energax.method import METHODS
from energax.sampler import Buffer

SOURCE = Path(energax.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path for path in FILES if path.name == "__init__.py" and path.parent != SOURCE)
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(energax.__path__, "energax.")
    if not module.name.endswith("__main__")
]
CLASSES = sorted(
    {
        thing
        for module in MODULES
        for thing in vars(module).values()
        if inspect.isclass(thing) and thing.__module__.startswith("energax.")
    },
    key=lambda thing: (thing.__module__, thing.__qualname__),
)


def promises(thing):
    """Names still without a body: abstract methods, and Equinox's abstract fields."""
    fields = getattr(thing, "__abstractvars__", frozenset()) | getattr(
        thing, "__abstractclassvars__", frozenset()
    )
    return frozenset(getattr(thing, "__abstractmethods__", ())) | fields


def broken_rules(thing):
    """A class is `Abstract...` and cannot be made, or final: only contracts are inherited from."""
    said = []
    if thing.__name__.startswith("Abstract") != bool(promises(thing)):
        said.append("is named for a contract, or promises something, but not both")
    said += [
        f"inherits from {parent.__name__}, which is no contract"
        for parent in thing.__bases__
        if parent.__module__.startswith("energax") and not parent.__name__.startswith("Abstract")
    ]
    if "super()" in inspect.getsource(thing):
        said.append("calls super()")
    return said


@pytest.mark.parametrize("thing", CLASSES, ids=lambda thing: thing.__qualname__)
def test_a_class_is_a_contract_or_final(thing):
    assert broken_rules(thing) == []


def test_a_broken_class_rule_is_seen():
    """Negative control."""

    class Child(Buffer):
        """Inherits from a class that can be made."""

    class AbstractNothing(eqx.Module):
        """Named for a contract, and promises nothing."""

    class Unnamed(eqx.Module):
        """Promises something under a plain name."""

        @abc.abstractmethod
        def act(self):
            """Do."""

    assert all(len(broken_rules(thing)) == 1 for thing in (Child, AbstractNothing, Unnamed))


PUBLIC = {
    f"{module.__name__}.{name}": thing
    for module in MODULES
    if module.__file__.endswith("__init__.py")
    for name in dir(module)
    for thing in [getattr(module, name)]
    if (inspect.isclass(thing) or inspect.isfunction(thing)) and not name.startswith("_")
}


def undocumented(thing):
    """The class or function, or a public method of its own, that has no sentence."""
    parts = {"": thing}
    if inspect.isclass(thing):
        parts |= {name: part for name, part in vars(thing).items() if inspect.isfunction(part)}
    inherited = {
        name
        for parent in getattr(thing, "__mro__", ())[1:]
        for name in vars(parent)
        if inspect.isclass(thing)
    }
    return [
        name or thing.__name__
        for name, part in parts.items()
        if not name.startswith("_")
        and name not in inherited
        and (not inspect.getdoc(part) or is_dataclass_signature(part))
    ]


def is_dataclass_signature(part):
    """The line that `dataclass` writes where nobody wrote one."""
    return dataclasses.is_dataclass(part) and part.__doc__.startswith(f"{part.__name__}(")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_documented(name):
    assert undocumented(PUBLIC[name]) == []


def test_an_undocumented_name_is_seen():
    """Negative control."""

    class Silent:
        def speak(self):
            return None

    assert undocumented(Silent) == ["Silent", "speak"]


LAZY = ["lazy_loader", "__getattr__", "__dir__", "__all__"]


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.parent.name)
def test_a_room_loads_its_names_when_they_are_used(path):
    """One docstring and the three names of `lazy_loader`; or, inside a room, plain imports."""
    first, *rest = ast.parse(path.read_text()).body
    assert isinstance(first, ast.Expr)
    if path.with_suffix(".pyi").exists():
        loader, names = rest
        assert isinstance(loader, ast.Import)
        assert isinstance(names, ast.Assign)
        found = [loader.names[0].name, *(ast.unparse(part) for part in names.targets[0].elts)]
        assert found == LAZY
    else:
        assert all(isinstance(line, ast.ImportFrom) for line in rest)


STUBS = sorted(SOURCE.rglob("__init__.pyi"))


def broken_table(stub, siblings):
    """What of a table of names is not `from .x import Y as Y`, or hides a file beside it."""
    first, *rest = ast.parse(stub).body
    said = [] if isinstance(first, ast.Expr) else ["no docstring"]
    for line in rest:
        if not isinstance(line, ast.ImportFrom) or line.level != 1:
            said.append(ast.unparse(line))
            continue
        said += [name.name for name in line.names if name.asname != name.name]
        said += [name.name for name in line.names if line.module and name.name in siblings]
    return said


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.parent.name)
def test_the_table_of_a_room_is_plain(path):
    """And every name in it is there."""
    siblings = {one.stem for one in path.parent.iterdir()}
    assert broken_table(path.read_text(), siblings) == []
    module = ".".join(path.parent.relative_to(SOURCE.parent).parts)
    room = importlib.import_module(module)
    assert all(getattr(room, name) is not None for name in dir(room))


def test_a_broken_table_is_seen():
    """Negative control: no docstring, another statement, a renamed name, a hidden file."""
    stub = "x = 1\nfrom .a import b as c\nfrom .load import load as load\n"
    assert broken_table(stub, {"load"}) == ["no docstring", "b", "load"]


LONGEST = 45
"""Lines of a function, its docstring not counted."""


def long_functions(text):
    """Functions of more code than a reader holds at once."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            words = first.end_lineno - first.lineno + 1 if said else 0
            if node.end_lineno - node.lineno + 1 - words > LONGEST:
                found.append(node.name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_functions_are_short(path):
    assert long_functions(path.read_text()) == []


def test_a_long_function_is_seen():
    """Negative control."""
    assert long_functions("def f():\n" + "    pass\n" * 46) == ["f"]
    assert long_functions('def f():\n    """' + "\n" * 60 + '"""\n' + "    pass\n" * 40) == []


def method_tests(text, names):
    """Strings that are a method's name and are compared with something."""
    found = []
    for node in ast.walk(ast.parse(text)):
        parts = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        if isinstance(node, ast.MatchValue):
            parts = [node.value]
        inner = [leaf for part in parts for leaf in ast.walk(part)]
        found += [p.value for p in inner if isinstance(p, ast.Constant) and p.value in names]
    return found


OUTSIDE = [p for p in FILES if p.parts[len(SOURCE.parts)] not in ("method", "reproduce")]
HOMONYMS = {"flow", "dual", "joint"}
"""Names of methods that are names of other things too: of a base, say."""


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_method_is_known_by_its_name_outside_its_room(path):
    assert method_tests(path.read_text(), set(METHODS) - HOMONYMS) == []


def test_a_method_known_by_its_name_is_seen():
    """Negative control."""
    text = 'if name == "pcd":\n    pass\nif name in ("cd", "x"):\n    pass\n'
    assert method_tests(text, set(METHODS)) == ["pcd", "cd"]


FORBIDDEN = ("import pickle", "allow_pickle=True", "from __future__", "TYPE_CHECKING", "TODO")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_is_short_and_holds_nothing_forbidden(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert [word for word in FORBIDDEN if word in text] == []
    assert ast.get_docstring(ast.parse(text)), "a file says in its first line what it is"


TESTS = sorted(Path(__file__).parents[1].rglob("*.py"))
LONG = {"objective/test_discrete.py", "sampler/test_kernels_finite.py"}
"""Files of tests that are longer: none may join them."""


@pytest.mark.parametrize("path", TESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_of_tests_is_short_too(path):
    text = path.read_text()
    long = len(text.splitlines()) > 300
    assert long == (f"{path.parent.name}/{path.name}" in LONG)
    assert ast.get_docstring(ast.parse(text)), "a file says in its first line what it is"


def test_numpy_never_unpickles():
    """Every `np.load` says so itself."""
    for path in FILES:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("np.load", "numpy.load"):
                said = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert said.get("allow_pickle") == "False", path


def test_shapes_are_checked_in_tests():
    """The hook is on: a buffer whose ages do not go with its states is refused."""
    with pytest.raises(jaxtyping.TypeCheckError):
        Buffer(jnp.zeros((3, 2)), jnp.zeros(4, jnp.int32))


def test_precision_and_rank_are_not_raised_in_silence():
    """Strict promotion is on."""
    with pytest.raises(Exception, match="promotion"):
        jnp.zeros(3, jnp.float32) + jnp.zeros(3, jnp.float64)
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.zeros((2, 3)) + jnp.zeros(3)
