"""What the convolutional networks are made of. Imports TensorFlow."""

from typing import Any

from keras import layers


def convolution(
    x: Any,
    filters: int,
    name: str,
    size: int | tuple[int, int] = 3,
    stride: int = 1,
    *,
    relu: bool = True,
) -> Any:
    """Add a convolution, normalised; with a ReLU unless it ends a residual branch."""
    x = layers.Conv2D(
        filters, size, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return normalised(x, name, relu=relu)


def folded(x: Any, filters: int) -> Any:
    """Fold the height into channels, with one kernel as high as the image.

    Training stretches this kernel to start at another height. The result stays two-dimensional
    with a height of 1: ONNX Runtime then needs no transpositions, and fuses the normalisations
    into the convolutions.
    """
    x = layers.Conv2D(filters, (x.shape[1], 1), use_bias=False, name="mix_conv")(x)
    return normalised(x, "mix")


def normalised(x: Any, name: str, *, relu: bool = True) -> Any:
    """Add batch normalisation and ReLU."""
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x
