"""The default preset: convolutions only, several times faster than the LSTMs of crnn.

Four convolution stages with batch normalisation, the height folded into channels, then two
residual depthwise separable convolutions along the width (Chollet 2017) before the CTC output.
"""

from typing import Any

import keras
from keras import layers

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks.ctc import CTCLayer

CHANNELS = (16, 32, 48, 96)
WIDTH_CHANNELS = 128


def build_model(image: ImageSpec, classes: int) -> Any:
    """Build the training model: inputs image (N, H, W, C) and label (N, L), loss in CTCLayer.

    The layer named "output" gives the softmax (N, W // 4, classes), blank last.
    """
    images = layers.Input(shape=image.shape, name="image", dtype="float32")
    labels = layers.Input(shape=(None,), name="label", dtype="int32")
    x = _convolution(images, CHANNELS[0], 2, "stage1")
    x = _convolution(x, CHANNELS[1], 2, "stage2")
    x = _convolution(x, CHANNELS[2], 1, "stage3")
    x = layers.MaxPooling2D((2, 1), name="pool3")(x)
    x = _convolution(x, CHANNELS[3], 1, "stage4")
    x = layers.MaxPooling2D((2, 1), name="pool4")(x)
    # Folds the height into channels, but stays two-dimensional with a height of 1: ONNX Runtime
    # then needs no transpositions, and fuses the normalisations into the convolutions.
    x = layers.Conv2D(WIDTH_CHANNELS, (x.shape[1], 1), use_bias=False, name="mix_conv")(x)
    x = _normalised(x, "mix")
    x = _along_width(x, "width1")
    x = _along_width(x, "width2")
    x = layers.Reshape((-1, WIDTH_CHANNELS), name="columns")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(classes, activation="softmax", name="output", dtype="float32")(x)
    output = CTCLayer(name="ctc_loss", dtype="float32")(labels, x)
    return keras.Model(inputs=[images, labels], outputs=output, name="conv")


def _convolution(x: Any, filters: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(
        filters, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return _normalised(x, name)


def _along_width(x: Any, name: str) -> Any:
    y = layers.SeparableConv2D(
        WIDTH_CHANNELS, (1, 5), padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.Add(name=f"{name}_add")([x, _normalised(y, name)])


def _normalised(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
