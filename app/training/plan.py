"""How a model's training loop is compiled: with XLA or as a plain TensorFlow graph.

Measured on two CPU cores, one epoch of 4,096 samples in batches of 128, against `model.fit`: XLA is
1.4 to 2 times quicker than the plain loop for dense and recurrent layers, but a convolution inside an
XLA loop on a CPU runs a hundred times slower than outside, because it loses the tuned kernels. So a
model with any such layer takes the plain loop. So does one that lays out its steps one by one: XLA takes
minutes to compile a hundred of them.

A step of a small model is some fifty kernels, and handing these out takes XLA longer than what they do. A
loop over few bytes it can compile as one function instead, in which an epoch takes up to half the time less;
over more bytes products of matrices lose their tuned kernels by it (measured at 300,000 and more).
"""

import os
from dataclasses import dataclass

from app.spec.layers.recurrent import Recurrent
from app.spec.layers.wrapping import TimeDistributed
from app.spec.model import Graph

PLAIN_LAYER_WORDS = ("Conv", "Pool")

SMALL_LOOP_BYTES = 200_000
"""What a turn of a loop may read and write to be compiled as one function."""

XLA_FLAGS = f"--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold={SMALL_LOOP_BYTES}"

# XLA reads its flags when it compiles for the first time, once for the whole process.
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)


@dataclass(frozen=True)
class Plan:
    """The way that was chosen, and why.

    Attributes:
        jit_compile: whether XLA compiles the loop.
        reason: one sentence for the run's record.
    """

    jit_compile: bool
    reason: str


def choose_plan(graph: Graph) -> Plan:
    """The quickest measured way to compile the training loop of a model."""
    for node in graph.nodes:
        for layer in (node.layer, *node.layer.wrapped().values()):
            if any(word in layer.type for word in PLAIN_LAYER_WORDS):
                return Plan(False, f"layer {node.name} ({layer.type}) runs quicker outside XLA on a CPU")
            if isinstance(layer, TimeDistributed) or (isinstance(layer, Recurrent) and layer.unroll):
                return Plan(False, f"XLA takes long to compile the steps of layer {node.name} ({layer.type})")
    return Plan(True, "every layer runs quicker under XLA")
