"""Pages of lists, limited in rows and in bytes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select

from shared.api.answer import Answer

PAGE_BYTES = 1_000_000
"""A page ends before the row that would make it larger as JSON; it holds at least one."""

T = TypeVar("T")
Shown = TypeVar("Shown", bound=Answer)


@contextmanager
def reading_rows(connection: Connection, query: Select[Any]) -> Iterator[Iterable[Row[Any]]]:
    """Give a query's rows, which are fetched as they are taken."""
    options = {"stream_results": True, "max_row_buffer": 20}
    with connection.execute(query, execution_options=options) as rows:
        yield rows


def page_of(found: Iterable[T], limit: int, show: Callable[[T], Shown]) -> tuple[list[Shown], bool]:
    """Return the first of them as they are shown, at most limit, and whether there are more."""
    page: list[Shown] = []
    size = 0
    for each in found:
        if len(page) == limit:
            return page, True
        shown = show(each)
        size += len(shown.model_dump_json())
        if page and size > PAGE_BYTES:
            return page, True
        page.append(shown)
    return page, False
