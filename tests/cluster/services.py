"""What runs on the hosts of the cluster, started as an operator would, on addresses of its own."""

import socket
import sys

from tests.cluster.hosts import HOME, Host
from tests.support.services import object_storage
from tests.support.services.postgresql import BINARIES
from tests.support.services.workers import wait_until

HEAD = "10.77.0.1"
TRAINER = f"http://{HEAD}:8000"
PREDICTOR = f"http://{HEAD}:8080"
STORAGE = f"http://{HEAD}:9000"
TIMEOUT = 300.0
"""Seconds that a service may take to listen; far more than a busy machine needs."""
NODES = 2
JOBS_PER_NODE = 2

SETTINGS = {
    "READSMITH_DATABASE_URL": f"postgresql+psycopg://postgres@{HEAD}/postgres",
    "READSMITH_STORE": f"s3://{object_storage.BUCKET}/models",
    "READSMITH_SHARED_FILES": f"s3://{object_storage.BUCKET}/files",
    "READSMITH_STATE": f"{HOME}/state",
    "READSMITH_STORE_CACHE": f"{HOME}/cache",
    "READSMITH_EXECUTOR": "ray",
    "READSMITH_RAY_ADDRESS": f"{HEAD}:6379",
    "READSMITH_JOBS_IN_FLIGHT": f"{NODES * JOBS_PER_NODE}",
    "READSMITH_LEASE_SECONDS": "10",
    "READSMITH_RETAINED_VERSIONS": "20",
    "READSMITH_TRAINER_HOST": HEAD,
    "READSMITH_PREDICTOR_HOST": HEAD,
    "READSMITH_PREDICTOR_WORKERS": "1",
    "READSMITH_ALLOW_ANONYMOUS": "true",
    **object_storage.variables(STORAGE),
}
RAY = {
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "4000",
    "RAY_health_check_failure_threshold": "3",
}
"""Ray notices a lost node in about 18 s instead of a minute."""
RAY_START = """
    while :; do
        ray start --block --disable-usage-stats --include-log-monitor=false \\
            --object-store-memory=100000000 "$@"
        sleep 2
    done
"""


def start_storage(head: Host) -> None:
    """Start an S3 server with an empty bucket."""
    head.start(
        "storage", sys.executable, "-m", "tests.support.services.object_storage", "9000", HEAD
    )
    _wait_for(9000)
    object_storage.empty(STORAGE)


def start_database(head: Host) -> None:
    """Start a PostgreSQL that believes all hosts."""
    data = HOME / "postgres"
    user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    head.run("install", "--directory", "--owner=postgres", f"{data}")
    options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    head.run(*user, f"{BINARIES}/initdb", *options, "--pgdata", f"{data}")
    with (head.folder / "postgres" / "pg_hba.conf").open("a") as access:
        access.write(f"host all all {HEAD}/24 trust\n")
    listen = ("-c", f"listen_addresses={HEAD}", "-k", f"{data}", "-c", "fsync=off")
    head.start("database", *user, f"{BINARIES}/postgres", "-D", f"{data}", *listen)
    _wait_for(5432)


def start_ray(head: Host) -> None:
    """Start the head of a Ray cluster, on which no job is placed."""
    options = ("--head", "--port=6379", "--include-dashboard=false")
    _start_ray(head, *options, jobs=0)
    _wait_for(6379)


def join_ray(node: Host) -> None:
    """Make a host a node of the cluster; returns when it is one.

    It is started anew whenever it has ended, as systemd would.
    """
    _start_ray(node, f"--address={HEAD}:6379", jobs=JOBS_PER_NODE)
    wait_until(lambda: times_joined(node), TIMEOUT)


def _start_ray(host: Host, *options: str, jobs: int) -> None:
    about_it = (f"--node-ip-address={host.address}", f"--num-cpus={jobs}")
    host.start("ray", "sh", "-c", RAY_START, "ray", *options, *about_it, **RAY, **SETTINGS)


def times_joined(host: Host) -> int:
    """Return how often a host has become a part of the Ray cluster."""
    return host.log("ray").read_text().count("Ray runtime started.")


def start_services(head: Host) -> None:
    """Start the trainer, one worker and the predictor."""
    for module in ("trainer", "predictor", "trainer.workers.worker"):
        head.start(module, sys.executable, "-m", module, **SETTINGS)
    for port in (8000, 8080):
        _wait_for(port)


def _wait_for(port: int) -> None:
    """Wait until the head listens there."""

    def listens() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((HEAD, port)) == 0

    wait_until(listens, TIMEOUT)
