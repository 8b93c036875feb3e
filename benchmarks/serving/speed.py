"""Requests per second at 8 connections: ours, the tutorial's server and an echo, in turn."""

import json
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.serving.client import upload
from benchmarks.serving.services import predictor, tutorial_server
from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row, spread
from shared.store.store import ModelStore

SCRIPT = Path(__file__).with_name("post.lua")
CONNECTIONS = 8
MIN_SPEED_UP = 100.0
MIN_SHARE_OF_ECHO = 0.5


def require_wrk() -> None:
    """Raise BenchmarkError if the program wrk is not installed."""
    if shutil.which("wrk") is None:
        raise BenchmarkError(
            "no_wrk",
            "wrk, the load generator, is not installed.",
            "On Debian and Ubuntu: apt-get install wrk.",
        )


def measure(setting: Setting) -> Figures:
    """Load the three servers in turn, several rounds; the others are idle meanwhile."""
    require_wrk()
    body, kind = upload(setting.image)
    file = setting.scratch / "upload"
    file.write_bytes(body)
    seconds = setting.number(10, 2)
    rounds = []
    with ExitStack() as running:
        servers = {
            "ours": (running.enter_context(predictor(setting.conv)), "predict"),
            "tutorial": (
                running.enter_context(
                    tutorial_server(ModelStore(setting.crnn).folder("default", 1))
                ),
                "predict",
            ),
            "echo": (
                running.enter_context(
                    predictor(setting.conv, module="benchmarks.serving.echo_app")
                ),
                "echo",
            ),
        }
        for server, _ in servers.values():
            server.wait_until_it_predicts(setting.image, setting.text)
        # Round by round, so that a drift of the machine's speed hits all servers alike.
        for _ in range(setting.number(5, 1)):
            rounds.append(
                {
                    name: load(f"http://127.0.0.1:{server.port}/{route}", file, kind, seconds)
                    for name, (server, route) in servers.items()
                }
            )
    return {"connections": CONNECTIONS, "seconds": seconds, "rounds": rounds}


def load(url: str, body: Path, kind: str, seconds: int) -> Figures:
    """Post the body in a closed loop; raises BenchmarkError if any request failed."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(SCRIPT), url, "--", str(body), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError("wrk_failed", f"wrk failed: {done.stderr.strip()}")
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    if found["failed"]:
        raise BenchmarkError("requests_failed", f"{url}: {found['failed']} requests failed.")
    return found | {"requests_per_second": found["requests"] / found["seconds"]}


def rows(figures: Figures) -> Sequence[Row]:
    """Compare round by round."""
    rate = {
        name: [each[name]["requests_per_second"] for each in figures["rounds"]]
        for name in ("ours", "tutorial", "echo")
    }
    speed_ups = [ours / other for ours, other in zip(rate["ours"], rate["tutorial"], strict=True)]
    shares = [ours / echo for ours, echo in zip(rate["ours"], rate["echo"], strict=True)]
    ours = spread(rate["ours"], "{:,.0f}/s")
    return [
        Row(
            what=f"requests/s at {CONNECTIONS} connections, beside the tutorial's server",
            reference=spread(rate["tutorial"], "{:.1f}/s"),
            ours=ours,
            ratio=spread(speed_ups, "{:.0f}×"),
            target=f"≥ {MIN_SPEED_UP:.0f}×",
            reached=statistics.median(speed_ups) >= MIN_SPEED_UP,
        ),
        Row(
            what="requests/s, beside an echo of the same upload",
            reference=spread(rate["echo"], "{:,.0f}/s"),
            ours=ours,
            ratio=spread([100 * share for share in shares], "{:.0f} %"),
            target=f"≥ {100 * MIN_SHARE_OF_ECHO:.0f} %",
            reached=statistics.median(shares) >= MIN_SHARE_OF_ECHO,
        ),
    ]
