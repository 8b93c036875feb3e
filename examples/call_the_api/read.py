"""Read pictures with a running predictor: python read.py PICTURE..."""

import os
import sys

from readsmith.client import Client, ServiceError

predictor = os.environ.get("READSMITH_PREDICTOR_URL", "http://localhost:8080")
client = Client(predictor, api_key=os.environ.get("READSMITH_API_KEY"))

pictures = sys.argv[1:]
for picture, reading in zip(pictures, client.predict_many(pictures), strict=True):
    if isinstance(reading, ServiceError):
        print(f"{picture}: {reading.message} {reading.hint}")
    else:
        print(f"{picture}: {reading.text} ({reading.confidence:.1%})")
