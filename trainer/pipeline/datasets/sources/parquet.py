"""Parquet tables as Hugging Face writes them: images in a column, their texts in another.

Their rows are read once, into a temporary tar that looks as the same set does as a folder: images
and a metadata.jsonl. The limits of zips hold for it while it is written.
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from shared.errors import DatasetError, SetupError, first_line
from shared.texts import shown
from trainer.pipeline.datasets.sources.image_files import MAX_ENTRY_BYTES, is_image
from trainer.pipeline.datasets.sources.tar_file import WrittenTarSource, add_file, require_room
from trainer.pipeline.datasets.sources.zip_file import too_many_files
from trainer.schemas.labels import TEXT_COLUMNS
from trainer.schemas.limits import DatasetLimits

ENDING = ".parquet"
MARK = b"PAR1"
ROWS = 8
"""Rows that are decoded at a time: an image of 40 MB may be in each."""
BEYOND = ("group", "split", "state")


def is_parquet(path: Path) -> bool:
    """Return whether a file begins like a parquet table."""
    with path.open("rb") as file:
        return file.read(len(MARK)) == MARK


def tables_of(folder: Path) -> list[Path]:
    """Return the tables in a folder or in its data/; none if it also holds images itself."""
    if any(is_image(path.name) for path in folder.iterdir()):
        return []
    found = (*folder.glob(f"*{ENDING}"), *folder.glob(f"data/*{ENDING}"))
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


class ParquetSource(WrittenTarSource):
    """Images of parquet tables, for as long as the source is used.

    Raises ReadsmithError: package_missing, dataset_not_a_zip, labels_header, dataset_too_large,
    dataset_too_many_files.
    """

    def __init__(self, paths: Sequence[Path], limits: DatasetLimits) -> None:
        super().__init__(partial(_write, paths, limits), limits)


def _write(paths: Sequence[Path], limits: DatasetLimits, target: Path) -> None:
    lines: list[str] = []
    size = 0
    with tarfile.TarFile(target, "w") as tar:
        for path in paths:
            for name, data, said in _rows(path, limits, len(lines)):
                lines.append(json.dumps({"file_name": name, **said}, ensure_ascii=False))
                if len(lines) > limits.files:
                    raise too_many_files(len(lines), limits.files)
                size += len(data)
                require_room(path, size, limits)
                if data:
                    add_file(tar, name, data)
        add_file(tar, "metadata.jsonl", "\n".join(lines).encode("utf-8", "replace"))


def _rows(
    path: Path, limits: DatasetLimits, first: int
) -> Iterator[tuple[str, bytes, Mapping[str, Any]]]:
    """Yield name, bytes and what else is said of each row's image; no bytes if it has none."""
    arrow, parquet = _pyarrow(path)
    try:
        with parquet.ParquetFile(path) as file:
            groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
            require_room(path, sum(group.total_byte_size for group in groups), limits)
            image, further = _columns(path, file.schema_arrow, arrow.types)
            batches = file.iter_batches(ROWS, columns=[image, *further])
            for number, row in enumerate(
                chain.from_iterable(b.to_pylist() for b in batches), first
            ):
                content = row.pop(image) or {}
                data = content.get("bytes") or b""
                name = _name(path, number, content.get("path"))
                yield name, data if len(data) <= MAX_ENTRY_BYTES else b"", row
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            "dataset_not_a_zip",
            f"{shown(path.name)} cannot be read as a parquet table: {first_line(error)}.",
            "Download or write it again, and compare its size.",
        ) from error


def _columns(path: Path, schema: Any, types: Any) -> tuple[str, list[str]]:
    """Return the column of images, and those of texts and what else is said of images."""
    images = [
        field.name
        for field in schema
        if types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
    ]
    known = [field for field in schema if field.name.lower() in (*TEXT_COLUMNS, *BEYOND)]
    plain = (types.is_string, types.is_large_string, types.is_primitive)
    further = [field.name for field in known if any(is_type(field.type) for is_type in plain)]
    if len(images) == 1 and any(name.lower() in TEXT_COLUMNS for name in further):
        return images[0], further
    raise DatasetError(
        "labels_header",
        f"{shown(path.name)} has the columns {shown(', '.join(schema.names))}.",
        "One must hold the images, as a struct with their bytes, and one the texts, as "
        f"{', '.join(TEXT_COLUMNS[:7])}.",
    )


def _name(path: Path, number: int, given: str | None) -> str:
    """Return an image's name, in a folder that is called as its table begins: train or test."""
    word = re.split(r"[^a-z]", path.name.lower(), maxsplit=1)[0]
    ending = PurePosixPath(given).suffix if given and is_image(given) else ".png"
    return str(PurePosixPath(word, f"{number:07}{ending}"))


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415 - optional
        from pyarrow import parquet  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise SetupError(
            "package_missing",
            f"{shown(path.name)} is a parquet table, and the library that reads it is not "
            "installed.",
            "pip install 'readsmith[parquet]'",
        ) from error
    return pyarrow, parquet
