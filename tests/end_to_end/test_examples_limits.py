"""Examples with limits, over HTTP: each against the same document without its limit."""

import numpy as np
import pytest

from tests.support.examples import Trained, example, train, without_limits
from tests.support.service import Service

SEEDS = (1, 2, 3)


def above(trained: Trained) -> int:
    """Elements above 0.5, of training and validation rows."""
    return sum(trained.statistics(split)["elements_above"][0]["total"] for split in ("train", "validation"))


@pytest.fixture(scope="module")
def unlimited_labels(service: Service) -> list[Trained]:
    """The labels' model without a price, with several seeds."""
    document = without_limits(example("soft_threshold"))
    return [train(service, {**document, "seed": seed}) for seed in SEEDS]


@pytest.fixture(scope="module")
def unlimited_diabetes(service: Service) -> Trained:
    """The diabetes model without a limit, of which there is one for all."""
    documents = [without_limits(example(name)) for name in ("excess_l1", "excess_l2", "bounds_penalty")]
    for document in documents:
        del document["name"], document["statistics"]
    assert documents[0] == documents[1] == documents[2]
    return train(service, documents[0])


def test_a_soft_threshold_leaves_fewer_elements_above(
    service: Service, unlimited_labels: list[Trained]
) -> None:
    limited = train(service, example("soft_threshold"))

    assert above(limited) < 0.8 * above(unlimited_labels[0])
    # The price is paid by few labels, not by all: those that are left are right more often.
    precision = [
        trained.statistics("train")["classification"]["precision"]
        for trained in (limited, unlimited_labels[0])
    ]
    assert precision[0] > precision[1]


def test_policy_gradient_lowers_the_true_count(service: Service, unlimited_labels: list[Trained]) -> None:
    document = example("policy_gradient")
    (penalty,) = document["penalties"]
    assert penalty["method"] == "policy_gradient"
    assert without_limits(document) | {"name": ""} == without_limits(example("soft_threshold")) | {"name": ""}

    limited = [train(service, {**document, "seed": seed}) for seed in SEEDS]

    counts = [(above(ours), above(theirs)) for ours, theirs in zip(limited, unlimited_labels, strict=True)]
    assert all(ours < 0.8 * theirs for ours, theirs in counts), counts


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_an_excess_is_smaller_with_its_price(
    service: Service, unlimited_diabetes: Trained, norm: str, power: int
) -> None:
    limited = train(service, example(f"excess_{norm}"))

    for split in ("train", "validation"):
        rows = limited.rows(split)
        excess = [
            (np.maximum(trained.predict(trained.x[rows]) - 2, 0) ** power).sum()
            for trained in (limited, unlimited_diabetes)
        ]
        assert excess[0] < 0.6 * excess[1], (split, excess)


def test_sums_are_nearer_one(service: Service) -> None:
    document = example("sum_to_one")

    limited, unlimited = train(service, document), train(service, without_limits(document))

    for split in ("train", "validation"):
        rows = limited.rows(split)
        distance = [
            np.abs(trained.predict(trained.x[rows]).sum(axis=1) - 1).mean()
            for trained in (limited, unlimited)
        ]
        assert distance[0] < 0.6 * distance[1], (split, distance)
    assert limited.statistics()["classification"]["accuracy"] > 0.9


def test_values_are_within_bounds_by_a_price(service: Service, unlimited_diabetes: Trained) -> None:
    limited = train(service, example("bounds_penalty"))

    for split in ("train", "validation"):
        rows = limited.rows(split)
        outside = []
        for trained in (limited, unlimited_diabetes):
            values = trained.predict(trained.x[rows])
            outside.append(((values < 1) | (values > 2)).mean())
        assert outside[0] < 0.5 * outside[1], (split, outside)


def test_values_are_within_bounds_by_construction(service: Service) -> None:
    limited = train(service, example("bounds_layer"))

    far = 1000 * np.random.default_rng(0).normal(size=(500, 10))
    for instances in (limited.x, far):
        values = limited.predict(instances)
        assert ((values >= 1) & (values <= 2)).all()
    assert np.ptp(limited.predict(limited.x)) > 0.9


def test_outputs_are_sparser_with_their_price(service: Service) -> None:
    document = example("sparse_outputs")

    limited, unlimited = train(service, document), train(service, without_limits(document))

    for split in ("train", "validation"):
        share = [
            trained.statistics(split)["activation_sparsity"]["clean"]["near_zero_fraction"]
            for trained in (limited, unlimited)
        ]
        assert share[0] > 1.2 * share[1], (split, share)
