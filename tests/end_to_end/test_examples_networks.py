"""Examples of networks and their losses, over HTTP, each with what it is there to show."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.examples import Document, Trained, example, train, without_limits
from tests.support.service import Service


@pytest.mark.parametrize(
    ("name", "layer", "figure"),
    [
        ("activity_dense", "dense", "zero_fraction"),
        ("activity_conv2d", "conv2d", "zero_fraction"),
        ("activity_lstm", "lstm", "mean_absolute_activation"),
    ],
)
def test_activities_are_regularized(service: Service, name: str, layer: str, figure: str) -> None:
    document = example(name)

    runs = [train(service, document), train(service, without_limits(document))]

    for split in ("train", "validation"):
        ours, theirs = (trained.statistics(split)["activation_sparsity"][layer] for trained in runs)
        if figure == "zero_fraction":
            assert ours["zero_fraction"] > theirs["zero_fraction"] + 0.2
        assert ours["mean_absolute_activation"] < 0.75 * theirs["mean_absolute_activation"]
    assert runs[0].statistics()["classification"]["accuracy"] > 0.8


def test_misses_that_cost_more_are_fewer(service: Service) -> None:
    twice, thrice = example("false_negatives_2"), example("false_negatives_3")
    assert [document["loss"].pop("false_negative_weight") for document in (twice, thrice)] == [2, 3]
    assert twice | {"name": ""} == thrice | {"name": ""}

    runs = [
        train(service, {**twice, "loss": {**twice["loss"], "false_negative_weight": w}}) for w in (1, 2, 3)
    ]

    for split in ("train", "validation"):
        recalls = [trained.statistics(split)["classification"]["recall"] for trained in runs]
        assert recalls[0] < recalls[1] < recalls[2], (split, recalls)


def test_class_and_box_are_learned_together(service: Service) -> None:
    trained = train(service, example("class_and_box"))

    rows = trained.rows("validation")
    predicted = trained.predict(trained.x[rows])
    targets = {name: np.array(y)[rows] for name, y in trained.document["dataset"]["inline"]["y"].items()}
    assert (predicted["class"].argmax(axis=1) == targets["class"][:, 0]).mean() > 0.85
    assert overlap(predicted["box"], targets["box"]).mean() > 0.7
    guess = np.array(trained.document["dataset"]["inline"]["y"]["box"])[trained.rows("train")].mean(axis=0)
    assert overlap(guess[None], targets["box"]).mean() < 0.5


def overlap(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Intersection over union of boxes x1, y1, x2, y2: `(n,)`."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared: NDArray[Any] = np.prod(np.maximum(sides, 0), axis=1)
    both: NDArray[Any] = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1)
    overlaps: NDArray[Any] = shared / (both - shared)
    return overlaps


def test_too_little_is_predicted_more_rarely_where_it_costs_more(service: Service) -> None:
    document = example("asymmetric_error")

    runs = [train(service, document), train(service, {**document, "loss": "mean_squared_error"})]

    for split in ("train", "validation"):
        rows = runs[0].rows(split)
        missing = [trained.y[rows] - trained.predict(trained.x[rows]) for trained in runs]
        too_little = [(d > 0).mean() for d in missing]
        assert too_little[0] < too_little[1] - 0.15, (split, too_little)
        cost = [(np.where(d > 0, 9, 1) * d**2).mean() for d in missing]
        assert cost[0] < cost[1], (split, cost)


def test_training_stops_where_it_no_longer_helps(service: Service) -> None:
    document = example("dropout")
    patience = document["fit"]["early_stopping"]["patience"]

    trained = train(service, document)

    losses = trained.series()["val_loss"]
    best = int(np.argmin(losses)) + 1
    served = service.get(f"/runs/{trained.run['id']}/statistics")["epoch"]
    assert (served, len(losses)) == (best, best + patience)
    assert trained.run["progress"]["epoch"] == best + patience < document["fit"]["epochs"]
    # What is served are the weights of that epoch: they give its loss again.
    rows = trained.rows("validation")
    right = np.take_along_axis(trained.predict(trained.x[rows]), trained.y[rows], axis=1)
    assert -np.log(right).mean() == pytest.approx(losses[best - 1], rel=1e-3)
    assert trained.statistics()["classification"]["accuracy"] > 0.9


def test_moved_and_blended_images_make_a_network_that_stands_being_moved(service: Service) -> None:
    document = example("separable")
    plain = {key: value for key, value in document.items() if key != "augmentation"}

    runs = [train(service, document), train(service, plain)]

    augmented, unaugmented = (accuracy_on_moved_images(trained) for trained in runs)
    assert augmented > unaugmented + 0.2
    assert runs[0].statistics()["classification"]["accuracy"] > 0.9
    # Validation images are as they were; training images weren't.
    accuracy = runs[0].series()["accuracy"][-1]
    assert accuracy < runs[0].statistics("train")["classification"]["accuracy"]


def accuracy_on_moved_images(trained: Trained) -> float:
    """On the validation images, moved by one pixel up, down, left and right."""
    rows = trained.rows("validation")
    images, shown = trained.x[rows], trained.y[rows].argmax(axis=1)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moved = [padded[:, top : top + 8, left : left + 8] for top, left in ((0, 1), (2, 1), (1, 0), (1, 2))]
    return float(np.mean([trained.predict(x).argmax(axis=1) == shown for x in moved]))


def test_separable_convolutions_have_fewer_weights(service: Service) -> None:
    document = example("separable")
    layers = document["model"]["layers"]
    assert [layer["type"] for layer in layers[1:3]] == ["DepthwiseConv2D", "SeparableConv2D"]
    separable = weights_of_layers(service, document)
    layers[1] |= {"type": "Conv2D", "filters": 16}
    layers[2]["type"] = "Conv2D"

    ordinary = weights_of_layers(service, document)

    # Bias included: 3·3·16 + 16 and 3·3·16 + 16·32 + 32 against 3·3·16·16 + 16 and 3·3·16·32 + 32.
    assert (separable[1:3], ordinary[1:3]) == ([160, 688], [2320, 4640])


def weights_of_layers(service: Service, document: Document) -> list[int]:
    """How many weights each layer of the document's model has."""
    answer = service.client.post("/runs/validate", json=document)
    assert answer.status_code == 200, answer.text
    return [layer["parameter_count"] for layer in answer.json()["layers"] if layer["type"] != "Input"]


def test_anomalies_are_told_by_their_reconstruction(service: Service) -> None:
    document = example("autoencoder")

    trained, dense = train(service, document), train(service, without_limits(document))

    error = ((trained.predict(trained.x) - trained.y) ** 2).mean(axis=1)
    anomalous = np.array(document["dataset"]["inline"]["group"]) == "malignant"
    assert not anomalous[trained.rows("train")].any()
    held_out = np.ones(len(error), dtype=bool)
    held_out[trained.rows("train")] = False
    anomalies, others = error[held_out & anomalous], error[held_out & ~anomalous]
    area = (anomalies[:, None] > others).mean() + 0.5 * (anomalies[:, None] == others).mean()
    assert area > 0.9
    # The threshold is read off the training rows, one in 20 of which lie above.
    threshold = np.quantile(error[trained.rows("train")], 0.95)
    assert (anomalies > threshold).mean() > 0.8
    assert (others > threshold).mean() < 0.2
    sparsity = [
        run.statistics("train")["activation_sparsity"]["code"]["zero_fraction"] for run in (trained, dense)
    ]
    assert sparsity[0] > sparsity[1] + 0.3
