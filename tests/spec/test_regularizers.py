"""The forms in which regularizers may be written, and the mistakes in them."""

import keras
import pytest

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.parsing import parse
from app.spec.regularizers import (
    L1L2,
    ActivityL1L2,
    ActivityOrthogonal,
    ActivityRegularizer,
    Orthogonal,
    Regularizer,
)


class Layer(SpecModel):
    weights: Regularizer | None = None
    activity: ActivityRegularizer | None = None


FORMS = [
    ("l1", L1L2(l1=0.01)),
    ("l2", L1L2(l2=0.01)),
    ("l1_l2", L1L2(l1=0.01, l2=0.01)),
    ("orthogonal", Orthogonal(factor=0.01, mode="rows")),
    ("orthogonal_regularizer", Orthogonal()),
    ({"l1": 1e-4}, L1L2(l1=1e-4)),
    ({"l1": 1e-4, "l2": 2, "proximal": True}, L1L2(l1=1e-4, l2=2.0, proximal=True)),
    ({"type": "l1"}, L1L2(l1=0.01)),
    ({"type": "l2", "l2": 0.5}, L1L2(l2=0.5)),
    ({"type": "l1_l2", "l2": 0.5}, L1L2(l2=0.5)),
    ({"type": "orthogonal", "factor": 2, "mode": "columns"}, Orthogonal(factor=2.0, mode="columns")),
]


@pytest.mark.parametrize(("written", "meant"), FORMS)
def test_a_regularizer_of_weights(written, meant):
    assert parse(Layer, {"weights": written}).weights == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("l1", ActivityL1L2(l1=0.01)),
        ({"l1": 1e-4, "reduction": "sum"}, ActivityL1L2(l1=1e-4, reduction="sum")),
        ({"type": "orthogonal", "reduction": "sum"}, ActivityOrthogonal(reduction="sum")),
    ],
)
def test_a_regularizer_of_activity(written, meant):
    assert parse(Layer, {"activity": written}).activity == meant


@pytest.mark.parametrize("name", ["l1", "l2", "l1_l2", "orthogonal"])
def test_the_defaults_are_keras(name):
    """A name alone: Keras's class without arguments, except that its L1L2 means 0.01 of both by name."""
    ours = parse(Layer, {"weights": name}).weights
    if name == "orthogonal":
        config = keras.regularizers.OrthogonalRegularizer().get_config()
        assert {"factor": ours.factor, "mode": ours.mode} == pytest.approx(config)
    else:
        config = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}.get(name, lambda: None)()
        expected = config.get_config() if config else {"l1": 0.01, "l2": 0.01}
        assert {"l1": ours.l1, "l2": ours.l2} == pytest.approx({"l1": 0.0, "l2": 0.0, **expected})


@pytest.mark.parametrize("written", [written for written, _ in FORMS])
def test_the_filled_in_document_reads_back_the_same(written):
    layer = parse(Layer, {"weights": written})
    assert parse(Layer, layer.document()) == layer


@pytest.mark.parametrize(
    ("written", "pointer", "message"),
    [
        ({"l1": -1e-4}, "/weights/l1", "Expected a number >= 0.0; received -0.0001"),
        ({"l1": "1e-4"}, "/weights/l1", "Expected a number; received"),
        ({"l1": True}, "/weights/l1", "Expected a number; received true"),
        ({"l3": 1}, "/weights/l3", "Expected one of the fields"),
        ({"type": "l1", "l2": 1}, "/weights/l2", 'Expected only l1 with type l1, or type "l1_l2"'),
        ({"type": "orthogonal", "mode": "row"}, "/weights/mode", '"rows"'),
        ({"l1": 1, "reduction": "sum"}, "/weights/reduction", "Expected one of the fields"),
        (0.01, "/weights", "Expected an object"),
    ],
)
def test_mistakes_are_pointed_at(written, pointer, message):
    with pytest.raises(InvalidDocument) as caught:
        parse(Layer, {"weights": written})
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert message in caught.value.problems[0].message


def test_an_unknown_name_is_refused():
    with pytest.raises(InvalidDocument, match='received "l3"'):
        parse(Layer, {"weights": "l3"})


def test_activity_has_no_proximal():
    with pytest.raises(InvalidDocument) as caught:
        parse(Layer, {"activity": {"l1": 1, "proximal": True}})
    assert caught.value.problems[0].pointer == "/activity/proximal"
