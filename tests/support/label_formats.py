"""Writes sets in the formats of other tools, for tests of what reads them."""

import csv
import io
import json
from collections.abc import Callable, Mapping

Entries = dict[str, bytes]
"""The files of a set."""
Writer = Callable[[Mapping[str, str]], Entries]
"""From labels by image to the files that hold them."""

ODD = {
    "0.png": 'a"b',
    "1.png": '"AB"',
    "2.png": "a,b;c|d",
    "3.png": "שלום 12",
    "4.png": "e\u0301q\u0323\u0307",
    "5.png": "007",
    "6.png": "X" * 32,
    "7.png": "'00",
    "8.png": "A B",
    "9.png": '5" x 7"',
    "10.png": "{}",
    "11.png": "Müller",
}
"""Labels in which quoting, encodings and spreadsheets go wrong."""


def table(
    delimiter: str, *header: str, encoding: str = "utf-8", name: str = "labels.csv"
) -> Writer:
    """Return a writer of a table with quoting as in a CSV; the first column names the image."""

    def write(labels: Mapping[str, str]) -> Entries:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerows([header] if header else [])
        writer.writerows(labels.items())
        return {name: text.getvalue().encode(encoding)}

    return write


def lines(name: str, line: Callable[[str, str], str]) -> Writer:
    """Return a writer of a list with a line for each image."""
    return lambda labels: {name: "\n".join(line(*one) for one in labels.items()).encode()}


def _paddle_boxes(image: str, text: str) -> str:
    box = {"transcription": text, "points": [], "difficult": False}
    return f"set/{image}\t{json.dumps([box], ensure_ascii=False)}"


def _task(number: int, image: str, text: str) -> object:
    result = [
        {"type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["line"]}},
        {"type": "textarea", "value": {"text": [text]}},
    ]
    return {
        "id": number,
        "data": {"ocr": f"/data/upload/3/ab12cd34-{image}"},
        "annotations": [{"result": result, "was_cancelled": False}],
    }


def _label_studio(labels: Mapping[str, str]) -> Entries:
    tasks = [_task(number, *one) for number, one in enumerate(labels.items())]
    return {"project-1.json": json.dumps(tasks).encode()}


def _label_studio_min(labels: Mapping[str, str]) -> Entries:
    tasks = [
        {"id": 1, "image": f"/data/local-files/?d=set/{image}", "transcription": text}
        for image, text in labels.items()
    ]
    return {"project-1.json": json.dumps(tasks).encode()}


def _label_studio_csv(labels: Mapping[str, str]) -> Entries:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["annotation_id", "image", "lead_time", "transcription"])
    writer.writerows([7, f"/data/upload/3/{image}", 1.5, text] for image, text in labels.items())
    return {"project-1.csv": text.getvalue().encode()}


FORMATS: dict[str, Writer] = {
    "Label file": table(";", "filename", "text"),
    "EasyOCR list": table(",", "filename", "words"),
    "Fast-plate-ocr list": table(",", "image_path", "plate_text", name="annotations.csv"),
    "Hugging Face metadata metadata.csv": table(",", "file_name", "text", name="metadata.csv"),
    "Hugging Face metadata metadata.jsonl": lines(
        "metadata.jsonl", lambda image, text: json.dumps({"file_name": image, "text": text})
    ),
    "Roboflow JSONL": lines(
        "annotations.jsonl",
        lambda image, text: json.dumps({"image": image, "prefix": "read", "suffix": text}),
    ),
    "PaddleOCR list": lines("rec_gt_train.txt", lambda image, text: f"set/{image}\t{text}"),
    "PPOCRLabel list": lines("Label.txt", _paddle_boxes),
    "List without a header": lines("gt.txt", lambda image, text: f"{image}  {text}"),
    "DocTR labels": lambda labels: {"labels.json": json.dumps(dict(labels)).encode()},
    "Label Studio JSON project-1.json": _label_studio,
    "Label Studio JSON": _label_studio_min,
    "Label Studio CSV": _label_studio_csv,
    "List in JSON": lambda labels: {
        "list.json": json.dumps([{"image": i, "label": t} for i, t in labels.items()]).encode()
    },
}
"""Each under the beginning of what is said when it is recognised."""


def texts_beside(ending: str) -> Writer:
    """Return a writer of a text file beside each image."""
    return lambda labels: {
        image.removesuffix(".png") + ending: f"{text}\n".encode() for image, text in labels.items()
    }
