"""Problem documents of the trainer, and what they say of single fields."""

from typing import Any

import httpx


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["title"] and document["detail"]
    return document


def fields(document: dict[str, Any]) -> dict[str, str]:
    return {error["field"]: error["message"] for error in document["errors"]}
