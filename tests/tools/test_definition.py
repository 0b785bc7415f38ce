"""A tool is what its function says; a function that cannot be one is refused when the tool is made."""

from __future__ import annotations

import asyncio
import datetime
import functools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from voiceloop import Call as TheCall
from voiceloop.conversation import ToolCall
from voiceloop.tools import BadTool, Tool, Toolbox, as_tool, run, tool

if TYPE_CHECKING:
    from voiceloop import Call


async def price(drink: str, size: Annotated[int, "In ounces."] = 8, *, iced: bool = False) -> float:
    """What a drink costs.

    Ask for one drink
    at a time.

    Args:
        drink: Its name, as
            on the menu.
        size: Overruled by the annotation.

    Returns:
        Dollars.

    Raises:
        LookupError: never told to a model.
    """
    return 4.5 if iced else 4.0 + size


NUMPY = """What it costs.

    Parameters
    ----------
    drink : str
        Its name.
    """
SPHINX = """What it costs.

    :param drink: Its name.
    :type drink: str
    """


def test_a_function_is_told_by_its_name_docstring_and_types() -> None:
    spec = as_tool(price).spec
    assert (spec.name, spec.description) == ("price", "What a drink costs.\nAsk for one drink at a time.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "drink": {"type": "string", "description": "Its name, as on the menu."},
            "size": {"type": "integer", "description": "In ounces.", "default": 8},
            "iced": {"type": "boolean", "default": False},
        },
        "required": ["drink"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("text", [NUMPY, SPHINX])
def test_other_styles_of_docstrings_are_read_too(text: str) -> None:
    def cost(drink: str) -> float:
        return 4.0

    cost.__doc__ = text
    spec = as_tool(cost).spec
    assert spec.description == "What it costs."
    assert spec.parameters["properties"]["drink"]["description"] == "Its name."


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    def hours() -> str:
        """When the shop is open."""
        return "always"

    assert as_tool(hours).spec.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


def test_the_decorator_leaves_a_function_that_can_be_called() -> None:
    @tool
    def double(number: int) -> int:
        """Twice a number."""
        return 2 * number

    @tool(name="triple", description="Three times a number.", timeout=3, slow="Hm, let me count.", side_effects=False)
    def three(number: int) -> int:
        return 3 * number

    assert (double(2), three(2)) == (4, 6)
    assert (double.name, double.__name__, double.__doc__) == ("double", "double", "Twice a number.")
    assert (three.spec.name, three.spec.description) == ("triple", "Three times a number.")
    assert (three.options.timeout, three.options.slow, three.options.side_effects) == (3, "Hm, let me count.", False)
    assert (double.options.timeout, double.options.slow, double.options.side_effects) == (20.0, None, True)
    assert repr(three) == "<Tool triple>"


def test_a_tool_can_be_made_anew_under_another_name() -> None:
    cheap = tool(tool(price, timeout=3), name="cheap_price")
    assert (cheap.name, cheap.options.timeout) == ("cheap_price", 3)
    assert cheap.spec.description == as_tool(price).spec.description
    assert as_tool(cheap) is cheap


class Shop:
    """A shop."""

    def __init__(self, dollars: float) -> None:
        self.dollars = dollars

    @tool(timeout=2)
    def price(self, drink: str) -> float:
        """What a drink costs here."""
        return self.dollars

    def hours(self) -> str:
        """When it is open."""
        return "always"

    def __call__(self, guests: int) -> str:
        """Books a table."""
        return f"booked for {guests}"


async def test_a_bound_method_knows_its_object() -> None:
    cheap, dear = Toolbox([Shop(2.0).price, Shop(2.0).hours]), Toolbox([Shop(9.0).price])
    assert [spec.name for spec in cheap.specs] == ["price", "hours"]
    asked = ToolCall("1", "price", '{"drink": "tea"}')
    assert [(await box.run(asked)).result.text for box in (cheap, dear)] == ["2.0", "9.0"]
    assert Shop(3.0).price("tea") == 3.0
    assert Shop(3.0).price.options.timeout == 2


def test_a_decorated_method_needs_its_object() -> None:
    with pytest.raises(BadTool, match=r"price: is a method without its object: offer that of an object, such as shop"):
        Toolbox([Shop.price])


async def test_a_callable_object_is_told_by_its_call() -> None:
    made = as_tool(Shop(1.0))
    assert (made.name, made.spec.description) == ("Shop", "Books a table.")
    assert (await run(tool(Shop(1.0), name="book"), '{"guests": 3}')).result.text == "booked for 3"


async def test_what_a_partial_fills_in_the_model_does_not_see() -> None:
    named, placed = functools.partial(price, size=12), functools.partial(price, "tea")
    assert list(as_tool(named).spec.parameters["properties"]) == ["drink", "iced"]
    assert list(as_tool(placed).spec.parameters["properties"]) == ["size", "iced"]
    assert list(as_tool(price).spec.parameters["properties"]) == ["drink", "size", "iced"]
    assert (await run(as_tool(named), '{"drink": "tea"}')).result.text == "16.0"
    assert (await run(as_tool(placed), '{"size": 1}')).result.text == "5.0"
    assert list(as_tool(functools.partial(Shop(1.0), guests=2)).spec.parameters["properties"]) == []


async def test_a_wrapped_function_is_told_by_what_it_wraps() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    made = as_tool(logged(price))
    assert made.spec == as_tool(price).spec
    assert (await run(made, '{"drink": "tea"}')).result.text == "12.0"


# --- the call ---------------------------------------------------------------------------------------------------


async def test_the_library_fills_in_the_call_and_the_model_does_not_see_it() -> None:
    def caller(call: Call, what: str) -> str:
        """Who is calling."""
        return f"{what} {call.caller}"

    made = as_tool(caller)
    assert list(made.spec.parameters["properties"]) == ["what"]
    outcome = await run(made, '{"what": "It is"}', call=TheCall(None, caller="+491234"))  # type: ignore[arg-type]
    assert outcome.result.text == "It is +491234"
    alone = await run(made, '{"what": "It is"}')
    assert (alone.result.text, alone.result.error) == ("caller was not run: there is no call.", True)
    cheat = await run(made, '{"what": "It is", "call": 3}')
    assert "call: there is no such argument" in cheat.result.text


async def test_a_call_that_may_be_missing_is_no_hindrance() -> None:
    def caller(call: Call | None = None) -> str:
        """Who is calling."""
        return call.caller if call else "nobody"

    assert (await run(as_tool(caller))).result.text == "nobody"


def test_what_works_on_a_call_stays_on_its_loop() -> None:
    call = TheCall(None)  # type: ignore[arg-type]

    def note(text: str) -> None:
        """Note something."""
        call.params["note"] = text

    def other(text: str) -> None:
        """Note something elsewhere."""

    def on(call: Call, text: str) -> None:
        """Note something."""

    threads = [as_tool(each).in_thread for each in (other, note, on, call.hang_up, price)]
    assert threads == [True, False, False, False, False]
    assert as_tool(functools.partial(call.hang_up, "done")).in_thread is False
    assert tool(note, thread=True).in_thread is True
    assert tool(other, thread=False).in_thread is False


def test_the_methods_of_a_call_can_be_offered() -> None:
    call = TheCall(None)  # type: ignore[arg-type]
    (spec,) = Toolbox([call.hang_up]).specs
    assert spec.name == "hang_up"
    assert spec.description.startswith("End the call")


def test_options_of_functions_that_cannot_import_this_package_count() -> None:
    def book(guests: int) -> None:
        """Book."""

    book.__tool__ = {"description": "Books a table.", "timeout": 5.0}  # type: ignore[attr-defined]
    made = as_tool(book)
    assert (made.spec.description, made.options.timeout) == ("Books a table.", 5.0)


# --- mistakes ---------------------------------------------------------------------------------------------------


def untyped(drink, size: int):  # type: ignore[no-untyped-def]
    """Text."""


def many(*drinks: str) -> None:
    """Text."""


def options(**drinks: str) -> None:
    """Text."""


def placed(drink: str, /) -> None:
    """Text."""


def unsupported(drink: asyncio.Lock) -> None:
    """Text."""


def calls_back(drink: Callable[[], None]) -> None:
    """Text."""


def anything(drink: Any) -> None:
    """Text."""


def raw(drink: bytes) -> None:
    """Text."""


def undescribed(drink: str) -> None: ...


def misnamed(drink: str) -> None:
    """Text.

    Args:
        drnk: a slip.
    """


def pieces(drink: str) -> Iterator[str]:
    """Text."""
    yield drink


async def async_pieces(drink: str) -> AsyncIterator[str]:
    """Text."""
    yield drink


def two_calls(one: Call, two: Call) -> None:
    """Text."""


def unknown(drink: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Text."""


def größe(drink: str) -> None:
    """Text."""


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (
            untyped,
            r"expected a type for each parameter, found none for drink. Write def untyped\(drink: str, size: …\)\.",
        ),
        (many, r"many: takes \*drinks: 'str', and a model must know each argument by name: write def many\(first: str"),
        (options, r"options: takes \*\*drinks"),
        (placed, "placed: 'drink' cannot be given by name. Take the '/' out"),
        (
            unsupported,
            r"unsupported: 'drink' cannot be read from JSON: JSON has no asyncio\.locks\.Lock\. Use str, int",
        ),
        (calls_back, "calls_back: JSON cannot hold the type of 'drink', .*Callable.*Use types that JSON has"),
        (anything, "anything: the type of 'drink' says nothing a model can use"),
        (raw, "raw: the type of 'drink' says nothing a model can use"),
        (undescribed, "undescribed: a model knows a tool by its description, and there is none. Write a docstring"),
        (misnamed, "misnamed: its docstring tells of drnk, which it does not take"),
        (pieces, "pieces: expected a function, found a generator"),
        (async_pieces, "async_pieces: expected a function, found a generator"),
        (two_calls, "expected at most one parameter of the type Call, found one and two"),
        (unknown, r"unknown: a type of its parameters cannot be found \(name 'Nowhere' is not defined\)"),
        (größe, "'größe' is no name for a tool: pass name="),
        (lambda drink: drink, "'<lambda>' is no name for a tool: pass name="),
        (Shop, "expected a function, got the class Shop"),
        (None, r"expected a function, got None: pass the function itself, as in LLMAggregator\(tools=\[price\]\)"),
        (3, "expected a function, got 3: pass the function itself"),
        ("price", "expected a function, got 'price'"),
        (staticmethod(price), "expected a function, got a staticmethod: put @tool below it"),
        (dict.fromkeys, "fromkeys: "),
    ],
)
def test_what_cannot_be_a_tool_is_refused_and_told_how_to_mend(thing: Any, message: str) -> None:
    with pytest.raises(BadTool, match=message):
        Toolbox([thing])


def test_a_coroutine_is_a_function_that_was_called() -> None:
    with pytest.raises(BadTool, match="got a coroutine: pass the function itself"):
        as_tool(price("tea"))


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(BadTool, match=r"two tools have the name 'price': rename one, as in tool\(price, name='…'\)"):
        Toolbox([price, Shop(1.0).price])


def test_a_tool_in_place_of_a_list_is_refused() -> None:
    with pytest.raises(BadTool, match=r"expected a list of tools.*write \[price\]"):
        Toolbox(as_tool(price))
    with pytest.raises(BadTool, match=r"write \[price\]"):
        Toolbox(price)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "a price"}, "expected a name of letters"),
        ({"name": "x" * 65}, "at most 64"),
        ({"description": " "}, "the description of a tool is empty"),
        ({"timeout": 0}, "timeout must be more than 0 s"),
        ({"timeout": float("nan")}, "timeout must be more than 0 s"),
        ({"limit": 0}, "limit must be at least 1"),
    ],
)
def test_wrong_options_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadTool, match=message):
        tool(price, **given)


def test_an_option_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="@tool has no option time_out: it has name, description, timeout"):
        tool(price, time_out=3)


@tool
def early(when: Date) -> str:
    """Uses a type that is defined further down."""
    return str(when)


Date = datetime.date


def test_a_type_that_is_defined_further_down_is_found_when_it_is_needed() -> None:
    assert early.spec.parameters["properties"]["when"] == {"type": "string", "format": "date"}


def test_a_method_is_read_once_for_all_objects() -> None:
    first, second = as_tool(Shop(1.0).hours), as_tool(Shop(2.0).hours)
    assert first.arguments is second.arguments
    assert isinstance(first, Tool)


def test_importing_tools_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules.update(pydantic=None, docstring_parser=None); from voiceloop.tools import tool\n"
        "sys.exit('pydantic_core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
