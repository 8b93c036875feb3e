"""Latency of the trainer's GET /jobs/{id} while a job trains on the same machine.

    python benchmarks/api_latency.py [--requests 1000] [--json FILE]

Starts an API and a worker in a temporary folder, posts a synthetic job, waits until it trains,
and times successive requests.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).parents[1]
JOB = {"dataset": {"synthetic": {}}, "hyperparameters": {"epochs": 1000, "patience": 1000}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    with trainer() as url, requests.Session() as session:
        job = f"{url}/jobs/{session.post(f'{url}/jobs', json=JOB, timeout=10).json()['id']}"
        wait_until_it_trains(session, job)
        milliseconds = sorted(measure(session, job) for _ in range(arguments.requests))
        stage = session.get(job, timeout=10).json()["stage"]
        session.post(f"{job}/cancel", timeout=10)
    if stage != "train":
        sys.exit(f"error: the job had left training before the end, stage is {stage}.")
    centiles = statistics.quantiles(milliseconds, n=100)
    numbers = {
        "requests": len(milliseconds),
        "p50_ms": round(centiles[49], 2),
        "p99_ms": round(centiles[98], 2),
        "max_ms": round(milliseconds[-1], 2),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }
    for name, number in numbers.items():
        print(f"{name:10} {number:>10}")
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


@contextmanager
def trainer() -> Iterator[str]:
    """Run the API and a worker; yields the API's address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "READSMITH_TRAINER_PORT": str(port),
            "READSMITH_STORE": f"{folder}/models",
            "READSMITH_STATE": f"{folder}/state",
        }
        modules = ("trainer", "trainer.workers.worker")
        services = [
            subprocess.Popen(
                [sys.executable, "-m", module],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for module in modules
        ]
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_it_answers(url)
            yield url
        finally:
            for service in services:
                service.terminate()
            for service in services:
                service.wait()


def wait_until_it_answers(url: str) -> None:
    """Wait for the API; raises ConnectionError after a minute."""
    for _ in range(600):
        try:
            requests.get(f"{url}/healthz", timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise ConnectionError(f"{url} does not answer")


def wait_until_it_trains(session: requests.Session, job: str) -> None:
    """Wait for the end of the first epoch; exits if the job ends before."""
    while True:
        state = session.get(job, timeout=10).json()
        if state["progress"]:
            return
        if state["error"]:
            sys.exit(f"error: {state['error']['message']}")
        time.sleep(0.5)


def measure(session: requests.Session, job: str) -> float:
    """Time one request, in milliseconds."""
    time.sleep(0.02)
    begin = time.perf_counter()
    session.get(job, timeout=30).raise_for_status()
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    main()
