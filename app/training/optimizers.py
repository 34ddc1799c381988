"""Keras's optimizers, able to take a step without variables.

Inside a compiled loop the weights are tensors that go in and come out. Keras has `stateless_apply` for that,
but its TensorFlow optimizers refuse it, because they act on `tf.Variable`s in ways made for distribution. The
ways of Keras's base class are for all backends, and work on TensorFlow's tensors too; `_Stateless` puts them
between an optimizer and the TensorFlow part of it. Two of them need more, as a branch of `tf.cond` can't hand
out what it assigned: there both outcomes are computed and one is chosen.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.optimizer import TFOptimizer
from keras.src.optimizers.base_optimizer import BaseOptimizer

from app.spec.fit import Fit
from app.spec.optimizers import CLIPS, OptimizerBase
from app.spec.schedules import LearningRateSchedule


def build_optimizer(spec: OptimizerBase, fit: Fit | None = None) -> keras.optimizers.Optimizer:
    """The optimizer of a document, with the learning-rate schedule and the gradient clip of its `fit`.

    Its `stateless_apply(optimizer_variables, gradients, trainable_variables)` works on TensorFlow, also under
    `tf.function(jit_compile=True)`, and takes the same steps as `apply`. It must be built first.
    """
    arguments = spec.model_dump(exclude={"type"})
    arguments["learning_rate"] = float(arguments["learning_rate"])
    if fit is not None and fit.learning_rate_schedule is not None:
        arguments["learning_rate"] = build_schedule(fit.learning_rate_schedule)
    if fit is not None and fit.gradient_clip is not None:
        arguments |= {name: getattr(fit.gradient_clip, name) for name in CLIPS}
    optimizer_class = getattr(keras.optimizers, type(spec).__name__)
    return _stateless(optimizer_class)(**arguments)


def build_schedule(spec: LearningRateSchedule) -> keras.optimizers.schedules.LearningRateSchedule:
    """Keras's learning-rate schedule of a document."""
    arguments = spec.model_dump(exclude={"type"})
    return getattr(keras.optimizers.schedules, type(spec).__name__)(**arguments)


def averaged_weights(
    optimizer: keras.optimizers.Optimizer, optimizer_variables: Sequence[tf.Tensor]
) -> list[tf.Tensor] | None:
    """The running averages of the trainable weights, which training with `use_ema` ends with.

    Args:
        optimizer: built, as `build_optimizer` gives it.
        optimizer_variables: the values of `optimizer.variables`, in their order.

    Returns:
        A tensor for each trainable variable, or None without `use_ema`.
    """
    if not optimizer.use_ema:
        return None
    values = dict(zip(map(id, optimizer.variables), optimizer_variables, strict=True))
    return [values[id(average)] for average in optimizer._model_variables_moving_average]


@cache
def _stateless(optimizer_class: type) -> Any:
    return type(optimizer_class.__name__, (optimizer_class, _Stateless), {})


class _Stateless(TFOptimizer):
    """What takes the place of `TFOptimizer` in the order of an optimizer's base classes.

    It comes before that class and after the optimizer's own, so that what an optimizer overrides itself, as
    Nadam does with `_backend_update_step`, stays in force.
    """

    stateless_apply = BaseOptimizer.stateless_apply
    assign = BaseOptimizer.assign
    assign_add = BaseOptimizer.assign_add
    assign_sub = BaseOptimizer.assign_sub
    _var_key = BaseOptimizer._var_key
    _apply_weight_decay = BaseOptimizer._apply_weight_decay
    _backend_update_step = BaseOptimizer._backend_update_step

    def _backend_apply_gradients(self, grads: list[tf.Tensor], trainable_variables: list[Any]) -> None:
        if self.gradient_accumulation_steps:
            self._accumulate(grads, trainable_variables)
        else:
            self._update(grads, trainable_variables)
        if self.use_ema:
            self._update_model_variables_moving_average(self._trainable_variables)
            if self.ema_overwrite_frequency:
                overwrites = (self.iterations + 1) % self.ema_overwrite_frequency == 0
                averages = self._model_variables_moving_average
                for variable, average in zip(self._trainable_variables, averages, strict=True):
                    variable.assign(tf.where(overwrites, average.value, variable.value))

    def _update(self, grads: list[tf.Tensor], trainable_variables: list[Any]) -> None:
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(trainable_variables)
        self._backend_update_step(grads, trainable_variables, self.learning_rate)

    def _accumulate(self, grads: list[tf.Tensor], trainable_variables: list[Any]) -> None:
        """Adds to the gradients so far; every so many steps, updates with their mean and starts again."""
        steps = self.gradient_accumulation_steps
        updates = (self._iterations + 1) % steps == 0
        sums = [self._accumulated_gradients[self._get_variable_index(v)] for v in trainable_variables]
        totals = [grad + total for grad, total in zip(grads, sums, strict=True)]
        changing = [*trainable_variables, *self.variables]
        before = [variable.value for variable in changing]
        self._update([total / steps for total in totals], trainable_variables)
        for variable, old in zip(changing, before, strict=True):
            variable.assign(tf.where(updates, variable.value, old))
        for variable, total in zip(sums, totals, strict=True):
            variable.assign(tf.where(updates, tf.zeros_like(total), total))
