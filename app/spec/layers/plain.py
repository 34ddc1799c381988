"""The layers that take one input and hold no other layer."""

from app.spec.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from app.spec.layers.convolutional import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from app.spec.layers.core import Dense, Embedding
from app.spec.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    UnitNormalization,
)
from app.spec.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from app.spec.layers.recurrent import GRU, LSTM, SimpleRNN
from app.spec.layers.regularization import (
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from app.spec.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)

PlainLayer = (
    Activation
    | AveragePooling1D
    | AveragePooling2D
    | AveragePooling3D
    | BatchNormalization
    | Conv1D
    | Conv1DTranspose
    | Conv2D
    | Conv2DTranspose
    | Conv3D
    | Cropping1D
    | Cropping2D
    | Cropping3D
    | Dense
    | DepthwiseConv1D
    | DepthwiseConv2D
    | Dropout
    | ELU
    | Embedding
    | Flatten
    | GRU
    | GaussianDropout
    | GaussianNoise
    | GlobalAveragePooling1D
    | GlobalAveragePooling2D
    | GlobalAveragePooling3D
    | GlobalMaxPooling1D
    | GlobalMaxPooling2D
    | GlobalMaxPooling3D
    | GroupNormalization
    | LSTM
    | LayerNormalization
    | LeakyReLU
    | MaxPooling1D
    | MaxPooling2D
    | MaxPooling3D
    | PReLU
    | Permute
    | ReLU
    | RepeatVector
    | Reshape
    | SeparableConv1D
    | SeparableConv2D
    | SimpleRNN
    | Softmax
    | SpatialDropout1D
    | SpatialDropout2D
    | SpatialDropout3D
    | UnitNormalization
    | UpSampling1D
    | UpSampling2D
    | UpSampling3D
    | ZeroPadding1D
    | ZeroPadding2D
    | ZeroPadding3D
)
"""Any of them, told apart by its `type`."""
