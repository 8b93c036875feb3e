"""Reads short lines of text with a network that Readsmith trained: python read.py IMAGE...

It needs numpy, Pillow, onnxruntime and the network beside it. Read only images that you trust.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageChops, ImageStat

NETWORK = "prediction_model.onnx"  # float32 (N, height, width, channels) → (N, steps, classes)
VOCABULARY = ""  # the character of each class; the class behind the last is CTC's blank
IMAGE = json.loads("{}")  # how an image becomes the network's input
WHOLE = {"left": 0, "top": 0, "right": 1, "bottom": 1}
MOST_PIXELS = 10_000_000  # of larger images Readsmith decodes a fraction
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Pillow's transpositions, by EXIF orientation


def open_image(path: str) -> Image.Image:
    """Return the first frame of an image file in mode L or RGB, turned by its EXIF tag."""
    image: Image.Image = Image.open(path)
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{path} has more than {MOST_PIXELS:,} pixels.")
    transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    image.load()
    turn = TURNS.get(image.getexif().get(0x0112, 1))
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bits(image)
    elif transparent:
        image = on_background(image.convert("RGBA"))
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image if turn is None else image.transpose(Image.Transpose(turn))


def eight_bits(image: Image.Image) -> Image.Image:
    """Scale gray of 16 bits or more to 8; transparency of such images is left out."""
    values = np.array(image, dtype=np.float32)
    top = 255.0 if values.max() <= 255.0 else max(65_535.0, float(values.max()))
    bottom = min(0.0, float(values.min()))
    return Image.fromarray(np.round((values - bottom) * (255.0 / (top - bottom))).astype(np.uint8))


def on_background(image: Image.Image) -> Image.Image:
    """Put an image in mode RGBA on white, or on black if its content is light."""
    alpha = image.getchannel("A")
    opaque = ImageStat.Stat(alpha).sum[0]
    drawn = 255 * ImageStat.Stat(ImageChops.multiply(image.convert("L"), alpha)).sum[0]
    light = drawn > 127 * opaque and opaque < 127 * image.width * image.height
    background = Image.new("RGB", image.size, (0, 0, 0) if light else (255, 255, 255))
    background.paste(image, mask=image)
    return background


def to_input(image: Image.Image) -> np.ndarray:
    """Cut out the region, bring it to the network's size, and normalise: one float32 input."""
    (width, height), edges = image.size, IMAGE["region"] or WHOLE
    left, top = math.floor(edges["left"] * width), math.floor(edges["top"] * height)
    right, bottom = math.ceil(edges["right"] * width), math.ceil(edges["bottom"] * height)
    box = left, top, max(left + 1, right), max(top + 1, bottom)
    size, wide = input_size(box[2] - box[0], box[3] - box[1])
    pixels = image.convert("L" if IMAGE["channels"] == 1 else "RGB")
    pixels = pixels.resize(size, Image.Resampling.BILINEAR, box)
    content = np.asarray(pixels).reshape(size[1], size[0], IMAGE["channels"])
    canvas = np.empty((IMAGE["height"], wide, IMAGE["channels"]), np.float32)
    canvas[:] = np.round(content.mean(axis=(0, 1)))
    canvas[: size[1], : size[0]] = content
    mean, deviation = (canvas.mean(), canvas.std()) if IMAGE["standardize"] else (0, 255)
    canvas = (canvas - mean) / max(1.0, float(deviation))
    return canvas if IMAGE["layout"] == "HWC" else canvas.transpose(1, 0, 2)


def input_size(width: int, height: int) -> tuple[tuple[int, int], int]:
    """Return the size of the content in the input, and the input's width."""
    most, high = IMAGE["width"], IMAGE["height"]
    if IMAGE["resize"] == "stretch":
        return (most, high), most
    if IMAGE["resize"] == "follow":
        own = min(most, max(1, round(width / height * high * IMAGE["widening"])))
        return (own, high), min(most, math.ceil(own / 32) * 32)
    scale = min(most / width, high / height)
    return (min(most, max(1, round(width * scale))), min(high, max(1, round(height * scale)))), most


def read(session: onnxruntime.InferenceSession, path: str) -> str:
    """Return the text of an image: the likeliest class of each step, repeats merged, no blanks."""
    image = to_input(open_image(path))[np.newaxis]
    best = session.run(None, {session.get_inputs()[0].name: image})[0][0].argmax(axis=1)
    kept = best[np.diff(best, prepend=-1) != 0]
    return "".join(VOCABULARY[index] for index in kept if index < len(VOCABULARY))


if __name__ == "__main__":
    network = onnxruntime.InferenceSession(str(Path(__file__).with_name(NETWORK)))
    for each in sys.argv[1:]:
        print(f"{each}\t{read(network, each)}")  # noqa: T201
