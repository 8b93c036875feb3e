"""From a prediction that is corrected to the next version, which gets it right."""

from pathlib import Path

from fastapi.testclient import TestClient

from shared.recognition.decoding import decode
from shared.recognition.preprocessing import preprocess
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.labelled_images import image, labelled_zip, texts
from trainer.api.app import create_app
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database
from trainer.pipeline.networks.inference import OnnxGraph
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver, run_pipeline


def test_a_corrected_prediction_is_right_in_the_next_version(
    settings: Settings, tmp_path: Path
) -> None:
    queue = JobQueue(Database(settings.jobs_database), lease_seconds=600, max_attempts=3)
    dataset = labelled_zip(tmp_path / "set.zip", texts(100))  # of A, H and X: no model reads a T
    images = [image("T", seed=seed) for seed in range(6)]
    with TestClient(create_app(settings)) as api:
        upload = api.post("/datasets", files={"file": dataset.read_bytes()}).json()
        for data in images:
            sent = {"text": "T", "read": "H"}
            api.post("/models/quick/corrections", files={"image": data}, data=sent)
        job = {
            "dataset": {"id": upload["id"]},
            "model": "quick",
            "corrections": True,
            "hyperparameters": {"epochs": 20, "height": 32, "width": 64},
        }
        posted = api.post("/jobs", json=job).json()
        claim = queue.claim()
        assert claim is not None
        run_pipeline(claim, queue.request(claim), settings, JobObserver(queue, claim))
        events = api.get(f"/jobs/{posted['id']}/events").json()["data"]
        summary = api.get(f"/jobs/{posted['id']}").json()["dataset"]
    (told,) = [event for event in events if event["type"] == "corrections"]
    assert told["data"] == {"added": 6}
    assert summary["corrections"] == 6
    store = ModelStore(settings.store)
    manifest, folder = store.manifest("quick", 1), store.folder("quick", 1)
    graph = OnnxGraph(folder / ONNX_MODEL)
    inputs = [preprocess(data, manifest.image)[None] for data in images]
    read = [decode(graph.predict_on_batch(one), manifest.model_vocabulary())[0] for one in inputs]
    assert [prediction.text for prediction in read].count("T") >= 5
