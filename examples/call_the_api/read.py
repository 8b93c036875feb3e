"""Read images with a running predictor: python read.py IMAGE..."""

import os
import sys

from readsmith.client import Client, ServiceError

predictor = os.environ.get("READSMITH_PREDICTOR_URL", "http://localhost:8080")
client = Client(predictor, api_key=os.environ.get("READSMITH_API_KEY"))

images = sys.argv[1:]
for image, prediction in zip(images, client.predict_many(images), strict=True):
    if isinstance(prediction, ServiceError):
        print(f"{image}: {prediction.message} {prediction.hint}")
    else:
        print(f"{image}: {prediction.text} ({prediction.confidence:.1%})")
