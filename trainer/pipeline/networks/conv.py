"""The default preset: convolutions only, several times faster than the LSTMs of crnn.

Four convolution stages with batch normalisation, the height folded into channels, then two
residual depthwise separable convolutions along the width (Chollet 2017) before the CTC output.
"""

from typing import Any

import keras
from keras import layers

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks.blocks import convolution, folded, normalised
from trainer.pipeline.networks.ctc import CTCLayer

CHANNELS = (16, 32, 48, 96)
WIDTH_CHANNELS = 128


def build_model(image: ImageSpec, classes: int) -> Any:
    """Build the training model: inputs image (N, H, W, C) and label (N, L), loss in CTCLayer.

    The layer named "output" gives the softmax (N, W // 4, classes), blank last.
    """
    images = layers.Input(shape=image.shape, name="image", dtype="float32")
    labels = layers.Input(shape=(None,), name="label", dtype="int32")
    x = convolution(images, CHANNELS[0], "stage1", stride=2)
    x = convolution(x, CHANNELS[1], "stage2", stride=2)
    x = convolution(x, CHANNELS[2], "stage3")
    x = layers.MaxPooling2D((2, 1), name="pool3")(x)
    x = convolution(x, CHANNELS[3], "stage4")
    x = layers.MaxPooling2D((2, 1), name="pool4")(x)
    x = folded(x, WIDTH_CHANNELS)
    x = _along_width(x, "width1")
    x = _along_width(x, "width2")
    x = layers.Reshape((-1, WIDTH_CHANNELS), name="columns")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(classes, activation="softmax", name="output", dtype="float32")(x)
    output = CTCLayer(name="ctc_loss", dtype="float32")(labels, x)
    return keras.Model(inputs=[images, labels], outputs=output, name="conv")


def _along_width(x: Any, name: str) -> Any:
    y = layers.SeparableConv2D(
        WIDTH_CHANNELS, (1, 5), padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.Add(name=f"{name}_add")([x, normalised(y, name)])
