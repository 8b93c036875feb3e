"""The Python client: `from readsmith.client import Client, ServiceError`."""

from readsmith.client.client import Client
from readsmith.client.errors import ServiceError
from shared.api.predictions import CombinedPrediction, Prediction

__all__ = ["Client", "CombinedPrediction", "Prediction", "ServiceError"]
