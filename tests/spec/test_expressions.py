"""The grammar of expressions: what it reads, what it refuses, and where it points."""

import pytest

from app.spec.expressions import (
    FUNCTIONS,
    Call,
    ExpressionError,
    Node,
    Number,
    Variable,
    parse_expression,
    shape_of,
    variables_of,
)
from app.spec.expressions.parser import MAX_CHARACTERS, MAX_NESTING, MAX_NODES

VARIABLES = ("y_true", "y_pred", "sample_weight")
SHAPES = {"y_true": (None, 4), "y_pred": (None, 4), "sample_weight": (None, 1)}


def read(text: str) -> str:
    return written(parse_expression(text, VARIABLES))


def written(node: Node) -> str:
    """The tree as nested calls, without positions."""
    match node:
        case Number(value=value):
            return f"{value:g}"
        case Variable(name=name):
            return name
        case Call(function=function, arguments=arguments, options=options):
            parts = [written(argument) for argument in arguments]
            parts += [f"{name}={value}" for name, value in options.items() if value is not None]
            return f"{function}({', '.join(parts)})"


def refused(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, VARIABLES)
    return caught.value


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1 + 2 * 3", "add(1, multiply(2, 3))"),
        ("(1 + 2) * 3", "multiply(add(1, 2), 3)"),
        ("1 - 2 - 3", "subtract(subtract(1, 2), 3)"),
        ("8 / 4 / 2", "divide(divide(8, 4), 2)"),
        ("-y_pred ** 2", "negative(power(y_pred, exponent=2.0))"),
        ("(-y_pred) ** 2", "power(negative(y_pred), exponent=2.0)"),
        ("2 ** -1", "power(2, exponent=-1.0)"),
        ("2 * -3", "multiply(2, negative(3))"),
        ("--1", "negative(negative(1))"),
        ("1 - -2", "subtract(1, negative(2))"),
        ("y_pred > 1 + 2", "greater(y_pred, add(1, 2))"),
        ("(y_pred >= 1) * 2", "multiply(greater_equal(y_pred, 1), 2)"),
        ("y_pred != y_true", "not_equal(y_pred, y_true)"),
        ("y_pred<=y_true", "less_equal(y_pred, y_true)"),
        (" \n y_pred\t", "y_pred"),
        (".5 + 5. + 1e-3 + 1E+2", "add(add(add(0.5, 5), 0.001), 100)"),
        ("mean(y_pred)", "mean(y_pred)"),
        ("mean(y_pred, axis=-1)", "mean(y_pred, axis=-1)"),
        ("mean(y_pred, 1)", "mean(y_pred, axis=1)"),
        ("sort(y_pred)", "sort(y_pred, axis=-1)"),
        ("top_k(y_pred, 3)", "top_k(y_pred, k=3, axis=-1)"),
        ("top_k(y_pred, axis=1, k=2)", "top_k(y_pred, axis=1, k=2)"),
        ("where(y_pred > y_true, 2, 1)", "where(greater(y_pred, y_true), 2, 1)"),
        ("clip(abs(y_pred - y_true), 0, 1)", "clip(abs(subtract(y_pred, y_true)), 0, 1)"),
        ("maximum(sum(y_pred), min(y_true, axis=1))", "maximum(sum(y_pred), min(y_true, axis=1))"),
        ("sample_weight * y_pred", "multiply(sample_weight, y_pred)"),
    ],
)
def test_reads(text, tree):
    assert read(text) == tree


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("", 1, "received the end"),
        ("y_pred +", 9, "Expected a number, a name"),
        ("y_pred y_true", 8, 'Expected an operator or the end; received "y_true"'),
        ("1 2", 3, 'received "2"'),
        ("(y_pred", 8, 'Expected an operator or ")"; received the end'),
        ("y_pred)", 7, 'received ")"'),
        ("y_tru - y_pred", 1, 'did you mean "y_true"?'),
        ("y_pred - maen(y_true)", 10, 'did you mean "mean"?'),
        ("square", 7, 'Expected "(" after the function square'),
        ("square()", 8, 'received ")"'),
        ("square(y_pred, 1)", 16, "square takes no more"),
        ("where(y_pred > 1, 2)", 20, "the next of the 3 arguments of where"),
        ("top_k(y_pred)", 13, "and k for top_k"),
        ("sum(y_pred, axs=1)", 13, 'Expected "axis="; received "axs"'),
        ("sum(y_pred, axis=1, axis=1)", 21, "sum takes no more"),
        ("sum(y_pred, axis=1.5)", 18, "Expected an integer as axis"),
        ("sum(y_pred, axis=y_true)", 18, "Expected an integer as axis"),
        ("sum(y_pred, axis=99)", 18, "from -8 to 7"),
        ("top_k(y_pred, 0)", 15, "from 1 to 1000000"),
        ("0 < y_pred < 1", 12, "Expected one comparison"),
        ("2 ** 3 ** 2", 8, "Expected one exponent"),
        ("y_pred ** y_true", 11, "Expected a number as exponent"),
        ("y_pred = 1", 8, 'received "="'),
        ("y_pred[0]", 7, 'received "["'),
        ("y_pred − 1", 8, 'received "−"'),
        ("y_pred @ y_true", 8, 'received "@"'),
        ("y_pred // 2", 9, 'received "/"'),
    ],
)
def test_points_at_the_character_that_is_wrong(text, character, words):
    error = refused(text)
    assert error.position == character - 1
    assert str(error).endswith(f"at character {character}")
    assert words in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "__builtins__",
        "eval(y_pred)",
        "open(y_pred)",
        "y_pred.__class__",
        "y_pred.numpy()",
        "lambda: 0",
        "[x for x in y_pred]",
        "{y_pred}",
        "'text' * 9",
        "y_pred; y_true",
        "y_pred if 1 else y_true",
        "True",
        "y_pred\x00",
        "getattr(y_pred, 1)",
        "9 ** 9 ** 9 ** 9",
        "y_pred ** 1e9",
        "1e999",
        "9" * 1_000,
        "(" * 1_000 + "y_pred" + ")" * 1_000,
        "-" * 1_000 + "y_pred",
        "abs(" * 400 + "y_pred" + ")" * 400,
        "1+" * 900 + "y_pred",
        "y_pred" * 10_000_000,
        "ｙ_pred",
    ],
    ids=lambda text: text[:20],
)
def test_refuses_what_is_hostile(text):
    # Whatever ran as code, recursed or grew would end this test otherwise, or never.
    refused(text)


def test_limits_are_what_they_say():
    read("(" * MAX_NESTING + "y_pred" + ")" * MAX_NESTING)
    refused("(" * (MAX_NESTING + 1) + "y_pred" + ")" * (MAX_NESTING + 1))
    most = "1+" * (MAX_NODES // 2 - 1) + "1"  # 2n - 1 nodes of n numbers
    read(most)
    refused(most + "+1+1")
    read("y_pred" + " " * (MAX_CHARACTERS - 6))
    refused("y_pred" + " " * (MAX_CHARACTERS - 5))


def test_sequences_of_arguments_do_not_count_as_nesting():
    read("+".join(["abs(y_pred)"] * (MAX_NESTING + 1)))


def test_names_the_variables_it_uses():
    node = parse_expression("mean(where(y_pred > 1, sample_weight, 2) ** 2)", VARIABLES)
    assert variables_of(node) == {"y_pred", "sample_weight"}


def test_knows_only_its_own_variables():
    with pytest.raises(ExpressionError, match='Expected a variable: y_pred; received "y_true"'):
        parse_expression("y_pred - y_true", ["y_pred"])


def test_every_function_of_the_language_is_there():
    of_elements = {"square", "abs", "sqrt", "log", "exp", "sigmoid", "tanh", "relu", "softplus"}
    of_several = {"maximum", "minimum", "where", "clip"}
    assert set(FUNCTIONS) == of_elements | of_several | {"mean", "sum", "max", "min", "sort", "top_k"}


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("1 + 2", ()),
        ("y_pred", (None, 4)),
        ("y_pred * 2", (None, 4)),
        ("sum(y_pred)", ()),
        ("sum(y_pred, axis=-1)", (None, 1)),
        ("sum(y_pred, axis=0)", (1, 4)),
        ("y_pred / sum(y_pred, axis=1)", (None, 4)),
        ("y_pred - mean(y_pred, axis=0)", (None, 4)),
        ("sum(y_pred, axis=1) * sum(y_true, axis=0)", (None, 4)),
        ("sample_weight * y_pred", (None, 4)),
        ("top_k(y_pred, 2)", (None, 2)),
        ("sort(y_pred, axis=0)", (None, 4)),
        ("where(sample_weight > 0, y_pred, 0)", (None, 4)),
    ],
)
def test_tells_the_shape(text, shape):
    assert shape_of(parse_expression(text, VARIABLES), SHAPES) == shape


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("y_true - top_k(y_pred, 2)", 8, "received (batch, 4) and (batch, 2)"),
        ("1 + sum(y_pred, axis=2)", 5, "Expected an axis of an array of shape (batch, 4); received 2"),
        ("sum(sum(y_pred), axis=0)", 1, "of shape ()"),
        ("top_k(y_pred, 5)", 1, "Expected a k of at most 4"),
        ("top_k(y_pred, 1, axis=0)", 1, "received that of the batch"),
    ],
)
def test_points_at_shapes_that_do_not_fit(text, character, words):
    with pytest.raises(ExpressionError) as caught:
        shape_of(parse_expression(text, VARIABLES), SHAPES)
    assert caught.value.position == character - 1
    assert words in str(caught.value)
