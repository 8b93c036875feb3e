"""What `readsmith up` shows once both services answer."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from readsmith.output import say
from shared.store.location import is_object_storage


def start_screen(trainer: str, predictor: str, store: str, logs: Path) -> dict[str, str]:
    """Return what a newcomer looks for, by its name."""
    return {
        "Dashboard": f"{trainer}/",
        "Predictor": f"{predictor}/predict",
        "API": f"{trainer}/docs and {predictor}/docs",
        "Models": store if is_object_storage(store) else str(Path(store).absolute()),
        "Logs": str(logs.absolute()),
        "Stop": "Ctrl-C",
    }


def show(console: Console, screen: Mapping[str, str]) -> None:
    """Print it: in a frame on a terminal, a line for each elsewhere."""
    if not console.is_terminal:
        for name, value in screen.items():
            say(console, f"{name}: {value}")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in screen.items():
        table.add_row(name, Text(value))
    console.print(Panel(table, title="Readsmith is running", border_style="green", expand=False))
