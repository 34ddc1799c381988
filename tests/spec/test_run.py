"""The run document as a whole."""

from typing import Any

import orjson
import pytest

from app.errors import InvalidDocument
from app.spec.optimizers import Adam
from app.spec.parsing import parse_run
from app.spec.run import RunSpec
from tests.support.documents import tiny_document


def read(**fields: Any) -> RunSpec:
    return parse_run(orjson.dumps(tiny_document(**fields)))


def problem(document: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        parse_run(orjson.dumps(document))
    return tuple(caught.value.problems[0])


def test_only_data_model_and_loss_are_required() -> None:
    run = parse_run({key: tiny_document()[key] for key in ("dataset", "model", "loss")})
    assert run.optimizer == Adam()
    assert run.seed == 0
    assert run.fit.epochs == 1
    assert run.split is None
    assert run.metrics == run.penalties == run.constraints == run.augmentation == ()
    assert run.statistics.thresholds == (0.5,)
    assert run.statistics.near_zero == 0.001


@pytest.mark.parametrize("field", ["dataset", "model", "loss"])
def test_what_is_required_is_missed(field: str) -> None:
    document = tiny_document()
    del document[field]
    assert problem(document) == (f"/{field}", "Expected a value, as the field is required; received nothing.")


def test_the_document_with_defaults_gives_the_same_run() -> None:
    run = read(
        name="tiny",
        tags={"study": "none"},
        seed=7,
        split={"validation": {"rows": [3, 4]}},
        optimizer={"type": "sgd", "momentum": 0.9},
        metrics=["accuracy", {"type": "auc", "curve": "PR"}],
        penalties=[{"type": "excess_above", "threshold": 0.5, "weight": 0.1}],
        statistics={"thresholds": [0.3, 0.7]},
    )
    document = run.document()
    assert parse_run(orjson.dumps(document)).document() == document
    assert document["penalties"][0]["reduction"] == "per_sample"


def test_numbers_of_the_data_come_back_as_they_were_sent() -> None:
    numbers = [[0.1, 1e-30], [1, 12345678901]]
    run = read(dataset={"inline": {"x": numbers, "y": [0, 1]}})
    assert run.document()["dataset"]["inline"]["x"] == numbers


@pytest.mark.parametrize(
    ("fields", "pointer", "message"),
    [
        ({"seed": -1}, "/seed", "Expected a number >= 0; received -1."),
        ({"seed": 1.0}, "/seed", "Expected an integer; received 1.0."),
        ({"name": 3}, "/name", "Expected text; received 3."),
        ({"tags": {"study": 3}}, "/tags/study", "Expected text; received 3."),
        ({"tags": ["a"]}, "/tags", "Expected an object; received a list of 1."),
        ({"statistics": {"thresholds": 0.5}}, "/statistics/thresholds", "Expected a list; received 0.5."),
        (
            {"statistics": {"near_zero": -1}},
            "/statistics/near_zero",
            "Expected a number >= 0.0; received -1.",
        ),
    ],
)
def test_wrong_fields_are_told(fields: Any, pointer: str, message: str) -> None:
    assert problem(tiny_document(**fields)) == (pointer, message)


def test_an_unknown_field_names_the_nearest() -> None:
    pointer, message = problem(tiny_document(optimiser="adam"))
    assert pointer == "/optimiser"
    assert message.endswith('received "optimiser". Did you mean "optimizer"?')
