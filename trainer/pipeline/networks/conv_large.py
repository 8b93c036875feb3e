"""The large preset: residual convolutions, then blocks that mix along the line.

Six times the parameters of conv and four times its multiplications: more errors are avoided where
images differ much, for about four times the time per image.
"""

from typing import Any

import keras
from keras import layers

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks.blocks import convolution, folded, normalised
from trainer.pipeline.networks.ctc import CTCLayer

STEM = (16, 32)
CHANNELS = (48, 128)
LINE_CHANNELS = 192
LINE_BLOCKS = 4


def build_model(image: ImageSpec, classes: int) -> Any:
    """Build the training model: inputs image (N, H, W, C) and label (N, L), loss in CTCLayer.

    The layer named "output" gives the softmax (N, W // 4, classes), blank last.
    """
    images = layers.Input(shape=image.shape, name="image", dtype="float32")
    labels = layers.Input(shape=(None,), name="label", dtype="int32")
    x = convolution(images, STEM[0], "stem1", stride=2)
    x = convolution(x, STEM[1], "stem2", stride=2)
    x = convolution(x, CHANNELS[0], "stage1")
    x = _residual(x, "pair")
    x = layers.MaxPooling2D((2, 1), name="pool1")(x)
    x = convolution(x, CHANNELS[1], "stage2")
    x = _bottleneck(x, "bottleneck")
    x = layers.MaxPooling2D((2, 1), name="pool2")(x)
    x = folded(x, LINE_CHANNELS)
    for number in range(1, LINE_BLOCKS + 1):
        x = _along_line(x, f"line{number}")
    x = layers.Reshape((-1, LINE_CHANNELS), name="columns")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(classes, activation="softmax", name="output", dtype="float32")(x)
    output = CTCLayer(name="ctc_loss", dtype="float32")(labels, x)
    return keras.Model(inputs=[images, labels], outputs=output, name="conv_large")


def _residual(x: Any, name: str) -> Any:
    """Add two convolutions over the residual (He et al. 2016)."""
    y = convolution(x, CHANNELS[0], f"{name}_in")
    y = convolution(y, CHANNELS[0], f"{name}_out", relu=False)
    return _added(x, y, name)


def _bottleneck(x: Any, name: str) -> Any:
    """Add a convolution over the residual, in half of the channels."""
    y = convolution(x, CHANNELS[1] // 2, f"{name}_in", 1)
    y = convolution(y, CHANNELS[1] // 2, f"{name}_mid")
    y = convolution(y, CHANNELS[1], f"{name}_out", 1, relu=False)
    return _added(x, y, name)


def _along_line(x: Any, name: str) -> Any:
    """Mix seven columns of each channel, then the channels of each column (Liu et al. 2022)."""
    y = layers.DepthwiseConv2D((1, 7), padding="same", use_bias=False, name=f"{name}_mix")(x)
    y = normalised(y, f"{name}_mix", relu=False)
    y = convolution(y, 2 * LINE_CHANNELS, f"{name}_up", 1)
    y = convolution(y, LINE_CHANNELS, f"{name}_down", 1, relu=False)
    return layers.Add(name=f"{name}_add")([x, y])


def _added(x: Any, y: Any, name: str) -> Any:
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Activation("relu", name=f"{name}_relu")(x)
