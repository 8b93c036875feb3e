"""The deployment of the usual tutorial: Flask's own server, with Keras predict in the handler.

python -m benchmarks.serving.tutorial_server <folder of a bundle> <port>
"""

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from flask import Flask, request

from shared.store.manifest import KERAS_MODEL, read_manifest

folder = Path(sys.argv[1])
manifest = read_manifest(folder)
model = keras.models.load_model(folder / KERAS_MODEL, compile=False)
app = Flask(__name__)


def encode_single_sample(data: bytes) -> Any:
    """Prepare an image as the tutorial does; the model transposes it itself."""
    img = tf.io.decode_png(data, channels=1)
    img = tf.image.convert_image_dtype(img, tf.float32)
    img = tf.image.resize(img, [manifest.image.height, manifest.image.width])
    return tf.expand_dims(img, 0)


def decode_single_prediction(pred: Any) -> str:
    """Decode greedily as the tutorial does."""
    input_len = np.ones(pred.shape[0]) * pred.shape[1]
    results, _ = keras.ops.ctc_decode(
        np.log(pred + 1e-7), input_len, strategy="greedy", mask_index=manifest.blank_index
    )
    classes = [int(index) for index in np.asarray(results)[0][0] if index >= 0]
    return manifest.model_vocabulary().decode(classes)


@app.post("/predict")
def predict() -> dict[str, str]:
    """Predict the uploaded image."""
    img = encode_single_sample(request.files["image"].read())
    return {"text": decode_single_prediction(model.predict(img, verbose=0))}


app.run(port=int(sys.argv[2]))
