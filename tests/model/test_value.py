"""Values: frozen, equal by their fields, and dataclasses to those who ask by way of `dataclasses`."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import batchconnect
from batchconnect.model.value import Value, by_name, field, has_fields, names_of, replace

SECRET = "canary~not-to-be-shown"


class Door(Value, hidden={"key"}):
    """One whose key is not shown."""

    name: str
    key: str = ""
    marks: list[str] = field(default_factory=list)


class OwnDoor(Door, hidden={"code"}):
    """Hides what the other hides, and more."""

    code: str


class Spot(Value, kw_only=False):
    """Made by position."""

    x: int
    y: int = 0


def kinds(of: Any = Value) -> Iterator[Any]:
    """Every class of values in the house."""
    for one in of.__subclasses__():
        yield one
        yield from kinds(one)


@pytest.fixture(scope="module")
def house() -> list[Any]:
    """All of its values, of all rooms."""
    for module in pkgutil.walk_packages(batchconnect.__path__, "batchconnect."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [kind for kind in kinds() if kind.__module__.startswith("batchconnect.")]


def test_a_value_is_frozen() -> None:
    """When it runs, and not for a type checker alone."""
    door = Door(name="a")

    with pytest.raises(AttributeError):
        door.name = "b"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del door.name


def test_a_value_is_made_by_names() -> None:
    """But where its class says otherwise; a wrong name is an error."""
    with pytest.raises(TypeError):
        Door("a")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Door(nmae="a")  # type: ignore[call-arg]
    assert Spot(1, 2) == Spot(x=1, y=2)


def test_values_are_equal_by_class_and_fields() -> None:
    """And have the same hash; a subclass is another class."""
    assert Spot(1) == Spot(1, 0)
    assert len({Spot(1), Spot(1, 0), Spot(2)}) == 2
    assert Door(name="a") != OwnDoor(name="a", code="")


def test_what_is_made_anew_is_not_shared() -> None:
    """The default of a field that can change."""
    assert Door(name="a").marks is not Door(name="a").marks


def test_a_hidden_field_is_in_no_repr() -> None:
    """Nor is that of the class it derives from, nor in what Rich prints."""
    door = OwnDoor(name="a", key=SECRET, code=SECRET)
    shown: Any = door

    assert repr(door) == "OwnDoor(name='a', marks=[])"
    assert SECRET not in f"{door} {[door]} {shown.__rich_repr__()}"


def test_a_class_hides_only_what_it_has() -> None:
    """A name that was mistyped would hide nothing."""
    with pytest.raises(AssertionError, match="kye"):

        class Wrong(Value, hidden={"kye"}):
            key: str = ""


def test_every_class_of_values_hides_what_it_says(house: list[Any]) -> None:
    """No class has a `repr` of the library's own, which shows all, where a field is hidden."""
    hiding = [kind for kind in house if kind.hidden]

    assert len(hiding) > 2
    for kind in hiding:
        assert kind.__repr__ is Door.__repr__, kind
        assert kind.__rich_repr__ is vars(Door)["__rich_repr__"], kind


def test_every_class_of_values_is_frozen(house: list[Any]) -> None:
    """No class may take that back."""
    assert [kind.__name__ for kind in house if not kind.__struct_config__.frozen] == []


def test_fields_stand_as_they_are_written(house: list[Any]) -> None:
    """In this order lines, files and tables have them, whether they have a default or not."""
    for kind in house:
        written = [
            name
            for base in reversed(kind.__mro__)
            if issubclass(base, Value)
            for name in inspect.get_annotations(base)
            if not name.startswith("__")
        ]
        assert list(names_of(kind)) == written, kind
        assert "_" not in written, f"{kind}: `KW_ONLY` is for dataclasses"


def test_no_default_is_a_dataclasses_field(house: list[Any]) -> None:
    """`field` of `dataclasses` would be taken for the default itself, and no type checker sees it."""
    defaults = [one for kind in house for one in kind.__struct_defaults__]

    assert len(defaults) > 100
    assert not [one for one in defaults if isinstance(one, dataclasses.Field)]


def test_dataclasses_takes_it_for_one() -> None:
    """So a program of somebody else's goes on working with outcomes, events and results."""
    door = Door(name="a", key="k")

    assert [one.name for one in dataclasses.fields(door)] == ["name", "key", "marks"]
    assert [one.repr for one in dataclasses.fields(OwnDoor)] == [True, False, True, False]
    assert dataclasses.asdict(door) == {"name": "a", "key": "k", "marks": []}
    assert dataclasses.replace(door, key="l") == Door(name="a", key="l")
    assert dataclasses.astuple(Spot(1, 2)) == (1, 2)
    assert dataclasses.is_dataclass(Door)


def test_a_value_with_other_fields() -> None:
    """A field that there is not is an error; a dataclass is changed likewise."""

    @dataclasses.dataclass(frozen=True)
    class Other:
        x: int = 0

    assert replace(Spot(1, 2), x=3) == Spot(3, 2)
    assert replace(Other(), x=3) == Other(3)
    with pytest.raises(TypeError):
        replace(Spot(1, 2), z=3)  # type: ignore[call-arg]


def test_fields_are_told_by_name() -> None:
    """Of a value and of a dataclass; of nothing else."""
    assert names_of(Spot) == names_of(Spot(1)) == ("x", "y")
    assert by_name(Spot(1)) == {"x": 1, "y": 0}
    assert has_fields(Spot)
    assert not has_fields(str)
    with pytest.raises(TypeError):
        by_name("text")


def test_a_value_can_be_copied_and_sent_to_another_process() -> None:
    """Hidden fields too."""
    door = OwnDoor(name="a", key="k", code="c")

    assert copy.deepcopy(door) == copy.copy(door) == pickle.loads(pickle.dumps(door)) == door
