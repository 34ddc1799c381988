"""From JSON to specs, or to what is wrong and where."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.errors import InvalidDocument, MalformedDocument
from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.parsing import MOST_PROBLEMS, parse, parse_run
from tests.support.documents import tiny_document


class Circle(SpecModel):
    type: Literal["circle"] = "circle"
    radius: Annotated[float, Field(gt=0)]


class Square(SpecModel):
    type: Literal["square"] = "square"
    side: float
    corners: Annotated[tuple[int, ...], Field(strict=False)] = ()


class Drawing(SpecModel):
    shapes: list[Annotated[Circle | Square, Field(discriminator="type")]] = Field(default_factory=list)
    scale: float | Literal["auto"] | Circle = 1.0
    colours: dict[str, Literal["red", "green"]] = Field(default_factory=dict)
    lower: float = 0.0
    upper: float = 1.0
    flag: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Drawing":
        if self.lower > self.upper:
            raise mistake(f"Expected at least lower, {self.lower:g}; received {self.upper:g}.", "upper")
        if self.scale == 13:
            raise ValueError("Expected another number; received 13.")
        if self.scale == 14:
            raise PydanticCustomError("fourteen", "Expected another number")
        return self


def problems(document: Any, prefix: str = "") -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as caught:
        parse(Drawing, document, prefix)
    return [tuple(problem) for problem in caught.value.problems]


def test_reads_text_and_parsed_json_alike() -> None:
    document = {"shapes": [{"type": "circle", "radius": 2}], "scale": "auto"}
    assert parse(Drawing, document) == parse(Drawing, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "pointer", "message"),
    [
        (
            {"shapes": [{"type": "circle"}]},
            "/shapes/0/radius",
            "Expected a value, as the field is required; received nothing.",
        ),
        (
            {"shapes": [{"type": "circle", "radius": 0}]},
            "/shapes/0/radius",
            "Expected a number > 0.0; received 0.",
        ),
        (
            {"shapes": [{"type": "circle", "radius": "1"}]},
            "/shapes/0/radius",
            'Expected a number; received "1".',
        ),
        (
            {"shapes": [{"type": "circle", "radius": True}]},
            "/shapes/0/radius",
            "Expected a number; received true.",
        ),
        (
            {"shapes": [{"type": "circle", "radius": None}]},
            "/shapes/0/radius",
            "Expected a number; received null.",
        ),
        (
            {"shapes": [{"type": "circl", "radius": 1}]},
            "/shapes/0/type",
            'Expected one of the names "circle", "square"; received "circl". Did you mean "circle"?',
        ),
        (
            {"shapes": [{"radius": 1}]},
            "/shapes/0/type",
            "Expected a name, as the field is required; received nothing.",
        ),
        ({"shapes": [3]}, "/shapes/0", "Expected an object; received 3."),
        ({"shapes": {}}, "/shapes", "Expected a list; received an empty object."),
        (
            {"shapes": [{"type": "square", "side": 1, "corners": [1, 2.5]}]},
            "/shapes/0/corners/1",
            "Expected an integer; received 2.5.",
        ),
        (
            {"shapes": [{"type": "square", "side": 1, "sides": 2}]},
            "/shapes/0/sides",
            'Expected one of the fields "type", "side", "corners"; received "sides". Did you mean "side"?',
        ),
        (
            {"scale": {"type": "circle", "radius": -1}},
            "/scale/radius",
            "Expected a number > 0.0; received -1.",
        ),
        ({"scale": [1]}, "/scale", 'Expected a number or "auto" or an object; received a list of 1.'),
        (
            {"scale": "atuo"},
            "/scale",
            'Expected one of the names "auto"; received "atuo". Did you mean "auto"?',
        ),
        (
            {"colours": {"a/b~c": "rde"}},
            "/colours/a~1b~0c",
            'Expected one of the names "red", "green"; received "rde". Did you mean "red"?',
        ),
        ({"flag": 1}, "/flag", "Expected true or false; received 1."),
        ({"lower": 2}, "/upper", "Expected at least lower, 2; received 1."),
        ({"scale": 13}, "", "Expected another number; received 13."),
        ({"scale": 14}, "", "Expected another number; received an object."),
        (
            {"colour": {}},
            "/colour",
            'Expected one of the fields "shapes", "scale", "colours", "lower", "upper", "flag"; received '
            '"colour". Did you mean "colours"?',
        ),
        ([], "", "Expected an object; received an empty list."),
        (None, "", "Expected an object; received null."),
    ],
)
def test_says_what_was_expected_what_was_received_and_where(
    document: Any, pointer: str, message: str
) -> None:
    assert problems(document) == [(pointer, message)]


def test_tells_every_mistake() -> None:
    document = {"shapes": [{"type": "circle", "radius": 0}, {"type": "square"}], "flag": "yes"}
    assert [pointer for pointer, _ in problems(document)] == ["/shapes/0/radius", "/shapes/1/side", "/flag"]


def test_tells_no_more_than_a_page_of_mistakes() -> None:
    assert len(problems({"shapes": [3] * 1000})) == MOST_PROBLEMS


def test_long_values_are_cut() -> None:
    ((_, message),) = problems({"flag": "x" * 1000})
    assert len(message) < 120


def test_pointers_begin_with_the_prefix() -> None:
    assert problems({"flag": 1}, "/drawing")[0][0] == "/drawing/flag"


def test_braces_in_a_message_are_only_text() -> None:
    ((_, message),) = problems({"colours": {"a": "{0} {x}"}})
    assert '"{0} {x}"' in message


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        (b"", "", "empty body"),
        (b"  \n", "", "empty body"),
        (b'{"flag": tru}', "", "line 1 column 10"),
        (b'{"flag": true', "", "end of data"),
        (b'{"flag": true} x', "", "line 1 column 16"),
        (b"{'flag': true}", "", "line 1 column 2"),
        (b"\xff\xfe", "", "not JSON"),
        (b'"\\ud800"', "", "not JSON"),
        (b"NaN", "", "Expected a finite number; received NaN."),
        (b"[" * 100_000, "", "not JSON"),
        (b'{"scale": NaN}', "/scale", "Expected a finite number; received NaN."),
        (b'{"shapes": [{"a": 1}, {"side": [1, -Infinity]}]}', "/shapes/1/side/1", "received -Infinity."),
        (b'{"scale": 1e999}', "/scale", "received 1e999."),
    ],
)
def test_a_body_that_is_not_strict_json_is_malformed(body: bytes, pointer: str, message: str) -> None:
    with pytest.raises(MalformedDocument) as caught:
        parse(Drawing, body)
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert message in problem.message


def test_numbers_that_python_makes_infinite_are_refused_in_parsed_json_too() -> None:
    assert problems({"lower": float("nan")})[0][0] == "/lower"
    assert problems({"lower": float("inf")})[0][0] == "/lower"


def test_a_deep_document_is_refused_and_not_a_crash() -> None:
    loss: dict[str, Any] = {"loss": "mse"}
    for _ in range(400):
        loss = {"type": "sum", "terms": [loss]}
    with pytest.raises(InvalidDocument):
        parse_run(json.dumps(tiny_document(loss=loss)).encode())


def test_a_run_is_read_with_its_defaults() -> None:
    run = parse_run(json.dumps(tiny_document()).encode())
    document = run.document()
    assert document["optimizer"]["learning_rate"] == 0.001
    assert document["fit"]["batch_size"] == 32
    assert document["dataset"]["inline"]["x"] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert parse_run(json.dumps(document).encode()).document() == document
