"""Log lines as JSON on stderr."""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

from shared.logs import RepeatLimit


def as_line(created: float, level: str, logger: str, message: str, **facts: Any) -> str:
    """Return one JSON object: time, level, logger, pid, message and the given facts.

    created: seconds since 1970.
    """
    time = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    head = {"time": time, "level": level, "logger": logger, "pid": os.getpid(), "message": message}
    return json.dumps(head | facts)


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line; an error's traceback is its field trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        facts = {"trace": self.formatException(record.exc_info)} if record.exc_info else {}
        level = record.levelname.lower()
        return as_line(record.created, level, record.name, record.getMessage(), **facts)


def logging_to_stderr(level: str) -> dict[str, Any]:
    """Return logging's configuration for JSON lines on stderr from this level on."""
    to_stderr = {"level": level.upper(), "handlers": ["stderr"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "filters": {"repeats": {"()": RepeatLimit}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["repeats"],
                "stream": "ext://sys.stderr",
            }
        },
        "root": to_stderr,
        "loggers": {"gunicorn.error": {**to_stderr, "propagate": False}},
    }
