"""The hosts themselves: apart, on one network, and gone with the tests."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.cluster.hosts import Host, network
from tests.support.paths import ROOT
from tests.support.services.workers import is_alive, wait_until

HOSTS = """
import pathlib, sys, time
from tests.cluster.hosts import network
with network(pathlib.Path(sys.argv[1])) as net:
    host = net.host("one", "10.77.0.1")
    host.start("sleep", "sleep", "700")
    print(*(each.pid for each in net.hosts), flush=True)
    time.sleep(600)
"""


def can_reach(host: Host, address: str) -> bool:
    """Say whether a host gets an answer, be it a refusal, from another one."""
    with host.network(), socket.socket() as probe:
        probe.settimeout(1)
        try:
            probe.connect((address, 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return True


def test_a_host_that_is_cut_off_reaches_nobody_until_it_is_plugged_in(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        one, two = (net.host(f"host-{number}", f"10.77.0.{number}") for number in (1, 2))
        assert can_reach(one, "10.77.0.2")
        net.cut_off(two)
        assert not can_reach(one, "10.77.0.2")
        assert not can_reach(two, "10.77.0.1")
        net.plug_in(two)
        wait_until(lambda: can_reach(one, "10.77.0.2"), 60)


def test_hosts_have_files_names_and_processes_of_their_own(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        one, two = (net.host(f"host-{number}", f"10.77.0.{number}") for number in (1, 2))
        one.run("sh", "-c", "hostname > name")
        assert (one.folder / "name").read_text() == "host-1\n"
        assert not list(two.folder.iterdir())
        one.start("sleep", "sleep", "700")
        wait_until(lambda: one.runs("sleep 700"), 60)
        assert not two.runs("sleep 700")


def test_no_host_outlives_tests_that_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOSTS, f"{tmp_path}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        hosts = [int(pid) for pid in tests.stdout.readline().split()]
        assert len(hosts) == 2 and all(map(is_alive, hosts))
        tests.kill()
    wait_until(lambda: not any(map(is_alive, hosts)), 60)
