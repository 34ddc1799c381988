"""What the diagnosis needs of all epochs, gathered inside the compiled loop."""

import tensorflow as tf

from app.training.batches import State


def initial_watch() -> State:
    """Before the first epoch."""
    return {
        "held": tf.constant(False),
        "price": tf.constant(0.0),
        "gone": tf.constant(0.0),
        "back": tf.constant(0.0),
        "direction": tf.constant(1.0),
        "oscillation": tf.constant(0.0),
    }


def watched(watch: State, held: tf.Tensor, now: tf.Tensor) -> State:
    """After an epoch: whether the limit ever held, and how far its multiplier went to and fro."""
    change = now - watch["price"]
    turned = change * watch["direction"] < 0
    gone = 0.99 * watch["gone"] + tf.abs(change)
    back = 0.99 * watch["back"] + change
    return {
        "held": watch["held"] | held,
        "price": now,
        "gone": gone,
        "back": back,
        "direction": tf.where(change == 0, watch["direction"], tf.sign(change)),
        "oscillation": tf.where(
            (gone > 5 * tf.abs(now)) & turned, 1 - tf.math.divide_no_nan(tf.abs(back), gone), 0.0
        ),
    }
