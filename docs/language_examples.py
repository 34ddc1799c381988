"""The examples of docs/language.md. What is shown is a part of a document; tests complete and train it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Shape = tuple[int, ...]
Values = Literal["real", "share", "binary", "classes", "one_hot", "boxes"]

SAMPLES = 12


@dataclass(frozen=True)
class Example:
    """A part of a run document.

    Attributes:
        chapter: under which heading it stands.
        caption: the sentence above it.
        shown: the part.
        x: shape of a sample, or shapes by input name.
        y: likewise of the target.
        x_values: what the inputs are; `classes` are numbers of words.
        y_values: what the targets are.
        hidden: what else the document needs and the page doesn't show.
    """

    chapter: str
    caption: str
    shown: dict[str, Any]
    x: Shape | dict[str, Shape] = (4,)
    y: Shape | dict[str, Shape] = (1,)
    x_values: Values = "real"
    y_values: Values = "binary"
    hidden: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """A whole run document with random data, a model and a loss where the example has none."""
        random = np.random.default_rng(0)
        inline = {
            "x": arrays(random, self.x, self.x_values),
            "y": arrays(random, self.y, self.y_values),
        }
        defaults = {
            "model": {"layers": [{"type": "Dense", "units": 1, "activation": "sigmoid"}]},
            "loss": "binary_crossentropy",
            "fit": {"epochs": 2, "batch_size": 8},
        }
        given = {**self.hidden, **self.shown}
        inline |= given.pop("dataset", {}).get("inline", {})
        return {**defaults, **given, "dataset": {"inline": inline}}


def arrays(random: np.random.Generator, shape: Shape | dict[str, Shape], values: Values) -> Any:
    """Random nested lists, by name where the shapes are."""
    if isinstance(shape, dict):
        return {name: arrays(random, one, values) for name, one in shape.items()}
    size = (SAMPLES, *shape)
    if values == "real":
        return random.normal(size=size).round(3).tolist()
    if values == "share":
        return random.uniform(0.05, 0.95, size).round(3).tolist()
    if values == "binary":
        return random.integers(0, 2, size).tolist()
    if values == "classes":
        return random.integers(0, 3, size).tolist()
    if values == "one_hot":
        return np.eye(shape[-1], dtype=int)[random.integers(0, shape[-1], size[:-1])].tolist()
    corners = random.uniform(0, 0.5, (*size[:-1], 2))
    return (
        np.concatenate([corners, corners + random.uniform(0.1, 0.5, corners.shape)], axis=-1)
        .round(3)
        .tolist()
    )


def layers(*given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document with a chain of layers."""
    return {"model": {"layers": list(given)}, **more}


DENSE = {"type": "Dense", "units": 1, "activation": "sigmoid"}

EXAMPLES = [
    Example(
        "Split",
        "The first 8 rows train, the others are for validation; or shares of the rows, drawn from a seed:",
        {"split": {"train": {"rows": [0, 8]}, "validation": {"rows": [8, 12]}}},
    ),
    Example(
        "Split",
        "",
        {"split": {"validation": {"fraction": 0.25}, "seed": 3, "stratified": True}},
    ),
    Example(
        "Augmentation",
        "Changes to training batches, from the run's seed:",
        {
            "augmentation": [
                {"type": "RandomFlip", "mode": "horizontal"},
                {"type": "RandomRotation", "factor": 0.1},
                {"type": "RandomTranslation", "height_factor": 0.1, "width_factor": 0.1},
                {"type": "RandomZoom", "height_factor": 0.1},
                {"type": "RandomContrast", "factor": 0.2},
                {"type": "GaussianNoise", "stddev": 0.01},
                {"type": "MixUp", "alpha": 0.2},
            ]
        },
        x=(8, 8, 1),
        x_values="share",
        hidden=layers({"type": "Flatten"}, DENSE),
    ),
    Example(
        "Model",
        "A chain takes the shape of its input from the data:",
        layers({"type": "Dense", "units": 8, "activation": "relu"}, DENSE),
    ),
    Example(
        "Model",
        "A graph: layers name their `inputs`, the model its `outputs`. Inputs and targets then go by name.",
        {
            "model": {
                "layers": [
                    {"type": "Input", "name": "image", "shape": [8, 8, 1]},
                    {"type": "Input", "name": "age", "shape": [1]},
                    {"type": "Flatten", "name": "flat", "inputs": ["image"]},
                    {"type": "Concatenate", "name": "both", "inputs": ["flat", "age"]},
                    {
                        "type": "Dense",
                        "name": "kind",
                        "units": 3,
                        "activation": "softmax",
                        "inputs": ["both"],
                    },
                    {"type": "Dense", "name": "box", "units": 4, "inputs": ["both"]},
                ],
                "outputs": ["kind", "box"],
            },
            "loss": {"kind": "categorical_crossentropy", "box": {"loss": "smooth_l1", "weight": 0.5}},
        },
        x={"image": (8, 8, 1), "age": (1,)},
        y={"kind": (3,), "box": (4,)},
        y_values="one_hot",
    ),
    Example(
        "Core layers",
        "",
        layers({"type": "Embedding", "input_dim": 50, "output_dim": 4}, {"type": "Flatten"}, DENSE),
        x=(5,),
        x_values="classes",
    ),
    Example(
        "Activation layers",
        "",
        layers(
            {"type": "Dense", "units": 4},
            {"type": "LeakyReLU", "negative_slope": 0.2},
            {"type": "PReLU"},
            {"type": "ELU"},
            {"type": "Activation", "activation": "swish"},
            DENSE,
        ),
    ),
    Example(
        "Convolutional layers",
        "",
        layers(
            {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"},
            {"type": "DepthwiseConv2D", "kernel_size": 3, "strides": 2},
            {"type": "SeparableConv2D", "filters": 6, "kernel_size": [2, 2]},
            {"type": "GlobalAveragePooling2D"},
            DENSE,
        ),
        x=(8, 8, 1),
    ),
    Example(
        "Pooling layers",
        "",
        layers(
            {"type": "Conv1D", "filters": 4, "kernel_size": 3},
            {"type": "MaxPooling1D", "pool_size": 2},
            {"type": "GlobalMaxPooling1D"},
            DENSE,
        ),
        x=(10, 2),
    ),
    Example(
        "Recurrent layers",
        "",
        layers({"type": "GRU", "units": 4, "return_sequences": True}, {"type": "LSTM", "units": 3}, DENSE),
        x=(5, 2),
    ),
    Example(
        "Attention layers",
        "Query and value are the inputs:",
        {
            "model": {
                "layers": [
                    {"type": "Input", "name": "words", "shape": [5, 4]},
                    {
                        "type": "MultiHeadAttention",
                        "name": "attention",
                        "num_heads": 2,
                        "key_dim": 4,
                        "inputs": ["words", "words"],
                    },
                    {"type": "Add", "name": "sum", "inputs": ["words", "attention"]},
                    {"type": "Flatten"},
                    DENSE,
                ]
            }
        },
        x=(5, 4),
    ),
    Example(
        "Normalization layers",
        "",
        layers(
            {"type": "Dense", "units": 6},
            {"type": "BatchNormalization"},
            {"type": "LayerNormalization"},
            {"type": "GroupNormalization", "groups": 2},
            {"type": "UnitNormalization"},
            DENSE,
        ),
    ),
    Example(
        "Regularization layers",
        "",
        layers(
            {"type": "GaussianNoise", "stddev": 0.1},
            {"type": "Dense", "units": 6, "activation": "relu"},
            {"type": "Dropout", "rate": 0.5},
            {"type": "ActivityRegularization", "l1": 0.001},
            DENSE,
        ),
    ),
    Example(
        "Reshaping layers",
        "",
        layers(
            {"type": "Reshape", "target_shape": [2, 2, 1]},
            {"type": "UpSampling2D", "size": 2},
            {"type": "ZeroPadding2D", "padding": 1},
            {"type": "Cropping2D", "cropping": 1},
            {"type": "Permute", "dims": [2, 1, 3]},
            {"type": "Flatten"},
            DENSE,
        ),
    ),
    Example(
        "Merging layers",
        "",
        {
            "model": {
                "layers": [
                    {"type": "Input", "name": "a", "shape": [4]},
                    {"type": "Dense", "name": "left", "units": 3, "inputs": ["a"]},
                    {"type": "Dense", "name": "right", "units": 3, "inputs": ["a"]},
                    {"type": "Multiply", "name": "product", "inputs": ["left", "right"]},
                    {"type": "Average", "name": "mean", "inputs": ["left", "right"]},
                    {"type": "Concatenate", "inputs": ["product", "mean"]},
                    DENSE,
                ]
            }
        },
    ),
    Example(
        "Wrappers",
        "",
        layers(
            {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 3}},
            {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 3}},
            DENSE,
        ),
        x=(5, 2),
    ),
    Example(
        "Hard layers",
        "An output that cannot break its limit: within bounds, shares that add up to one, or at most 2 "
        "elements above 0.5:",
        layers(
            {"type": "Dense", "units": 3},
            {"type": "Bounded", "lower": 0, "upper": 2},
            loss="mean_squared_error",
        ),
        y=(3,),
        y_values="share",
    ),
    Example(
        "Hard layers",
        "",
        layers({"type": "Dense", "units": 3}, {"type": "Simplex"}, loss="mean_squared_error"),
        y=(3,),
        y_values="share",
    ),
    Example(
        "Hard layers",
        "",
        layers(
            {"type": "Dense", "units": 5, "activation": "sigmoid"},
            {"type": "TopK", "k": 2, "threshold": 0.5},
            loss="mean_squared_error",
        ),
        y=(5,),
        y_values="share",
    ),
    Example(
        "Initializers",
        "",
        layers(
            {"type": "Dense", "units": 8, "kernel_initializer": "he_normal"},
            {"type": "Dense", "units": 8, "kernel_initializer": {"type": "RandomNormal", "stddev": 0.1}},
            DENSE,
        ),
    ),
    Example(
        "Regularizers",
        "On weights, and on what a layer gives out; `reduction` says whether an activity regularizer is the "
        "sum over the batch, as in Keras 2.3, or that divided by the number of samples, as in Keras 3:",
        layers(
            {
                "type": "LSTM",
                "units": 3,
                "kernel_regularizer": {"l1": 1e-4, "l2": 1e-3},
                "recurrent_regularizer": {"type": "orthogonal", "factor": 0.01},
                "bias_regularizer": {"l2": 1e-3},
                "activity_regularizer": {"l1": 1e-4, "reduction": "sum"},
            },
            {
                "type": "Dense",
                "units": 1,
                "activation": "sigmoid",
                "kernel_regularizer": {"l1": 0.01, "proximal": True},
            },
        ),
        x=(5, 2),
    ),
    Example(
        "Weight constraints",
        "",
        layers(
            {"type": "Dense", "units": 8, "kernel_constraint": {"type": "MaxNorm", "max_value": 1}},
            {"type": "Dense", "units": 1, "activation": "sigmoid", "kernel_constraint": "non_neg"},
        ),
    ),
    Example(
        "Losses",
        "An expression is arithmetic on `y_true` and `y_pred`; it is parsed, never run as code:",
        {"loss": {"type": "expression", "expression": "mean(abs(y_pred - y_true) ** 1.5, axis=-1)"}},
    ),
    Example(
        "Losses",
        "A sum:",
        {
            "loss": {
                "type": "sum",
                "terms": [
                    {"loss": "binary_crossentropy"},
                    {"loss": {"type": "huber", "delta": 0.5}, "weight": 0.1},
                ],
            }
        },
    ),
    Example(
        "Penalties",
        "",
        layers(
            {"type": "Dense", "name": "hidden", "units": 8, "activation": "relu"},
            {"type": "Dense", "units": 3, "activation": "sigmoid"},
            penalties=[
                {"type": "elements_above", "threshold": 0.5, "weight": 0.05},
                {"type": "norm", "norm": "l1", "of": "hidden", "weight": 0.001},
                {"type": "norm", "norm": "l2", "of": {"weights": "hidden"}, "weight": 0.001},
            ],
        ),
        y=(3,),
    ),
    Example(
        "Constraints",
        "On average at most 1 of a sample's outputs above 0.5, and each output of each sample within bounds:",
        {
            "model": {"layers": [{"type": "Dense", "units": 3, "activation": "sigmoid"}]},
            "constraints": [
                {"quantity": {"type": "elements_above", "threshold": 0.5}, "at_most": 1},
                {
                    "quantity": {"type": "bounds", "lower": 0.05, "upper": 0.95},
                    "at_most": 0,
                    "over": "every_sample",
                    "guarantee": True,
                },
            ],
        },
        y=(3,),
    ),
    Example(
        "Optimizers",
        "",
        {"optimizer": {"type": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True}},
    ),
    Example("Metrics", "", {"metrics": ["accuracy", "auc", {"type": "precision", "thresholds": 0.7}]}),
    Example(
        "Fit",
        "",
        {
            "split": {"validation": {"fraction": 0.25}},
            "fit": {
                "epochs": 5,
                "batch_size": 4,
                "early_stopping": {"monitor": "val_loss", "patience": 2, "restore_best_weights": True},
                "reduce_lr_on_plateau": {"monitor": "val_loss", "factor": 0.5, "patience": 1},
                "gradient_clip": {"global_clipnorm": 1.0},
                "class_weight": {"1": 2.0},
            },
        },
    ),
    Example(
        "Learning rate schedules",
        "",
        {
            "fit": {
                "epochs": 2,
                "learning_rate_schedule": {
                    "type": "CosineDecay",
                    "initial_learning_rate": 0.01,
                    "decay_steps": 100,
                },
            }
        },
    ),
    Example("Statistics", "", {"statistics": {"thresholds": [0.5, 0.9], "near_zero": 0.01}}),
]

# An example of each loss and penalty, by the name of its class.
OBJECTS: dict[str, dict[str, Any]] = {
    "MeanSquaredError": {"type": "mean_squared_error"},
    "MeanAbsoluteError": {"type": "mean_absolute_error"},
    "MeanAbsolutePercentageError": {"type": "mean_absolute_percentage_error"},
    "MeanSquaredLogarithmicError": {"type": "mean_squared_logarithmic_error"},
    "Huber": {"type": "huber", "delta": 0.5},
    "LogCosh": {"type": "log_cosh"},
    "BinaryCrossentropy": {"type": "binary_crossentropy", "label_smoothing": 0.1},
    "CategoricalCrossentropy": {"type": "categorical_crossentropy", "from_logits": True},
    "SparseCategoricalCrossentropy": {"type": "sparse_categorical_crossentropy"},
    "BinaryFocalCrossentropy": {"type": "binary_focal_crossentropy", "gamma": 1.5},
    "CategoricalFocalCrossentropy": {"type": "categorical_focal_crossentropy", "alpha": 0.5},
    "KLDivergence": {"type": "kl_divergence"},
    "Poisson": {"type": "poisson"},
    "CosineSimilarity": {"type": "cosine_similarity"},
    "Hinge": {"type": "hinge"},
    "SquaredHinge": {"type": "squared_hinge"},
    "CategoricalHinge": {"type": "categorical_hinge"},
    "Dice": {"type": "dice"},
    "Tversky": {"type": "tversky", "alpha": 0.3, "beta": 0.7},
    "WeightedBinaryCrossentropy": {"type": "weighted_binary_crossentropy", "false_negative_weight": 3.0},
    "AsymmetricSquaredError": {"type": "asymmetric_squared_error", "under_weight": 4.0},
    "Pinball": {"type": "pinball", "quantile": 0.9},
    "SmoothL1": {"type": "smooth_l1", "beta": 0.5},
    "IoU": {"type": "iou"},
    "GIoU": {"type": "giou"},
    "DIoU": {"type": "diou"},
    "Expression": {"type": "expression", "expression": "mean(square(y_pred - y_true), axis=-1)"},
    "ElementsAbovePenalty": {"type": "elements_above", "threshold": 0.5, "slope": 20.0, "weight": 0.1},
    "ExcessAbovePenalty": {"type": "excess_above", "threshold": [0.5, 0.6, 0.7, 0.8], "norm": "l2"},
    "ShortfallBelowPenalty": {"type": "shortfall_below", "threshold": {"quantile": 0.25}},
    "BoundsPenalty": {"type": "bounds", "lower": 0.1, "upper": 0.9, "weight": 2.0},
    "LinearPenalty": {"type": "linear", "coefficients": [1.0, 2.0, 0.5, 0.0], "weight": 0.1},
    "SumToPenalty": {"type": "sum_to", "value": 1.0, "norm": "l2"},
    "NormPenalty": {"type": "norm", "norm": "l1", "reduction": "sum", "weight": 1e-4},
    "TotalVariationPenalty": {"type": "total_variation", "weight": 0.01},
    "EntropyPenalty": {"type": "entropy", "weight": -0.01},
    "OrthogonalityPenalty": {"type": "orthogonality", "of": {"weights": "hidden"}},
    "ExpressionPenalty": {"type": "expression", "expression": "relu(y_pred - y_true)", "weight": 0.5},
}
