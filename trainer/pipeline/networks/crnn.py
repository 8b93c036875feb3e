"""The architecture of the Keras captcha tutorial, unchanged: the reference of every benchmark.

From the Keras example "OCR model for reading Captchas" (A K Nain, 2020). Its input pipeline
transposes images to (W, H); here the first layer does, so that the model takes (H, W, C).
"""

from typing import Any

import keras
from keras import layers

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks.ctc import CTCLayer


def build_model(image: ImageSpec, classes: int) -> Any:
    """Build the training model: inputs image (N, H, W, C) and label (N, L), loss in CTCLayer.

    The layer named "dense2" gives the softmax output (N, W // 4, classes), blank last.
    """
    images = layers.Input(shape=image.shape, name="image", dtype="float32")
    labels = layers.Input(shape=(None,), name="label", dtype="int32")
    x = layers.Permute((2, 1, 3), name="transpose")(images)
    x = _convolution(32, "Conv1")(x)
    x = layers.MaxPooling2D((2, 2), name="pool1")(x)
    x = _convolution(64, "Conv2")(x)
    x = layers.MaxPooling2D((2, 2), name="pool2")(x)
    x = layers.Reshape((image.width // 4, (image.height // 4) * 64), name="reshape")(x)
    x = layers.Dense(64, activation="relu", name="dense1")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = _bidirectional(128, "lstm1")(x)
    x = _bidirectional(64, "lstm2")(x)
    x = layers.Dense(classes, activation="softmax", name="dense2", dtype="float32")(x)
    output = CTCLayer(name="ctc_loss", dtype="float32")(labels, x)
    return keras.Model(inputs=[images, labels], outputs=output, name="ocr_model_v1")


def _convolution(filters: int, name: str) -> Any:
    return layers.Conv2D(
        filters,
        (3, 3),
        activation="relu",
        kernel_initializer="he_normal",
        padding="same",
        name=name,
    )


def _bidirectional(units: int, name: str) -> Any:
    return layers.Bidirectional(layers.LSTM(units, return_sequences=True, dropout=0.25), name=name)
