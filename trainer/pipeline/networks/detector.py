"""The detector: where in a photograph the corners of the line are. Imports TensorFlow.

A small encoder and decoder with skip connections (Ronneberger et al. 2015, Lin et al. 2017). Each
corner has a map over a quarter of the input's sides; a softmax goes over its cells and one answer
more, "nowhere".
"""

from typing import Any

import keras
from keras import layers

from shared.recognition.lines.spec import DetectorSpec
from trainer.pipeline.networks.blocks import convolution

SPEC = DetectorSpec(side=192, cells=48, least_score=0.2)
DOWN = (24, 48, 64, 96)
"""Channels at a quarter of the input's sides, an eighth, …"""
UP = (48, 32, 24)


def build_detector(spec: DetectorSpec = SPEC) -> Any:
    """Build the network: views (N, side, side, 3) to probabilities (N, 4, cells * cells + 1)."""
    views = layers.Input(shape=(spec.side, spec.side, 3), name="views", dtype="float32")
    x = convolution(views, 16, "stem", stride=2)
    levels = []
    for depth, channels in enumerate(DOWN):
        x = convolution(x, channels, f"down{depth}", stride=2)
        if depth:  # half of all operations would be here
            x = convolution(x, channels, f"level{depth}")
        levels.append(x)
    nowhere = layers.GlobalMaxPooling2D(name="most")(levels.pop())
    for channels in UP:
        x = convolution(x, channels, f"narrow{channels}", 1)
        x = layers.UpSampling2D(2, name=f"up{channels}")(x)
        beside = convolution(levels.pop(), channels, f"beside{channels}", 1)
        x = layers.Add(name=f"joined{channels}")([x, beside])
        x = convolution(x, channels, f"mixed{channels}")
    maps = layers.Conv2D(4, 1, name="maps")(x)
    maps = layers.Permute((3, 1, 2), name="by_corner")(maps)
    maps = layers.Reshape((4, spec.cells * spec.cells), name="cells")(maps)
    nowhere = layers.Reshape((4, 1), name="nowhere")(layers.Dense(4, name="absent")(nowhere))
    every = layers.Concatenate(axis=2, name="answers")([maps, nowhere])
    return keras.Model(views, layers.Softmax(name="output")(every), name="detector")
