"""The circles study's training loop as one would write it by hand in JAX: a jitted `lax.scan` over epochs.

Dense(500), relu, Dense(1, sigmoid); binary cross-entropy; Adam; one batch of all training rows; loss and
accuracy of training and validation rows each epoch. Reads the arrays as JSON from standard input and
prints epochs a second. Runs in an environment of its own, which has JAX and not Kerb.
"""

import json
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

EPOCHS = 4000
Tree = Any


def predict(weights: Tree, x: jax.Array) -> jax.Array:
    """Probabilities, `(samples, 1)`."""
    hidden = jax.nn.relu(x @ weights["kernel"] + weights["bias"])
    return jax.nn.sigmoid(hidden @ weights["kernel_1"] + weights["bias_1"])


def loss_and_accuracy(weights: Tree, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean binary cross-entropy and the share of right answers."""
    p = jnp.clip(predict(weights, x), 1e-7, 1 - 1e-7)
    loss = -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))
    return loss, jnp.mean((p > 0.5) == (y > 0.5))


def main() -> None:
    """Compiles, then measures."""
    data = {name: jnp.asarray(rows, jnp.float32) for name, rows in json.load(sys.stdin).items()}
    keys = jax.random.split(jax.random.PRNGKey(0))
    weights = {
        "kernel": jax.random.uniform(keys[0], (2, 500), minval=-0.1, maxval=0.1),
        "bias": jnp.zeros(500),
        "kernel_1": jax.random.uniform(keys[1], (500, 1), minval=-0.1, maxval=0.1),
        "bias_1": jnp.zeros(1),
    }

    def epoch(carry: Tree, _: None) -> tuple[Tree, jax.Array]:
        weights, mean, variance, step = carry
        evaluate = jax.value_and_grad(loss_and_accuracy, has_aux=True)
        (loss, accuracy), gradient = evaluate(weights, data["train_x"], data["train_y"])
        step = step + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        variance = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, variance, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, mean, variance)
        val_loss, val_accuracy = loss_and_accuracy(weights, data["validation_x"], data["validation_y"])
        return (weights, mean, variance, step), jnp.stack([loss, accuracy, val_loss, val_accuracy])

    zeros = jax.tree.map(jnp.zeros_like, weights)
    run = jax.jit(lambda carry: jax.lax.scan(epoch, carry, None, length=EPOCHS))
    carry = (weights, zeros, zeros, jnp.float32(0))
    np.asarray(run(carry)[1])  # compiles
    started = time.perf_counter()
    np.asarray(run(carry)[1])
    print(EPOCHS / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
