"""The training loop of one structure, compiled once and run for many epochs at a time.

    for each epoch:
        shuffle the rows
        for each batch: forward, gradient, optimizer step
        evaluate the validation rows
        with declared limits: evaluate the training rows, move multipliers, keep the best weights
        write a row of history; early stopping; plateau

All of that is one `tf.function` with a `while_loop`; it returns to Python after as many epochs as it was
asked for. Everything that changes from epoch to epoch is in the state, a nest of tensors that goes in and
comes out, so that a checkpoint is that nest and nothing else. Runs that differ only in strengths, data
values, seed or number of epochs use the same program.
"""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from app.training.augmentation import Augmentation
from app.training.batches import Rows, Schedule, State, take, walk_batches
from app.training.callbacks import EarlyStop, Plateau
from app.training.constraints.check import Check
from app.training.constraints.enforcement import Enforcement
from app.training.figures import Figures
from app.training.forward import Forward
from app.training.metrics import BuiltMetric
from app.training.objective import Objective
from app.training.optimizers import averaged_weights
from app.training.plan import Plan
from app.training.shuffle import shuffled_rows

HISTORY_ROWS = 4096
"""The most epochs that one call runs; the height of the history buffer."""

STEP_STREAM, SHUFFLE_STREAM, AUGMENTATION_STREAM = 0x5EED, 0xCA4D, 0xF11B
"""Keep the random numbers of different purposes apart, though all come from the run's one seed."""


class Program:
    """One structure's training loop.

    Args:
        forward: of the tapped model.
        optimizer: built for the model's trainable variables, able to apply statelessly.
        objective: the terms of the total.
        metrics: what is reported beside them.
        training: how training rows are walked.
        validation: how validation rows are, or None.
        plan: XLA or not.
        early_stop: stops the loop, or None.
        plateau: lowers the learning rate, or None.
        augmentation: changes training batches, or None.
        check: looks at declared limits after each epoch, or None.
    """

    def __init__(
        self,
        *,
        forward: Forward,
        optimizer: keras.optimizers.Optimizer,
        objective: Objective,
        metrics: Sequence[BuiltMetric],
        training: Schedule,
        validation: Schedule | None,
        plan: Plan,
        early_stop: EarlyStop | None = None,
        plateau: Plateau | None = None,
        augmentation: Augmentation | None = None,
        check: Check | None = None,
    ) -> None:
        self.forward = forward
        self.figures = Figures(objective, metrics)
        self.optimizer = optimizer
        self.objective = objective
        self.plan = plan
        self.training = training
        self.validation = validation
        self.early_stop = early_stop
        self.plateau = plateau
        self.augmentation = augmentation
        self.check = check
        self.enforcement = check.enforcement if check else None
        self.columns = self.column_names(
            objective, metrics, self.enforcement, validated=validation is not None
        )
        self.run = tf.function(self._run, jit_compile=plan.jit_compile, autograph=False)

    @staticmethod
    def column_names(
        objective: Objective,
        metrics: Sequence[BuiltMetric],
        enforcement: Enforcement | None = None,
        *,
        validated: bool,
    ) -> tuple[str, ...]:
        """The columns of the history."""
        names = Figures(objective, metrics).names
        names += tuple(f"val_{name}" for name in names) if validated else ()
        return names + (enforcement.columns if enforcement else ())

    def initial_state(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        rows: Rows,
        epochs: int,
        prices: Sequence[float] = (),
    ) -> State:
        """The state before the first epoch, from the values of a model's and an optimizer's variables.

        Args:
            model: its variables' values are those to begin with.
            optimizer: likewise.
            rows: the training samples.
            epochs: how many the run has.
            prices: the multiplier that each limit begins with.
        """
        trainable = [tf.constant(v.numpy()) for v in model.trainable_variables]
        non_trainable = [tf.constant(v.numpy()) for v in model.non_trainable_variables]
        return {
            "epoch": tf.constant(0, tf.int32),
            "finite": tf.constant(True),
            "trainable": trainable,
            "non_trainable": non_trainable,
            "optimizer": [tf.constant(v.numpy()) for v in optimizer.variables],
            "early_stop": self.early_stop.initial(trainable + non_trainable) if self.early_stop else {},
            "plateau": self.plateau.initial() if self.plateau else {},
            "constraints": self._initial_constraints(trainable, non_trainable, rows, epochs, prices),
        }

    def _initial_constraints(
        self,
        trainable: list[tf.Tensor],
        non_trainable: list[tf.Tensor],
        rows: Rows,
        epochs: int,
        prices: Sequence[float],
    ) -> State:
        if self.enforcement is None:
            return {}
        two = take(rows, None, tf.constant(0), min(2, self.training.samples))
        example, _ = self.forward(trainable, non_trainable, two, tf.constant([0, 0]), training=False)
        return self.enforcement.initial(example, epochs, trainable + non_trainable, prices)

    def _run(
        self, state: State, rows: Mapping[str, Rows], strengths: tf.Tensor, seed: tf.Tensor, epochs: tf.Tensor
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        """Runs until `epochs` more epochs are done, the loop stops early, or the loss isn't finite.

        Args:
            state: as `initial_state` or an earlier call gave it.
            rows: the samples of `train` and, where there is one, `validation`.
            strengths: float32, as the objective gives them.
            seed: the run's seed, int32 `()`.
            epochs: how many, int32 `()`, at most `HISTORY_ROWS`.

        Returns:
            The new state; the history, float32 `(HISTORY_ROWS, columns)`; how many of its rows are filled.
        """
        history = tf.zeros((HISTORY_ROWS, len(self.columns)))

        def goes_on(done: tf.Tensor, state: State, history: tf.Tensor) -> tf.Tensor:
            going = (done < epochs) & state["finite"]
            return going & ~state["early_stop"]["stopped"] if self.early_stop else going

        def epoch(done: tf.Tensor, state: State, history: tf.Tensor) -> tuple[tf.Tensor, State, tf.Tensor]:
            state, row = self._epoch(state, rows, strengths, seed)
            history = tf.tensor_scatter_nd_update(history, [[done]], row[None, :])
            return done + 1, state, history

        done, state, history = tf.while_loop(goes_on, epoch, (tf.constant(0), state, history))
        return state, history, done

    def _epoch(
        self, state: State, rows: Mapping[str, Rows], strengths: tf.Tensor, seed: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        """One pass over the training rows and one over the validation rows: new state, row of figures."""
        number = state["epoch"] + 1
        state, trained = self._train(state, rows["train"], strengths, seed)
        figures = [trained]
        if self.validation:
            figures.append(self._evaluate(state, rows["validation"], strengths, seed))
        if self.check:
            validated = figures[1][0] if self.validation else None
            state, limits = self._look_at_limits(self.check, state, rows["train"], strengths, seed, validated)
            figures.append(limits)
        row = tf.concat(figures, axis=0)  # (columns,)
        state = {**state, "epoch": number, "finite": tf.math.is_finite(row[0])}
        if self.early_stop:
            weights = state["trainable"] + state["non_trainable"]
            # Until a limit has set in and was held, no epoch is one to stop at.
            ready = state["constraints"]["ready"] if self.enforcement else None
            stop = self.early_stop.update(state["early_stop"], row, number, weights, ready)
            state = {**state, "early_stop": stop}
        if self.plateau:
            state = self._apply_plateau(self.plateau, state, row)
        return state, row

    def _train(
        self, state: State, rows: Rows, strengths: tf.Tensor, seed: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        walk = self.training
        order = None
        if walk.shuffle and walk.samples > walk.batch_size:
            order = shuffled_rows(walk.samples, tf.stack([seed ^ SHUFFLE_STREAM, state["epoch"]]))
        steps_an_epoch = walk.steps + bool(walk.remainder)
        enforced = state["constraints"]
        if self.enforcement:
            rows = {**rows, "constraints": self.enforcement.by_row(enforced)}
        loop = {
            "trainable": state["trainable"],
            "non_trainable": state["non_trainable"],
            "optimizer": state["optimizer"],
            **self.figures.initial(),
            "estimates": self.enforcement.estimates(enforced) if self.enforcement else [],
        }

        def step(index: tf.Tensor, loop: State, size: int) -> State:
            batch_rows = take(rows, order, index * walk.batch_size, size)
            number = state["epoch"] * steps_an_epoch + index
            if self.augmentation:
                key = tf.stack([seed ^ AUGMENTATION_STREAM, number])
                batch_rows = self.augmentation.apply(batch_rows, key)
            key = tf.stack([seed ^ STEP_STREAM, number])
            return self._step(loop, batch_rows, strengths, key, size, enforced)

        loop = walk_batches(walk, step, loop)
        kept = {key: loop[key] for key in ("trainable", "non_trainable", "optimizer")}
        return {**state, **kept}, self.figures.of(loop, walk.samples)

    def _step(
        self, loop: State, rows: Rows, strengths: tf.Tensor, seed: tf.Tensor, size: int, enforced: State
    ) -> State:
        """Forward, gradient and optimizer step on one batch."""
        trainable, estimates = loop["trainable"], loop["estimates"]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trainable)
            batch, non_trainable = self.forward(trainable, loop["non_trainable"], rows, seed, training=True)
            total, parts = self.objective.evaluate(batch, strengths)
            if self.enforcement:
                added, estimates = self.enforcement.term(batch, rows["constraints"], estimates, enforced)
                total += added
        gradients = tape.gradient(total, trainable, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        rate = self._learning_rate(loop["optimizer"])
        before = trainable
        trainable, optimizer = self.optimizer.stateless_apply(loop["optimizer"], gradients, before)
        if self.enforcement:
            share = self.enforcement.step_share(enforced)
            rate *= share
            trainable = [old + share * (new - old) for old, new in zip(before, trainable, strict=True)]
        if self.objective.proximal:
            trainable = self.objective.proximal_step(self.forward.by_path(trainable), strengths, rate)
        if self.enforcement:
            trainable = self.enforcement.project(self.forward.by_path(trainable), enforced)
        return {
            "trainable": list(trainable),
            "non_trainable": non_trainable,
            "optimizer": list(optimizer),
            **self.figures.updated(loop, batch, parts, size),
            "estimates": estimates,
        }

    def _look_at_limits(
        self,
        check: Check,
        state: State,
        rows: Rows,
        strengths: tf.Tensor,
        seed: tf.Tensor,
        validated: tf.Tensor | None,
    ) -> tuple[State, tf.Tensor]:
        """Where limits stand with the weights that would be served: new state, figures `(figures,)`."""
        served = averaged_weights(self.optimizer, state["optimizer"]) or state["trainable"]
        constraints, served = check.enforcement.prune(
            self.forward.by_path(served), state["constraints"], state["epoch"] + 1
        )
        state = {**state, "constraints": constraints}
        if not self.optimizer.use_ema:
            state = {**state, "trainable": served}
        constraints, figures = check(state, served, rows, strengths, seed, validated)
        return {**state, "constraints": constraints}, figures

    def _evaluate(self, state: State, rows: Rows, strengths: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The figures of the validation rows with the weights as they are, float32 `(figures,)`."""
        walk = self.validation
        assert walk is not None

        def step(index: tf.Tensor, loop: State, size: int) -> State:
            batch_rows = take(rows, None, index * walk.batch_size, size)
            batch, _ = self.forward(
                state["trainable"],
                state["non_trainable"],
                batch_rows,
                tf.stack([seed, index]),
                training=False,
            )
            scale = min(self.training.batch_size, size) / size
            _, parts = self.objective.evaluate(batch, strengths, extensive_scale=scale)
            return self.figures.updated(loop, batch, parts, size)

        return self.figures.of(walk_batches(walk, step, self.figures.initial()), walk.samples)

    def _learning_rate(self, variables: list[tf.Tensor]) -> tf.Tensor:
        """The rate of the next step, float32 `()`, with the optimizer's variables as they are."""
        mapping = list(zip(self.optimizer.variables, variables, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return tf.convert_to_tensor(self.optimizer.learning_rate)

    def _apply_plateau(self, plateau: Plateau, state: State, row: tf.Tensor) -> State:
        place = [v.path for v in self.optimizer.variables].index(self.optimizer._learning_rate.path)
        variables = list(state["optimizer"])
        kept, variables[place] = plateau.update(state["plateau"], row, variables[place])
        return {**state, "plateau": kept, "optimizer": variables}
