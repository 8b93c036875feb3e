"""Several hosts on this one machine: processes with a network, a name and files of their own.

Everything hangs on one process for each host, whose end the kernel makes the end of all that runs
there, and which ends with the tests, however they end. Nothing is left behind, and nothing of this
machine's own network is touched.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.services.workers import children_of, wait_until

PROGRAMS = ("ip", "unshare", "nsenter", "setpriv")
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")


def _hindrance() -> str:
    """Say why there can be no hosts here; empty if there can."""
    if None in map(shutil.which, PROGRAMS):
        return f"needs {', '.join(PROGRAMS)} (Debian: apt install iproute2 util-linux)"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "--fork", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        return f"needs network namespaces, which are for root ({tried.stderr.strip()})"
    return ""


_HINDRANCE = _hindrance()
needs_hosts = pytest.mark.skipif(bool(_HINDRANCE), reason=_HINDRANCE)

INIT = 'hostname "$0" && ip link set lo up && touch "$1" && while sleep 600; do :; done'
"""The first process of a host; a shell that waits buries what is left to it."""
HOME = Path("/srv")
"""Where each host sees its own folder."""
_CLONE_NEWNET = 0x40000000


class Host:
    """A running host. What is started on it writes to logs named after both."""

    def __init__(self, name: str, folder: Path, address: str = "") -> None:
        self.name = name
        self.address = address
        self.folder = folder / name
        self._logs = folder / "logs"
        for each in (self.folder, self._logs):
            each.mkdir(exist_ok=True)
        up = folder / f"{name}.up"
        apart = ["unshare", *NAMESPACES, "--mount-proc", "--fork", "--kill-child"]
        with_tests = ["setpriv", "--pdeathsig", "KILL"]
        self._holder = subprocess.Popen([*with_tests, *apart, "sh", "-c", INIT, name, f"{up}"])
        wait_until(up.exists, 60)
        (self.pid,) = children_of(self._holder.pid)
        self.run("mount", "--bind", f"{self.folder}", f"{HOME}")
        self.run("mount", "-t", "tmpfs", "tmpfs", "/dev/shm")

    def log(self, name: str) -> Path:
        """Return the file with what a program on this host has said."""
        return self._logs / f"{self.name}-{name}.log"

    def start(self, log: str, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a program; it ends with the host."""
        with self.log(log).open("ab") as output:
            return subprocess.Popen(
                self._inside(command),
                env=_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(self, *command: str) -> None:
        """Run a program to its end; raises CalledProcessError."""
        with self.log("set-up").open("ab") as output:
            environment = _environment({})
            subprocess.run(self._inside(command), env=environment, stdout=output, check=True)

    def runs(self, words: str) -> bool:
        """Say whether a process with these words in its command line runs here."""
        own = Path(f"/proc/{self.pid}/ns/pid").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words in command and (process / "ns" / "pid").readlink() == own:
                    return True
        return False

    @contextmanager
    def network(self) -> Iterator[None]:
        """Have this thread, and those that it starts, speak from this host."""
        its = Path(f"/proc/{self.pid}/ns/net")
        with Path("/proc/thread-self/ns/net").open() as own, its.open() as other:
            _enter(other.fileno())
            try:
                yield
            finally:
                _enter(own.fileno())

    def end(self) -> None:
        """Pull the plug."""
        self._holder.kill()
        self._holder.wait()

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        return ["nsenter", "--target", f"{self.pid}", *NAMESPACES, f"--wdns={HOME}", *command]


class Network:
    """A switch, a host of its own, and the hosts that are plugged into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._switch = Host("switch", folder)
        self.hosts = [self._switch]
        self._ip("link", "add", "bridge", "type", "bridge")
        self._ip("link", "set", "bridge", "up")

    def host(self, name: str, address: str) -> Host:
        """Start a host and plug it in; address: as 10.77.0.1."""
        host = Host(name, self._folder, address)
        self.hosts.append(host)
        plug = ("type", "veth", "peer", "name", "eth0", "netns", f"{host.pid}")
        self._ip("link", "add", name, *plug)
        self._ip("link", "set", name, "master", "bridge", "up")
        host.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")
        return host

    def cut_off(self, host: Host) -> None:
        """Take a host's cable out; neither side is told."""
        self._ip("link", "set", host.name, "down")

    def plug_in(self, host: Host) -> None:
        """Put a host's cable back."""
        self._ip("link", "set", host.name, "up")

    def _ip(self, *arguments: str) -> None:
        """Run ip in the switch's network, but with the process ids of this machine."""
        switch = ["nsenter", "--target", f"{self._switch.pid}", "--net"]
        subprocess.run([*switch, "ip", *arguments], check=True)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Run a switch; it and all hosts are gone in the end."""
    it = Network(folder)
    try:
        yield it
    finally:
        for host in it.hosts:
            host.end()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("READSMITH_", "AWS_", "RAY_"))}
    programs = f"{Path(sys.executable).parent}:{own.get('PATH', os.defpath)}"
    return {**own, "PYTHONPATH": f"{ROOT}", "PATH": programs, "TMPDIR": f"{HOME}", **more}


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
