"""How multipliers move: pure functions of a limit's violation.

g is the violation of an inequality `g ≤ 0` or of an equality `g = 0`; the model minimises
`f + λ·g̃`, so a multiplier is the price of the limit: the loss saved per unit by which it is relaxed.

    ascent                 λ ← max(0, λ + η·g)
    proportional-integral  ξₜ = ν·ξₜ₋₁ + (1 − ν)·gₜ,   λ ← max(0, λ + η·(Kᵢ·gₜ + Kₚ·(ξₜ − ξₜ₋₁)))
    augmented              force = max(0, λ + ρ·g), with λ moving by ascent towards it

An equality's multiplier has either sign, so nothing is cut off at 0.

Sources: Bertsekas, "Constrained Optimization and Lagrange Multiplier Methods" (1982), §2 and §3; Sohrabi et
al., "On PI controllers for updating Lagrange multipliers in constrained optimization" (ICML 2024).
"""

import tensorflow as tf


def ascended(
    multiplier: tf.Tensor, violation: tf.Tensor, step: tf.Tensor | float, equality: bool = False
) -> tf.Tensor:
    """`max(0, λ + η·g)`, without the cut for an equality; any shape."""
    moved = multiplier + step * violation
    return moved if equality else tf.nn.relu(moved)


def controlled(
    multiplier: tf.Tensor,
    violation: tf.Tensor,
    change: tf.Tensor,
    step: tf.Tensor | float,
    *,
    proportional: float = 1.0,
    equality: bool = False,
) -> tf.Tensor:
    """`max(0, λ + η·(gₜ + Kₚ·(ξₜ − ξₜ₋₁)))`: the next λ in the proportional-integral form, with Kᵢ = 1.

    The proportional part damps: it answers to the violation's change before the integral has run too far.

    Args:
        multiplier: λ, any shape.
        violation: gₜ, of that shape.
        change: ξₜ − ξₜ₋₁, of the violation's running mean.
        step: η.
        proportional: Kₚ.
        equality: whether λ may be negative.
    """
    return ascended(multiplier, violation + proportional * change, step, equality)


def augmented_force(
    multiplier: tf.Tensor, violation: tf.Tensor, strength: tf.Tensor | float, equality: bool = False
) -> tf.Tensor:
    """`max(0, λ + ρ·g)`: what multiplies the violation's gradient; without the cut for an equality."""
    return ascended(multiplier, violation, strength, equality)


def augmented_value(
    multiplier: tf.Tensor, violation: tf.Tensor, strength: tf.Tensor | float, equality: bool = False
) -> tf.Tensor:
    """What the model minimises beside f: `(max(0, λ + ρ·g)² − λ²) / 2ρ`, or `μ·h + ½ρ·h²`.

    Its gradient is `augmented_force` times the violation's.
    """
    if equality:
        return multiplier * violation + 0.5 * strength * tf.square(violation)
    force = augmented_force(multiplier, violation, strength)
    return (tf.square(force) - tf.square(multiplier)) / (2 * strength)


def follows(violation: tf.Tensor, pace: tf.Tensor, epochs: tf.Tensor) -> tf.Tensor:
    """Whether a violation is on its way to 0 by itself: at its present pace it would be there in time.

    A multiplier that went on growing meanwhile would be too large when the violation arrives.

    Args:
        violation: g, any shape.
        pace: its change an epoch, of that shape.
        epochs: how long is in time.
    """
    return violation * (violation + epochs * pace) <= 0
