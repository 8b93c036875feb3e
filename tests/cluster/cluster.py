"""Three hosts with all that Readsmith needs to run on several machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import services
from tests.cluster.hosts import Host, Network, network


@dataclass(frozen=True)
class Cluster:
    """The running network, and the nodes that train; the third host is the head of all."""

    network: Network
    nodes: list[Host]


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start everything; this thread speaks from the head until all is gone again."""
    with network(folder) as net:
        head = net.host("head", services.HEAD)
        nodes = [
            net.host(f"node-{number}", f"10.77.0.{10 + number}")
            for number in range(1, services.NODES + 1)
        ]
        with head.network():
            services.start_database(head)
            services.start_storage(head)
            services.start_ray(head)
            for node in nodes:
                services.join_ray(node)
            services.start_services(head)
            yield Cluster(net, nodes)
