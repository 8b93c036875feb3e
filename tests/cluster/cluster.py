"""Three hosts with all that Readsmith needs to run on several machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import services
from tests.cluster.hosts import Host, Network, network

JOBS_PER_NODE = 2


@dataclass(frozen=True)
class Cluster:
    """The running hosts: the head with all services, and nodes that train."""

    network: Network
    head: Host
    nodes: list[Host]

    def node(self, name: str) -> Host:
        """Return a node by its name."""
        return next(node for node in self.nodes if node.name == name)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start everything; this thread speaks from the head until all is gone again."""
    with network(folder) as net:
        head = net.host("head", services.HEAD)
        nodes = [net.host(f"node-{number}", f"10.77.0.{10 + number}") for number in (1, 2)]
        with head.network():
            services.start_database(head)
            services.start_storage(head)
            services.start_ray(head)
            for node in nodes:
                services.join_ray(node, JOBS_PER_NODE)
            services.start_services(head)
            yield Cluster(net, head, nodes)
