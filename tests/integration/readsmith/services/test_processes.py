import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from readsmith.client.connection import ServiceConnection
from readsmith.services import processes as services
from readsmith.services.processes import Address, LocalServices, require_room
from readsmith.services.start_screen import show, start_screen
from shared.errors import ReadsmithError
from tests.support.commands import Run
from tests.support.services.services import free_port
from tests.support.services.workers import is_alive, wait_until


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Stopping services ignores signals; the tests go on with the usual ones."""
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in usual.items():
        signal.signal(number, handler)


def test_a_taken_port_is_one_clear_error_that_names_another(run: Run, taken: int) -> None:
    result = run("up", "--trainer-port", taken)

    assert result.exit_code == 1
    assert f"Error: Port {taken} is taken by another program.\n" in result.stderr
    assert f"readsmith up --trainer-port {taken + 1}" in result.stderr


def test_the_predictors_port_is_checked_too(run: Run, taken: int) -> None:
    result = run("up", "--trainer-port", free_port(), "--predictor-port", taken)

    assert result.exit_code == 1
    assert f"--predictor-port {taken + 1}" in result.stderr


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ReadsmithError, match="cannot listen on 192\\.0\\.2\\.1:8000"):
        Address("trainer", "192.0.2.1", 8000).require_free()


def test_a_client_reaches_a_service_that_listens_everywhere() -> None:
    assert Address("trainer", "0.0.0.0", 8000).url == "http://127.0.0.1:8000"
    assert Address("trainer", "::", 8000).url == "http://[::1]:8000"


def test_a_nearly_full_disk_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=300_000_000))

    with pytest.raises(ReadsmithError, match=r"Only 0\.3 GB are free for .*var/models"):
        require_room(tmp_path / "var/models")


def test_a_service_that_stops_is_named_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MODULES", {"worker": "this_module_does_not_exist"})

    with (
        LocalServices({}, tmp_path / "logs", print) as started,
        pytest.raises(ReadsmithError) as raised,
    ):
        started.wait_until_ready("http://127.0.0.1:1")

    assert raised.value.code == "service_stopped"
    assert "The worker stopped (exit code 1)." in raised.value.message
    assert "No module named this_module_does_not_exist" in raised.value.hint


def test_a_service_that_ignores_sigterm_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import os, pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(f'pid{os.fork() and 1}.txt').write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(services, "MODULES", {"worker": "stubborn"})
    monkeypatch.setattr(services, "STOP_SECONDS", 0.5)
    files = [tmp_path / "pid0.txt", tmp_path / "pid1.txt"]

    with LocalServices({}, tmp_path / "logs", print):
        while not all(file.exists() and file.read_text() for file in files):
            time.sleep(0.05)

    wait_until(lambda: not any(is_alive(int(file.read_text())) for file in files))


DIES = """
import os, pathlib, signal, time
with pathlib.Path("starts.txt").open("a") as file:
    print(time.monotonic(), file=file)
time.sleep(float(pathlib.Path("lives.txt").read_text()))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_service_that_keeps_dying_is_started_again_ever_later_and_soon_once_it_was_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    (tmp_path / "lives.txt").write_text("0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(services, "MODULES", {"worker": "dies"})
    monkeypatch.setattr(services, "HEALTHY_SECONDS", 4.0)
    reports: list[str] = []

    def delays() -> list[str]:
        return re.findall(r"starts again in (\d+) s", "\n".join(reports))

    with LocalServices({}, tmp_path / "logs", reports.append) as started:
        wait_until(lambda: delays()[:3] == ["1", "2", "4"])
        (tmp_path / "lives.txt").write_text("5")
        wait_until(lambda: delays()[3:] == ["1"])
        started.check()

    starts = [float(line) for line in (tmp_path / "starts.txt").read_text().split()]
    assert starts[2] - starts[1] >= 2 and starts[3] - starts[2] >= 4
    assert "The worker stopped (SIGKILL)" in reports[0]


def test_on_a_terminal_the_start_screen_is_a_frame(tmp_path: Path) -> None:
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=70, markup=False, highlight=False)
    folder = tmp_path / "a [bold] name"

    show(terminal, start_screen("http://a:1", "http://b:2", str(folder), folder))

    assert "╭" in written.getvalue()
    assert "http://a:1/docs and http://b:2/docs" in written.getvalue()
    assert "[bold]" in written.getvalue()


def test_a_service_that_is_killed_is_started_again_and_the_others_serve_on(
    tmp_path: Path,
) -> None:
    ports = {"trainer": free_port(), "predictor": free_port()}
    settings = {
        **{f"READSMITH_{name.upper()}_PORT": str(port) for name, port in ports.items()},
        "READSMITH_PREDICTOR_WORKERS": "1",
    }
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}

    def answers(name: str) -> bool:
        return ServiceConnection(urls[name], retries=0).answers()

    environment = settings | {
        "READSMITH_STORE": str(tmp_path / "models"),
        "READSMITH_STATE": str(tmp_path / "state"),
    }
    reports: list[str] = []
    with LocalServices(environment, tmp_path / "logs", reports.append) as started:
        started.wait_until_ready(*urls.values())
        for name, other in (("trainer", "predictor"), ("predictor", "trainer")):
            before = pids()
            os.kill(before[name], signal.SIGKILL)
            wait_until(lambda: pids()[name] not in (0, before[name]))  # noqa: B023
            assert answers(other)
            wait_until(lambda: answers(name))  # noqa: B023
            assert {**pids(), name: 0} == {**before, name: 0}
        started.check()
    assert [line.split()[1] for line in reports if "again." in line] == ["trainer", "predictor"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_up_serves_until_it_is_told_to_stop_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    trainer, predictor = free_port(), free_port()
    environment = os.environ | {
        "READSMITH_TRAINER_PORT": str(trainer),
        "READSMITH_PREDICTOR_PORT": str(predictor),
        "READSMITH_PREDICTOR_WORKERS": "1",
    }
    command = [sys.executable, "-m", "readsmith", "up"]
    with (
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as up,
        ExitStack() as at_last,
    ):
        at_last.callback(up.kill)  # a failed test would wait for it
        assert up.stdout is not None
        lines: list[bytes] = []
        while not lines or b"Serving until Ctrl-C." not in lines[-1]:
            lines.append(up.stdout.readline())
            assert lines[-1], "up ended before it served"
        children = _children(up.pid)
        assert f"Dashboard: http://127.0.0.1:{trainer}/\n".encode() in lines
        assert f"Models: {tmp_path}/var/models\n".encode() in lines
        assert b"Stop: Ctrl-C\n" in lines
        assert ServiceConnection(f"http://127.0.0.1:{trainer}", retries=0).answers()
        assert ServiceConnection(f"http://127.0.0.1:{predictor}", retries=0).answers()
        through = ServiceConnection(f"http://127.0.0.1:{trainer}", retries=0).send(
            "GET", "/try/models"
        )
        assert [model["model"] for model in through.json()["data"]] == ["starter"]

        up.send_signal(number)
        up.wait()

    assert up.returncode == (-9 if number == signal.SIGKILL else 0)
    assert len(children) == 3
    wait_until(lambda: not any(map(is_alive, children)))


def pids() -> dict[str, int]:
    """Return the process of each service below this one; 0 for one that has none."""
    threads = Path(f"/proc/{os.getpid()}/task").iterdir()
    children = [int(c) for each in threads for c in (each / "children").read_text().split()]
    found = dict.fromkeys(services.MODULES, 0)
    for pid in children:
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except FileNotFoundError:  # it has ended since it was listed
            continue
        for name, module in services.MODULES.items():
            if module in arguments:
                found[name] = pid
    return found


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
