"""Arguments of Keras's layers that documents don't have, and why."""

LEFT_OUT = {
    "autocast": "every tensor is float32",
    "dtype": "every tensor is float32; Embedding cuts off what isn't whole",
    "batch_shape": "an Input has the shape of one sample",
    "batch_size": "an Input has the shape of one sample",
    "input_tensor": "it isn't JSON",
    "optional": "the data has every input",
    "ragged": "data is rectangular",
    "sparse": "data is dense",
    "weights": "weights come from initializers, or from another run by start_from",
    "lora_alpha": "it changes weights that were trained elsewhere",
    "lora_rank": "it changes weights that were trained elsewhere",
    "quantization_config": "it shrinks a model that is trained already",
    "backward_layer": "the backward layer is a copy of the forward one",
    "flash_attention": "Keras picks the implementation for the device",
    "use_cudnn": "Keras picks the implementation for the device",
    "synchronized": "a model trains on one device",
    "MultiHeadAttention.activity_regularizer": (
        "Keras applies it to the projections inside, not to the output; ActivityRegularization does that"
    ),
}
"""By the argument's name, or by the layer's type and the argument's name."""
