"""Train a model on a running trainer: python train.py ZIP_OR_FOLDER [MODEL]"""

import os
import sys

from readsmith.client import Client

trainer = os.environ.get("READSMITH_TRAINER_URL", "http://localhost:8000")
client = Client(trainer_url=trainer, api_key=os.environ.get("READSMITH_API_KEY"))

dataset, model = [*sys.argv[1:], "default"][:2]
job = client.start_job({"dataset": {"id": client.upload(dataset)}, "model": model})
for event in client.events(job.id):  # as they happen, until the job has ended
    print(event.message)

job = client.job(job.id)
if job.metrics is None:
    sys.exit(job.error.message if job.error else f"The job was {job.status}.")
print(f"{job.model} version {job.version}: {job.metrics.exact_match:.1%} exact match")
