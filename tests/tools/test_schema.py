"""What a model is shown of each type, and that each value of it comes back as it was."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import typing
import uuid
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pydantic
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.errors import MissingExtra
from voiceloop.tools import as_tool, tool
from voiceloop.tools.errors import BadArguments
from voiceloop.tools.plain_schema import plain
from voiceloop.tools.results import text_of
from voiceloop.tools.schema import Arguments
from voiceloop.tools.signature import REQUIRED, Parameter


class Size(enum.Enum):
    """How big."""

    SMALL = "small"
    LARGE = "large"


class Grade(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Extra:
    name: str
    count: int = 1


class Address(TypedDict):
    street: str
    number: NotRequired[int]


class Partly(TypedDict, total=False):
    street: typing.Required[str]
    extra: Extra


class Modern(typing_extensions.TypedDict):
    street: str


class Guest(pydantic.BaseModel):
    name: str = pydantic.Field(description="As it is spelt.", min_length=1)
    born: datetime.date | None = None
    size: Size = Size.SMALL


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


class Node(pydantic.BaseModel):
    value: int
    children: list[Node] = []


def reader(hint: Any, default: Any = REQUIRED) -> Arguments:
    return Arguments([Parameter("it", hint, default, "")], "tool")


def shown(hint: Any, default: Any = REQUIRED) -> Any:
    return reader(hint, default).schema["properties"]["it"]


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


ADDRESS = closed({"street": {"type": "string"}, "number": {"type": "integer"}}, "street")
EXTRA = closed({"name": {"type": "string"}, "count": {"type": "integer", "default": 1}}, "name")

PARTLY = closed({"street": {"type": "string"}, "extra": EXTRA}, "street")


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Literal["tea"], {"type": "string", "enum": ["tea"]}),
        (Literal["tea", "milk"], {"type": "string", "enum": ["tea", "milk"]}),
        (Size, {"type": "string", "enum": ["small", "large"], "description": "How big."}),
        (Grade, {"type": "integer", "enum": [1, 2]}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (datetime.date, {"type": "string", "format": "date"}),
        (datetime.time, {"type": "string", "format": "time"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (Annotated[int, pydantic.Field(ge=1, le=4, description="How many.")],
         {"type": "integer", "minimum": 1, "maximum": 4, "description": "How many."}),
        (Annotated[str, pydantic.StringConstraints(pattern="^[0-9]+$")], {"type": "string", "pattern": "^[0-9]+$"}),
        (Extra, EXTRA),
        (list[Extra], {"type": "array", "items": EXTRA}),
        (Address, ADDRESS),
        (list[Partly | None], {"type": "array", "items": {"anyOf": [PARTLY, {"type": "null"}]}}),
        (dict[str, Address], {"type": "object", "additionalProperties": ADDRESS}),
        (Modern, closed({"street": {"type": "string"}}, "street")),
        (Guest, closed({
            "name": {"type": "string", "description": "As it is spelt.", "minLength": 1},
            "born": {"type": "string", "format": "date"},
            "size": {"type": "string", "enum": ["small", "large"], "description": "How big.", "default": "small"},
        }, "name")),
        (Annotated[Cat | Dog, pydantic.Field(discriminator="kind")], {"anyOf": [
            closed({"kind": {"type": "string", "enum": ["cat"]}}, "kind"),
            closed({"kind": {"type": "string", "enum": ["dog"]}}, "kind"),
        ]}),
    ],
    ids=str,
)  # fmt: skip
def test_a_type_is_shown_in_plain_json_schema(hint: Any, schema: Any) -> None:
    assert shown(hint) == schema
    assert "$ref" not in json.dumps(reader(hint).schema)


@pytest.mark.parametrize(
    ("hint", "default", "schema"),
    [
        (int, 3, {"type": "integer", "default": 3}),
        (int | None, None, {"type": "integer"}),
        (int | str | None, None, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (
            Size,
            Size.LARGE,
            {"type": "string", "enum": ["small", "large"], "description": "How big.", "default": "large"},
        ),
        (datetime.date, datetime.date(2025, 5, 1), {"type": "string", "format": "date", "default": "2025-05-01"}),
        (int, object(), {"type": "integer"}),
    ],
)
def test_a_default_is_shown_where_it_tells_something(hint: Any, default: Any, schema: Any) -> None:
    assert shown(hint, default) == schema
    assert "required" not in reader(hint, default).schema
    assert reader(hint, default).read("{}") == {}


def test_a_type_that_holds_itself_keeps_one_definition() -> None:
    schema = reader(Node).schema
    node = closed(
        {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []}},
        "value",
    )
    assert schema["properties"]["it"] == node
    assert schema["$defs"] == {"Node": node}
    given = '{"it": {"value": 1, "children": [{"value": 2}]}}'
    assert reader(Node).read(given) == {"it": Node(value=1, children=[Node(value=2)])}


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    def book(title: str, const: int = 1) -> None:
        """Book."""

    assert list(as_tool(book).spec.parameters["properties"]) == ["title", "const"]
    assert plain({"properties": {"title": {"title": "T", "type": "string"}}}, {}) == {
        "properties": {"title": {"type": "string"}},
        "additionalProperties": False,
    }


def test_names_that_pydantic_has_for_itself_are_free() -> None:
    def book(schema: str, copy: int, model_config: bool, _hidden: str = "") -> None:
        """Book."""

    arguments = as_tool(book).arguments
    given = {"schema": "a", "copy": 1, "model_config": True, "_hidden": "b"}
    assert arguments.read(json.dumps(given)) == given


def test_constraints_hold() -> None:
    some = reader(Annotated[int, pydantic.Field(ge=1, le=4)])
    assert some.read('{"it": 4}') == {"it": 4}
    with pytest.raises(BadArguments, match=r"^it: expected less than or equal to 4, got 9\. It takes"):
        some.read('{"it": 9}')


def test_a_mistake_deep_inside_is_told_with_its_place() -> None:
    with pytest.raises(BadArguments) as raised:
        reader(list[Extra]).read('{"it": [{"name": "milk"}, {"count": "x"}]}')
    assert raised.value.wrong == (
        'it[1].name: missing; it[1].count: expected a valid integer, unable to parse string as an integer, got "x"'
    )


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def book(guests: int) -> None:
        """Book."""

    monkeypatch.setattr("voiceloop.errors.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtra, match=r"A tool needs the package docstring_parser: pip install 'voiceloop\[tools\]'"
    ):
        tool(book)


# --- there and back ---------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DATES = st.dates()
ZONES = st.just(datetime.UTC)
EXTRAS = st.builds(Extra, TEXT, st.integers())
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    Literal["tea", "milk", 3]: st.sampled_from(["tea", "milk", 3]),
    Size: st.sampled_from(Size),
    Grade: st.sampled_from(Grade),
    datetime.date: DATES,
    datetime.time: st.times(),
    datetime.datetime: st.datetimes(timezones=st.none() | ZONES),
    datetime.timedelta: st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=1000)),
    decimal.Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=2),
    uuid.UUID: st.uuids(),
    Extra: EXTRAS,
    Address: st.fixed_dictionaries({"street": TEXT}, optional={"number": st.integers()}),
    Partly: st.fixed_dictionaries({"street": TEXT}, optional={"extra": EXTRAS}),
    Guest: st.builds(Guest, name=st.text("abc", min_size=1), born=st.none() | DATES, size=st.sampled_from(Size)),
}


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """A type, and a value of it."""
    hint = draw(st.sampled_from(list(PLAIN)))
    values = PLAIN[hint]
    shapes: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
        "itself": (hint, values),
        "or none": (hint | None if hint is not Literal else hint, st.none() | values),
        "list": (list[hint], st.lists(values, max_size=3)),
        "tuple": (tuple[hint, int], st.tuples(values, st.integers())),
        "dict": (dict[str, hint], st.dictionaries(TEXT, values, max_size=3)),
        "lists of dicts": (
            list[dict[str, hint | None]],
            st.lists(st.dictionaries(TEXT, values | st.none(), max_size=2), max_size=2),
        ),
    }
    shape, strategy = shapes[draw(st.sampled_from(list(shapes)))]
    return shape, draw(strategy)


READERS: dict[str, Arguments] = {}


@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(typed_values())
def test_a_value_written_as_a_result_is_read_as_the_same_argument(pair: tuple[Any, Any]) -> None:
    hint, value = pair
    arguments = READERS.setdefault(repr(hint), reader(hint))
    written = text_of({"it": value}, 10_000_000)
    back = arguments.read(written)["it"]
    assert back == value
    assert type(back) is type(value)


@settings(max_examples=2 * settings.default.max_examples, deadline=None)
@given(typed_values(), st.text(max_size=30) | st.binary(max_size=30).map(lambda data: data.decode("latin-1")))
def test_whatever_a_model_writes_is_read_or_refused_in_words(pair: tuple[Any, Any], text: str) -> None:
    arguments = READERS.setdefault(repr(pair[0]), reader(pair[0]))
    whole, refused = text_of({"it": pair[1]}, 10_000_000), list[str]()
    for written in (
        text,
        whole + text,
        whole[: len(text)],
        json.dumps({"it": text}),
        json.dumps({text: pair[1]}, default=str),
    ):
        try:
            values = arguments.read(written)
        except BadArguments as error:
            refused.append(str(error))
        else:
            assert set(values) == {"it"}
    assert all("It takes a JSON object" in each and len(each) < 3000 for each in refused)


def test_two_functions_that_are_alike_have_schemas_of_their_own() -> None:
    def make(hint: Any) -> Any:
        def book(it: hint) -> None:
            """Book."""

        book.__annotations__["it"] = hint
        return book

    first, second = (as_tool(make(hint)).spec.parameters["properties"]["it"] for hint in (int, str))
    assert (first, second) == ({"type": "integer"}, {"type": "string"})
    assert as_tool(partial(make(int), 3)).spec.parameters["properties"] == {}
