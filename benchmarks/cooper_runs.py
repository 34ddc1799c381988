"""Runs tasks of `constraint_tasks` with Cooper, in an environment that has it and not Kerb.

As its documentation shows it: the Lagrangian formulation, multipliers that start at 0,
`SimultaneousOptimizer`, SGD with a rate of 0.01 for the multipliers, the true violation for the multipliers
and a differentiable one for the weights. What it leaves to its user is chosen in its favour: the epoch with
the least loss that holds the limit on all rows is taken instead of the last. Reads documents with initial
`weights` from standard input and prints their losses, null where no epoch held the limit or Cooper can't
express it.
"""

import json
import sys
from typing import Any

import cooper
import torch

Document = dict[str, Any]
Tensor = torch.Tensor

SLOPE = 10.0
"""Of the sigmoid that stands for a decision, Kerb's default for a penalty."""

ROUNDING = 1e-6


def hard(distance: Tensor) -> Tensor:
    return (distance > 0).float()


def soft(distance: Tensor) -> Tensor:
    return torch.sigmoid(SLOPE * distance)


class Model(torch.nn.Module):
    """Dense layers as the document has them."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        arrays = iter(document["weights"])
        self.layers = torch.nn.ParameterList()
        self.activations = []
        for layer in document["model"]["layers"]:
            self.layers.append(torch.tensor(next(arrays)))
            if layer.get("use_bias", True):
                self.layers.append(torch.tensor(next(arrays)))
            else:
                self.layers.append(torch.nn.Parameter(torch.zeros(layer["units"]), requires_grad=False))
            self.activations.append(layer.get("activation"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and the activations of the first layer."""
        first = None
        for index, activation in enumerate(self.activations):
            x = x @ self.layers[2 * index] + self.layers[2 * index + 1]
            if activation is not None:
                x = getattr(torch, activation)(x)
            first = x if first is None else first
        return x, first


def loss_of(document: Document, y_pred: Tensor, y: Tensor) -> Tensor:
    """The mean loss."""
    if document["loss"] == "mean_squared_error":
        return torch.square(y_pred - y).mean()
    p = y_pred.clamp(1e-7, 1 - 1e-7)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


def of_samples(quantity: Document, y_pred: Tensor, y: Tensor, step: Any) -> Tensor | None:
    """The quantity of each sample, counting by `step`; None if it isn't one of samples."""
    match quantity:
        case {"type": "elements_above"}:
            return step(y_pred - quantity["threshold"]).sum(dim=1)
        case {"type": "excess_above"}:
            return torch.relu(y_pred - quantity["threshold"]).sum(dim=1)
        case {"type": "bounds"}:
            below, above = quantity["lower"] - y_pred, y_pred - quantity["upper"]
            return (torch.relu(below) + torch.relu(above)).sum(dim=1)
        case {"type": "sum_to"}:
            return (y_pred.sum(dim=1) - quantity["value"]).abs()
        case {"type": "linear"}:
            return y_pred @ torch.tensor(quantity["coefficients"], dtype=y_pred.dtype)
        case {"type": "norm"}:
            return y_pred.abs().sum(dim=1)
        case {"type": "expression", "expression": "relu(y_true - y_pred)"}:
            return torch.relu(y - y_pred).sum(dim=1)
    return None


def share(counting: Tensor, considered: Tensor) -> Tensor:
    return counting.sum() / considered.sum().clamp(min=1e-6)


def of_all(
    quantity: Document, y_pred: Tensor, hidden: Tensor, y: Tensor, groups: dict[str, Tensor], step: Any
) -> Tensor:
    """A quantity that has one value in all."""
    if quantity["type"] == "activation_sparsity":
        positive = hard(hidden) if step is hard else torch.tanh(SLOPE * hidden)
        return 1 - positive.mean()
    positive = step(y_pred - 0.5)
    match quantity:
        case {"type": "recall"}:
            return share(positive * y, y)
        case {"type": "precision"}:
            return share(positive * y, positive)
        case {"type": "false_positive_rate"}:
            return share(positive * (1 - y), 1 - y)
        case {"type": "accuracy", "where": group}:
            right = positive * y + (1 - positive) * (1 - y)
            return share(right * groups[group], groups[group])
        case {"type": "positive_rate", "difference": [one, other]}:
            rates = [share(positive * groups[name], groups[name]) for name in (one, other)]
            return (rates[0] - rates[1]).abs()
    raise ValueError(quantity["type"])


def violation(limit: Document, values: Tensor) -> Tensor:
    """At most 0 where the limit holds; for an equality the distance with its sign."""
    if "equals" in limit:
        return values - limit["equals"]
    return values - limit["at_most"] if "at_most" in limit else limit["at_least"] - values


def violations(
    limit: Document, y_pred: Tensor, hidden: Tensor, y: Tensor, groups: dict[str, Tensor], step: Any
) -> Tensor:
    """Of each sample, `(samples,)`, where every one must hold the limit; of all of them, `()`, elsewhere."""
    values = of_samples(limit["quantity"], y_pred, y, step)
    if values is None:
        return violation(limit, of_all(limit["quantity"], y_pred, hidden, y, groups, step))
    over = limit.get("over", "mean")
    if over == "mean":
        return violation(limit, values.mean())
    if over == "every_sample":
        return violation(limit, values)
    return step(violation(limit, values)).mean() - (1 - over["quantile"])


class Problem(cooper.ConstrainedMinimizationProblem):
    """One limit, with a multiplier for each sample where every one must hold it."""

    def __init__(self, document: Document, samples: int) -> None:
        super().__init__()
        self.document = document
        (self.limit,) = document["constraints"]
        self.by_sample = self.limit.get("over") == "every_sample"
        kind = cooper.ConstraintType.EQUALITY if "equals" in self.limit else cooper.ConstraintType.INEQUALITY
        multiplier = (
            cooper.multipliers.IndexedMultiplier(num_constraints=samples)
            if self.by_sample
            else cooper.multipliers.DenseMultiplier(num_constraints=1)
        )
        self.constraint = cooper.Constraint(multiplier=multiplier, constraint_type=kind)

    def compute_cmp_state(
        self, model: Model, x: Tensor, y: Tensor, groups: dict[str, Tensor], rows: Tensor
    ) -> cooper.CMPState:
        """Loss and violations of a batch."""
        y_pred, hidden = model(x)
        found = [violations(self.limit, y_pred, hidden, y, groups, step) for step in (soft, hard)]
        features = rows if self.by_sample else None
        state = cooper.ConstraintState(
            violation=found[0],
            strict_violation=found[1].detach(),
            constraint_features=features,
            strict_constraint_features=features,
        )
        loss = loss_of(self.document, y_pred, y)
        return cooper.CMPState(loss=loss, observed_constraints={self.constraint: state})


def run(document: Document) -> float | None:
    """The least loss of the epochs that hold the limit; None without one."""
    (limit,) = document["constraints"]
    if limit["quantity"]["type"] == "weight_sparsity":  # no gradient leads to weights that are exactly zero
        return None
    torch.manual_seed(document["seed"])
    data = document["dataset"]["inline"]
    x, y = torch.tensor(data["x"]), torch.tensor(data["y"], dtype=torch.float32)
    names = data.get("group", [])
    groups = {
        name: torch.tensor([float(one == name) for one in names])[:, None] for name in sorted(set(names))
    }
    model, problem = Model(document), Problem(document, len(x))
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = cooper.optim.SimultaneousOptimizer(
        cmp=problem,
        primal_optimizers=torch.optim.Adam(trained, lr=document["optimizer"]["learning_rate"]),
        dual_optimizers=torch.optim.SGD(problem.dual_parameters(), lr=1e-2, maximize=True),
    )
    size, best = document["fit"]["batch_size"], None
    for _ in range(document["fit"]["epochs"]):
        for rows in torch.randperm(len(x)).split(size):
            batch_groups = {name: member[rows] for name, member in groups.items()}
            arguments = {"model": model, "x": x[rows], "y": y[rows], "groups": batch_groups, "rows": rows}
            optimizer.roll(compute_cmp_state_kwargs=arguments)
        with torch.no_grad():
            y_pred, hidden = model(x)
            broken = violations(limit, y_pred, hidden, y, groups, hard)
            loss = float(loss_of(document, y_pred, y))
        if "equals" in limit:
            broken = broken.abs() - limit.get("tolerance", 1e-3)
        if float(broken.max()) <= ROUNDING and (best is None or loss < best):
            best = loss
    return best


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps([run(document) for document in json.load(sys.stdin)]))
