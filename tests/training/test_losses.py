"""Each loss against an independent NumPy formula, its gradient against finite differences of that formula."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.spec.base import SpecModel
from app.spec.losses import LOSSES, LossSpec
from app.spec.losses import keras as keras_specs
from app.spec.parsing import parse
from app.training.losses import build_loss_terms, class_weights
from app.training.terms import Batch, Term

EPSILON = 1e-7


class Document(SpecModel):
    loss: LossSpec


def terms_of(loss, outputs=("out",)) -> list[Term]:
    return build_loss_terms(parse(Document, {"loss": loss}).loss, list(outputs))


def term_of(loss) -> Term:
    (term,) = terms_of(loss)
    return term


def batch_of(y_true, y_pred, weight=None) -> Batch:
    def tensors(arrays):
        named = arrays if isinstance(arrays, dict) else {"out": arrays}
        return {name: tf.convert_to_tensor(array, tf.float32) for name, array in named.items()}

    weight = None if weight is None else tf.convert_to_tensor(weight, tf.float32)
    return Batch(tensors(y_true), tensors(y_pred), {}, {}, weight, {}, tf.zeros(2, tf.int32))


def value_and_gradient(term: Term, y_true, y_pred, weight=None):
    y_pred = tf.convert_to_tensor(y_pred, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = term.value(batch_of(y_true, y_pred, weight))
    return value, tape.gradient(value, y_pred)


def finite_differences(function, y_pred, step=1e-6):
    gradient = np.zeros_like(y_pred)
    for place in np.ndindex(y_pred.shape):
        for sign in (1, -1):
            moved = y_pred.copy()
            moved[place] += sign * step
            gradient[place] += sign * function(moved) / (2 * step)
    return gradient


# The formulas, in float64: from (y_true, y_pred) to one loss for each sample, averaged over further axes.


def clip(p):
    return np.clip(p, EPSILON, 1 - EPSILON)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def bce(y, p):
    return -(y * np.log(clip(p)) + (1 - y) * np.log(1 - clip(p)))


def share(p):
    return p / p.sum(-1, keepdims=True)


def smooth(y, label_smoothing, classes):
    return y * (1 - label_smoothing) + label_smoothing / classes


def focal(y, p, alpha=None, gamma=2.0):
    truth = y * p + (1 - y) * (1 - p)
    balance = 1 if alpha is None else y * alpha + (1 - y) * (1 - alpha)
    return (balance * (1 - truth) ** gamma * bce(y, p)).mean(-1)


def categorical_focal(y, p, alpha=0.25, gamma=2.0):
    p = clip(share(p))
    return (alpha * (1 - p) ** gamma * -y * np.log(p)).sum(-1)


def cosine(y, p, axis=-1):
    lengths = np.linalg.norm(y, axis=axis) * np.linalg.norm(p, axis=axis)
    return -(y * p).sum(axis) / lengths


def huber(y, p, delta):
    d = np.abs(y - p)
    return np.where(d <= delta, d**2 / 2, delta * d - delta**2 / 2).mean(-1)


def smooth_l1(y, p, beta):
    d = np.abs(y - p)
    return np.where(d < beta, d**2 / 2, beta * (d - beta / 2)).mean(-1)


def sparse(y, p, ignored=None):
    one_hot = np.eye(p.shape[-1])[np.where(y == ignored, 0, y).astype(int)]
    return -(one_hot * np.log(share(p))).sum(-1)


def asymmetric(y, p, under, over):
    return (np.where(y > p, under, over) * (y - p) ** 2).mean(-1)


def weighted_bce(y, p, missed, alarm):
    return (-missed * y * np.log(p) - alarm * (1 - y) * np.log(1 - p)).mean(-1)


def pinball(y, p, q):
    return np.where(y > p, q * (y - p), (1 - q) * (p - y)).mean(-1)


def dice(y, p, axis):
    return 1 - 2 * (y * p).sum(axis) / (y.sum(axis) + p.sum(axis) + EPSILON)


def tversky(y, p, axis, alpha=0.5, beta=0.5):
    both = (y * p).sum(axis)
    return 1 - both / (both + alpha * (y * (1 - p)).sum(axis) + beta * (p * (1 - y)).sum(axis) + EPSILON)


def areas(y, p):
    """Intersection, union, smallest box around both, and its width and height."""
    width = np.minimum(y[..., 2], p[..., 2]) - np.maximum(y[..., 0], p[..., 0])
    height = np.minimum(y[..., 3], p[..., 3]) - np.maximum(y[..., 1], p[..., 1])
    both = np.where((width > 0) & (height > 0), width * height, 0)
    of = [(box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (y, p)]
    across = np.maximum(y[..., 2], p[..., 2]) - np.minimum(y[..., 0], p[..., 0])
    along = np.maximum(y[..., 3], p[..., 3]) - np.minimum(y[..., 1], p[..., 1])
    return both, of[0] + of[1] - both, across * along, across, along


def iou(y, p):
    both, union, *_ = areas(y, p)
    return 1 - both / union


def giou(y, p):
    both, union, around, *_ = areas(y, p)
    return 1 - both / union + (around - union) / around


def diou(y, p):
    both, union, _, across, along = areas(y, p)
    dx = (y[..., 0] + y[..., 2] - p[..., 0] - p[..., 2]) / 2
    dy = (y[..., 1] + y[..., 3] - p[..., 1] - p[..., 3]) / 2
    return 1 - both / union + (dx**2 + dy**2) / (across**2 + along**2)


SHAPE = (6, 4)


def arrays(kind: str, shape=SHAPE, seed=0):
    """Targets and predictions that a loss may meet, as float64 that float32 holds exactly."""
    rng = np.random.default_rng(seed)
    real, other = rng.normal(size=shape), rng.normal(size=shape)
    probability = rng.uniform(0.1, 0.9, shape)
    classes = rng.integers(0, shape[-1], shape[:-1])
    corner = rng.uniform(0, 1, (2, *shape[:-1], 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.2, 1, corner.shape)], axis=-1)
    made = {
        "real": (real, other),
        "positive": (np.abs(real) + 0.5, np.abs(other) + 0.5),
        "binary": (rng.integers(0, 2, shape), probability),
        "soft": (rng.uniform(0, 1, shape), probability),
        "logits": (rng.integers(0, 2, shape), 2 * other),
        "one_hot": (np.eye(shape[-1])[classes], probability),
        "one_hot_logits": (np.eye(shape[-1])[classes], 2 * other),
        "shares": (share(np.abs(real) + 0.1), share(probability)),
        "classes": (classes, probability),
        "class_logits": (classes, 2 * other),
        "signs": (2 * rng.integers(0, 2, shape) - 1, other),
        "zero_one": (rng.integers(0, 2, shape), other),
        "boxes": (boxes[0], boxes[1]),
    }[kind]
    return tuple(array.astype(np.float32).astype(np.float64) for array in made)


def named(name, **arguments):
    return {"type": name, **arguments}


def expression(text):
    return named("expression", expression=text)


CASES = [
    ("mean_squared_error", "real", lambda y, p: ((y - p) ** 2).mean(-1)),
    ("mean_absolute_error", "real", lambda y, p: np.abs(y - p).mean(-1)),
    ("mean_absolute_percentage_error", "positive", lambda y, p: 100 * (np.abs(y - p) / np.abs(y)).mean(-1)),
    ("mean_squared_logarithmic_error", "positive", lambda y, p: ((np.log1p(y) - np.log1p(p)) ** 2).mean(-1)),
    ("huber", "real", lambda y, p: huber(y, p, 1)),
    (named("huber", delta=0.4), "real", lambda y, p: huber(y, p, 0.4)),
    ("log_cosh", "real", lambda y, p: np.log(np.cosh(p - y)).mean(-1)),
    ("binary_crossentropy", "binary", lambda y, p: bce(y, p).mean(-1)),
    ("binary_crossentropy", "soft", lambda y, p: bce(y, p).mean(-1)),
    (named("bce", from_logits=True), "logits", lambda y, p: bce(y, sigmoid(p)).mean(-1)),
    (named("bce", label_smoothing=0.2), "binary", lambda y, p: bce(smooth(y, 0.2, 2), p).mean(-1)),
    ("categorical_crossentropy", "one_hot", lambda y, p: -(y * np.log(share(p))).sum(-1)),
    (
        named("categorical_crossentropy", from_logits=True, label_smoothing=0.1),
        "one_hot_logits",
        lambda y, p: -(smooth(y, 0.1, 4) * np.log(softmax(p))).sum(-1),
    ),
    ("sparse_categorical_crossentropy", "classes", sparse),
    (
        named("sparse_categorical_crossentropy", from_logits=True),
        "class_logits",
        lambda y, p: sparse(y, softmax(p)),
    ),
    ("binary_focal_crossentropy", "binary", focal),
    (
        named(
            "binary_focal_crossentropy", apply_class_balancing=True, alpha=0.6, gamma=1, label_smoothing=0.2
        ),
        "binary",
        lambda y, p: focal(smooth(y, 0.2, 2), p, 0.6, 1),
    ),
    (named("binary_focal_crossentropy", from_logits=True), "logits", lambda y, p: focal(y, sigmoid(p))),
    ("categorical_focal_crossentropy", "one_hot", categorical_focal),
    (
        named("categorical_focal_crossentropy", alpha=[0.1, 0.2, 0.3, 0.4], gamma=1.5, from_logits=True),
        "one_hot_logits",
        lambda y, p: categorical_focal(y, softmax(p), np.array([0.1, 0.2, 0.3, 0.4]), 1.5),
    ),
    ("kl_divergence", "shares", lambda y, p: (y * np.log(y / p)).sum(-1)),
    ("poisson", "positive", lambda y, p: (p - y * np.log(p + EPSILON)).mean(-1)),
    ("cosine_similarity", "real", cosine),
    ("hinge", "signs", lambda y, p: np.maximum(1 - y * p, 0).mean(-1)),
    ("hinge", "zero_one", lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0).mean(-1)),
    ("squared_hinge", "signs", lambda y, p: (np.maximum(1 - y * p, 0) ** 2).mean(-1)),
    (
        "categorical_hinge",
        "one_hot",
        lambda y, p: np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0),
    ),
    (named("dice", axis=-1), "binary", lambda y, p: dice(y, p, -1)),
    (named("tversky", axis=[1], alpha=0.3, beta=0.8), "binary", lambda y, p: tversky(y, p, 1, 0.3, 0.8)),
    ("weighted_binary_crossentropy", "soft", lambda y, p: weighted_bce(y, p, 1, 1)),
    (
        named("weighted_binary_crossentropy", false_negative_weight=3, false_positive_weight=0.5),
        "soft",
        lambda y, p: weighted_bce(y, p, 3, 0.5),
    ),
    (
        named("weighted_binary_crossentropy", false_negative_weight=2, from_logits=True),
        "logits",
        lambda y, p: weighted_bce(y, sigmoid(p), 2, 1),
    ),
    ("asymmetric_squared_error", "real", lambda y, p: asymmetric(y, p, 1, 1)),
    (
        named("asymmetric_squared_error", under_weight=4, over_weight=0.5),
        "real",
        lambda y, p: asymmetric(y, p, 4, 0.5),
    ),
    ("pinball", "real", lambda y, p: pinball(y, p, 0.5)),
    (named("pinball", quantile=0.9), "real", lambda y, p: pinball(y, p, 0.9)),
    ("smooth_l1", "real", lambda y, p: smooth_l1(y, p, 1)),
    (named("smooth_l1", beta=0.3), "real", lambda y, p: smooth_l1(y, p, 0.3)),
    ("iou", "boxes", iou),
    ("giou", "boxes", giou),
    ("diou", "boxes", diou),
    (
        expression("mean(abs(y_true - y_pred) ** 3, axis=-1)"),
        "real",
        lambda y, p: (np.abs(y - p) ** 3).mean(-1),
    ),
]
IDS = [f"{loss if isinstance(loss, str) else list(loss.values())}-{kind}" for loss, kind, _ in CASES]

WEIGHT = np.array([0.5, 1.0, 2.0, 0.0, 1.25, 3.0])

# Over a batch, with the samples' losses (averaged over further axes) and w their weights.
REDUCTIONS = {
    "sum_over_batch_size": lambda losses, w: (losses * w).sum() / len(losses),
    "mean": lambda losses, w: (losses * w).sum() / len(losses),
    "sum": lambda losses, w: (losses * w).sum(),
    "mean_with_sample_weight": lambda losses, w: (losses * w).sum() / w.sum(),
}


@pytest.mark.parametrize("shape", [SHAPE, (6, 3, 4)], ids=["samples", "sequences"])
@pytest.mark.parametrize(("loss", "kind", "formula"), CASES, ids=IDS)
def test_value_and_gradient(loss, kind, formula, shape):
    y_true, y_pred = arrays(kind, shape)
    if loss == named("tversky", axis=[1], alpha=0.3, beta=0.8) and len(shape) > 2:
        loss = {**loss, "axis": [2]}
        formula = lambda y, p: tversky(y, p, 2, 0.3, 0.8)  # noqa: E731

    def total(predictions):
        losses = formula(y_true, predictions)
        return (losses.reshape(len(WEIGHT), -1).mean(axis=1) * WEIGHT).mean()

    value, gradient = value_and_gradient(term_of(loss), y_true, y_pred, WEIGHT)
    assert value.dtype == tf.float32
    assert value.shape == ()
    np.testing.assert_allclose(value, total(y_pred), rtol=2e-5)
    np.testing.assert_allclose(gradient, finite_differences(total, y_pred), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "loss", ["mean_absolute_error", "smooth_l1", expression("sum(abs(y_true - y_pred), 1)")]
)
def test_reduction(loss, reduction, weighted):
    y_true, y_pred = arrays("real")
    losses = np.abs(y_true - y_pred).mean(-1)
    if loss == "smooth_l1":
        losses = smooth_l1(y_true, y_pred, 1)
    elif not isinstance(loss, str):
        losses = np.abs(y_true - y_pred).sum(-1)
    loss = {**(named(loss) if isinstance(loss, str) else loss), "reduction": reduction}
    term = term_of(loss)
    value = term.value(batch_of(y_true, y_pred, WEIGHT if weighted else None))
    expected = REDUCTIONS[reduction](losses, WEIGHT if weighted else np.ones(len(losses)))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert term.extensive == (reduction == "sum")


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
def test_everything_works_compiled(jit_compile):
    """A loss of each type in one program, against the same outside; every other one weighted."""
    by_type = {term_of(loss).name: (loss, kind) for loss, kind, _ in CASES} | {"dice": ("dice", "binary")}
    weights = [None, tf.constant(WEIGHT, tf.float32)] * len(by_type)
    everything = [
        (term_of(loss), *arrays(kind), weight)
        for (loss, kind), weight in zip(by_type.values(), weights, strict=False)
    ]

    def run():
        return [value_and_gradient(*one) for one in everything]

    results = zip(tf.function(run, jit_compile=jit_compile, autograph=False)(), run(), strict=True)
    for (value, gradient), (expected, expected_gradient) in results:
        np.testing.assert_allclose(value, expected, rtol=1e-4)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-3, atol=1e-6)


# What is Keras's is as Keras has it.

OF_KERAS = [spec for name, spec in LOSSES.items() if spec.__module__ == keras_specs.__name__]


def test_all_of_keras_losses_are_there_but_three():
    classes = {
        name
        for name, thing in vars(keras.losses).items()
        if inspect.isclass(thing) and issubclass(thing, keras.losses.Loss)
    }
    missing = {"CTC", "CategoricalGeneralizedCrossEntropy", "Circle", "Loss"}
    assert {spec.__name__ for spec in OF_KERAS} == classes - missing


@pytest.mark.parametrize("spec", OF_KERAS, ids=lambda spec: spec.__name__)
def test_arguments_and_defaults_are_those_of_keras(spec):
    parameters = inspect.signature(getattr(keras.losses, spec.__name__).__init__).parameters
    theirs = {name: p.default for name, p in parameters.items() if name not in ("self", "name", "dtype")}
    ours = {name: field.default for name, field in spec.model_fields.items() if name != "class_weight"}
    assert hasattr(keras.losses, ours.pop("type"))  # the function's name
    assert ours == theirs


@pytest.mark.parametrize("alias", ["mse", "MAE", "mape", "MSLE", "bce", "BCE", "kld", "CosineSimilarity"])
def test_a_name_means_what_it_means_to_keras(alias):
    y_true, y_pred = arrays("shares")
    expected = np.mean(keras.losses.get(alias)(y_true, y_pred))
    np.testing.assert_allclose(term_of(alias).value(batch_of(y_true, y_pred)), expected, rtol=1e-5)


CASES_OF_KERAS = [
    (loss if isinstance(loss, dict) else named(loss), kind)
    for loss, kind, _ in CASES
    if LOSSES.get(loss if isinstance(loss, str) else loss["type"], LOSSES["mean_squared_error"]) in OF_KERAS
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "kind"), CASES_OF_KERAS, ids=str)
def test_equals_what_keras_compiles(loss, kind, reduction):
    spec = parse(Document, {"loss": loss}).loss
    arguments = spec.arguments()
    theirs = getattr(keras.losses, type(spec).__name__)(**arguments, reduction=reduction)
    ours = term_of({**loss, "reduction": reduction})
    y_true, y_pred = (array.astype(np.float32) for array in arrays(kind))
    for weight in (None, WEIGHT.astype(np.float32)):
        expected = theirs(y_true, y_pred, sample_weight=weight)
        np.testing.assert_allclose(ours.value(batch_of(y_true, y_pred, weight)), expected, rtol=1e-6)


# What is particular to one loss.


def test_ignored_classes_do_not_count():
    loss = named("sparse_categorical_crossentropy", ignore_class=255)
    y_true, y_pred = arrays("classes", (6, 3, 4))
    y_true[:, 0] = 255
    value, gradient = value_and_gradient(term_of(loss), y_true, y_pred)
    np.testing.assert_allclose(value, sparse(y_true[:, 1:], y_pred[:, 1:]).mean(), rtol=1e-5)
    assert not np.any(gradient[:, 0])


def test_dice_over_the_whole_batch():
    y_true, y_pred = arrays("binary")
    expected = dice(y_true, y_pred, None)
    value, gradient = value_and_gradient(term_of("dice"), y_true, y_pred)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(
        gradient, finite_differences(lambda p: dice(y_true, p, None), y_pred), rtol=1e-3, atol=1e-6
    )
    weighted = term_of("dice").value(batch_of(y_true, y_pred, WEIGHT))
    np.testing.assert_allclose(weighted, expected * WEIGHT.mean(), rtol=1e-5)
    by_class = term_of(named("dice", axis=[0])).value(batch_of(y_true, y_pred))
    np.testing.assert_allclose(by_class, dice(y_true, y_pred, 0).mean(), rtol=1e-5)


def test_cosine_along_another_axis():
    y_true, y_pred = arrays("real", (6, 3, 4))
    value = term_of(named("cosine_similarity", axis=1)).value(batch_of(y_true, y_pred, WEIGHT))
    expected = (cosine(y_true, y_pred, axis=1).mean(-1) * WEIGHT).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def box_loss(name, truth, box):
    return float(term_of(name).value(batch_of([truth], [box])))


@pytest.mark.parametrize(
    ("name", "box", "expected"),
    [
        ("iou", [0, 0, 2, 2], 0),
        ("giou", [0, 0, 2, 2], 0),
        ("diou", [0, 0, 2, 2], 0),
        ("iou", [1, 0, 3, 2], 1 - 2 / 6),
        ("giou", [1, 0, 3, 2], 1 - 2 / 6),  # the box around both is their union
        ("diou", [1, 0, 3, 2], 1 - 2 / 6 + 1 / 13),
        ("iou", [3, 3, 4, 4], 1),
        ("giou", [3, 3, 4, 4], 1 + (16 - 5) / 16),
        ("diou", [3, 3, 4, 4], 1 + (2.5**2 + 2.5**2) / (4**2 + 4**2)),
        ("iou", [2, 2, 0, 0], 0),  # drawn backwards
        ("iou", [1, 1, 1, 1], 1),  # a point
    ],
)
def test_known_boxes(name, box, expected):
    assert box_loss(name, [0, 0, 2, 2], box) == pytest.approx(expected, abs=1e-6)


def test_boxes_without_area_have_finite_losses_and_gradients():
    for name in ("iou", "giou", "diou"):
        value, gradient = value_and_gradient(term_of(name), [[1, 1, 1, 1]], [[1.0, 1, 1, 1]])
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_boxes_apart_have_a_gradient_but_in_iou():
    gradients = {
        name: value_and_gradient(term_of(name), [[0, 0, 1, 1]], [[3.0, 3, 4, 4]])[1].numpy()
        for name in ("iou", "giou", "diou")
    }
    assert not gradients["iou"].any()
    for name in ("giou", "diou"):  # moving the box further away makes it worse
        assert gradients[name].sum() > 0
    surrogate = term_of("iou").surrogate
    assert surrogate is not None
    assert "giou or diou" in surrogate


@pytest.mark.parametrize("loss", ["bce", "weighted_binary_crossentropy"])
def test_crossentropy_of_a_sigmoid_goes_by_its_logits(loss):
    """In a graph, as in `fit`: a sigmoid that is 1 in float32 still has a gradient."""
    term = term_of(loss)

    @tf.function
    def slope(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = term.value(batch_of(tf.zeros((1, 1)), keras.activations.sigmoid(logits)))
        return value, tape.gradient(value, logits)

    value, gradient = slope(tf.constant([[40.0]]))
    assert float(value) == pytest.approx(40)
    np.testing.assert_allclose(gradient, [[1]])


def test_class_weights_by_label_and_one_hot():
    weights = {0: 0.5, 2: 3.0}
    expected = [3.0, 1.0, 0.5]
    for y_true in ([2.0, 1.0, 0.0], [[2.0], [1.0], [0.0]], [[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]]):
        np.testing.assert_allclose(class_weights(tf.constant(y_true), weights), expected)


def test_class_weight_multiplies_sample_weight():
    loss = named("sparse_categorical_crossentropy", class_weight={"1": 5, "3": 0})
    y_true, y_pred = arrays("classes")
    of_class = np.where(y_true == 1, 5, np.where(y_true == 3, 0, 1))
    losses = sparse(y_true, y_pred)
    term = term_of(loss)
    np.testing.assert_allclose(term.value(batch_of(y_true, y_pred)), (losses * of_class).mean(), rtol=1e-5)
    weighted = term.value(batch_of(y_true[:, None], y_pred, WEIGHT))
    np.testing.assert_allclose(weighted, (losses * of_class * WEIGHT).mean(), rtol=1e-5)


def test_targets_may_lack_an_axis_or_have_one_too_many():
    y_true, y_pred = arrays("real", (6, 1))
    expected = term_of("mse").value(batch_of(y_true, y_pred))
    np.testing.assert_allclose(term_of("mse").value(batch_of(y_true[:, 0], y_pred)), expected)
    np.testing.assert_allclose(term_of("mse").value(batch_of(y_true[..., None], y_pred)), expected)


def test_a_mask_leaves_steps_out_as_in_keras():
    y_true, y_pred = (array.astype(np.float32) for array in arrays("real", (6, 3, 4)))
    kept = np.array([[True, True, False]] * 6)
    formulas = {"mse": lambda y, p: ((y - p) ** 2).mean(-1), "smooth_l1": lambda y, p: smooth_l1(y, p, 1)}
    for name, formula in formulas.items():
        masked = tf.constant(y_pred)
        keras.src.backend.set_keras_mask(masked, tf.constant(kept))
        np.testing.assert_allclose(
            term_of(name).value(batch_of(y_true, masked)), formula(y_true, y_pred)[kept].mean(), rtol=1e-5
        )


def test_terms_of_several_outputs():
    box = {"type": "sum", "terms": [{"loss": "smooth_l1", "weight": 3}, {"loss": "iou"}]}
    terms = terms_of({"class": "bce", "box": {"loss": box, "weight": 2}}, ("class", "box"))
    assert [(term.name, term.strength, term.pointer) for term in terms] == [
        ("class_loss", 1.0, "/loss/class"),
        ("box_smooth_l1", 6.0, "/loss/box/loss/terms/0/loss"),
        ("box_iou", 2.0, "/loss/box/loss/terms/1/loss"),
    ]
    classes, boxes = arrays("binary", (6, 1)), arrays("boxes")
    batch = batch_of({"class": classes[0], "box": boxes[0]}, {"class": classes[1], "box": boxes[1]})
    expected = [bce(*classes).mean(), smooth_l1(*boxes, 1).mean(), iou(*boxes).mean()]
    np.testing.assert_allclose([float(term.value(batch)) for term in terms], expected, rtol=1e-5)


def test_equal_terms_of_a_sum_have_names_of_their_own():
    terms = terms_of({"type": "sum", "terms": [{"loss": "huber"}, {"loss": named("huber", delta=3)}]})
    assert [term.name for term in terms] == ["huber", "huber_1"]
