import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from shared.errors import ReadsmithError
from shared.recognition.preprocessing import open_image
from tests.support.labelled_images import write_zip
from trainer.pipeline.datasets.check import dataset_image
from trainer.pipeline.datasets.labels.cut_out import cut_out
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.source import ImageSource, open_source
from trainer.pipeline.datasets.writers.convert import convert
from trainer.pipeline.datasets.writers.pack import pack
from trainer.schemas.job_request import FileLabelSource, JobRequest, Labels
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits

PAGE = (200, 100)
LINES = {"AB 12": (20, 10, 80, 20), "0071": (20, 60, 120, 30)}
"""Texts and their boxes on a page: left, top, width and height."""
GRAY = {"AB 12": 40, "0071": 90}
"""Each line is a plain area, so that a cut tells which it is of."""

Entries = dict[str, bytes]


def page(size: tuple[int, int] = PAGE, kind: str = "PNG", turn: int = 0) -> bytes:
    """Return an image of two lines; turn: its EXIF orientation, 6 for one that lies."""
    scale = size[0] / PAGE[0]
    image = Image.new("L", size, 255)
    for text, (x, y, w, h) in LINES.items():
        corners = [scale * x, scale * y, scale * (x + w) - 1, scale * (y + h) - 1]
        ImageDraw.Draw(image).rectangle(corners, fill=GRAY[text])
    exif = Image.Exif()
    if turn == 6:
        image, exif[0x0112] = image.transpose(Image.Transpose.ROTATE_90), 6
    data = io.BytesIO()
    image.save(data, kind, exif=exif)
    return data.getvalue()


def shares(x: float, y: float, w: float, h: float, of: float) -> tuple[float, float, float, float]:
    return x / PAGE[0] * of, y / PAGE[1] * of, w / PAGE[0] * of, h / PAGE[1] * of


def ppocrlabel(name: str, lines: Mapping[str, tuple[int, ...]] = LINES) -> Entries:
    boxes = [
        {"transcription": t, "points": [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]}
        for t, (x, y, w, h) in lines.items()
    ]
    return {"Label.txt": f"set/{name}\t{json.dumps(boxes)}\n".encode()}


def label_studio(name: str) -> Entries:
    results = []
    for number, (text, box) in enumerate(LINES.items()):
        x, y, w, h = shares(*box, of=100)
        value = {"x": x, "y": y, "width": w, "height": h, "rotation": 0}
        region = {"id": f"r{number}", "original_width": 200, "original_height": 100}
        results += [
            region | {"type": "rectangle", "value": value},
            region | {"type": "labels", "value": value | {"labels": ["line"]}},
            region | {"type": "textarea", "value": value | {"text": [text]}},
        ]
    task = {
        "data": {"ocr": f"/data/upload/3/ab12cd34-{name}"},
        "annotations": [{"result": results}],
    }
    return {"project-1.json": json.dumps([task]).encode()}


def coco(name: str, **texts: object) -> Entries:
    """Return COCO's JSON; texts: what an annotation holds of a text, by default `text`."""
    value = {
        "images": [{"id": 7, "file_name": name, "width": 200, "height": 100}],
        "categories": [{"id": 1, "name": "line"}],
        "annotations": [
            {"id": i, "image_id": 7, "category_id": 1, "bbox": list(box)} | given
            for i, (text, box) in enumerate(LINES.items())
            for given in [{k: v(text) for k, v in texts.items() if callable(v)} or {"text": text}]
        ],
    }
    return {"annotations.json": json.dumps(value).encode()}


def coco_text(name: str) -> Entries:
    value = {
        "imgs": {"7": {"id": 7, "file_name": name, "width": 200, "height": 100}},
        "anns": {
            str(i): {"id": i, "image_id": 7, "bbox": list(box), "utf8_string": text}
            for i, (text, box) in enumerate(LINES.items())
        },
    }
    return {"cocotext.json": json.dumps(value).encode()}


def voc(name: str, text: Callable[[str], str] = lambda text: f"<name>{text}</name>") -> Entries:
    objects = "".join(
        f"<object>{text(t)}<bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax>"
        f"<ymax>{y + h}</ymax></bndbox></object>"
        for t, (x, y, w, h) in LINES.items()
    )
    size = "<size><width>200</width><height>100</height><depth>1</depth></size>"
    xml = f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"
    return {f"Annotations/{Path(name).stem}.xml": xml.encode()}


def cvat(name: str) -> Entries:
    (one, (x, y, w, h)), (other, (a, b, c, d)) = LINES.items()
    shapes = (
        f'<box label="line" xtl="{x}" ytl="{y}" xbr="{x + w}" ybr="{y + h}">'
        f'<attribute name="text">{one}</attribute></box>'
        f'<polygon label="line" points="{a},{b};{a + c},{b};{a + c},{b + d};{a},{b + d}">'
        f'<attribute name="Text">{other}</attribute></polygon>'
    )
    image = f'<image id="0" name="{name}" width="200" height="100">{shapes}</image>'
    return {"annotations.xml": f"<annotations><version>1.1</version>{image}</annotations>".encode()}


def yolo(name: str) -> Entries:
    lines = []
    for number, (x, y, w, h) in enumerate(LINES.values()):
        left, top, width, height = shares(x, y, w, h, of=1)
        lines.append(f"{number} {left + width / 2} {top + height / 2} {width} {height}")
    return {
        f"labels/{Path(name).stem}.txt": "\n".join(lines).encode(),
        "classes.txt": "\n".join(LINES).encode(),
    }


FORMATS: dict[str, Callable[[str], Entries]] = {
    "PPOCRLabel list": ppocrlabel,
    "Label Studio JSON": label_studio,
    "COCO annotations": coco,
    "COCO annotations cocotext.json": coco_text,
    "Pascal VOC": voc,
    "CVAT annotations": cvat,
    "YOLO boxes": yolo,
}
"""Each under the beginning of what is said when it is recognised."""


def opened(
    tmp_path: Path, entries: Entries, how: Labels = "auto"
) -> tuple[ImageSource, FoundLabels]:
    source = open_source(write_zip(tmp_path / "set.zip", entries))
    found = find_labels(source, how)
    return cut_out(source, found), found


def cuts(source: ImageSource, found: FoundLabels) -> dict[str, Image.Image]:
    """Return the image of each label."""
    return {text: open_image(source.read(name)) for name, text in found.labels.items()}


def ink(image: Image.Image) -> int:
    return int(image.convert("L").getpixel((image.width // 2, image.height // 2)))  # type: ignore[arg-type]


@pytest.mark.parametrize("said", FORMATS)
def test_each_box_with_a_text_is_cut_out_and_grouped_by_its_image(
    said: str, tmp_path: Path
) -> None:
    source, found = opened(tmp_path, {"img/a.png": page()} | FORMATS[said]("a.png"))
    assert found.notes[0].startswith(said)
    assert "2 of 2 boxes with texts, in 1 images, found" in found.notes[0]
    assert found.notes[-1].startswith("2 lines are cut out of 1 images by their boxes.")
    assert "/predict" in found.notes[-1]
    lines = cuts(source, found)
    assert {text: ink(image) for text, image in lines.items()} == GRAY
    assert {text: image.size for text, image in lines.items()} == {
        "AB 12": (82, 22),
        "0071": (123, 33) if lines["0071"].size == (123, 33) else (124, 34),
    }
    assert set(found.groups.values()) == {"img/a.png"}
    assert found.problems == []


@pytest.mark.parametrize(
    "given",
    [
        {"attributes": lambda text: {"text": text}},
        {"attributes": lambda text: {"Text": text, "occluded": False}},
        {"caption": str},
        {"utf8_string": str},
    ],
)
def test_the_text_of_coco_may_be_under_several_names(
    given: dict[str, object], tmp_path: Path
) -> None:
    source, found = opened(tmp_path, {"a.png": page()} | coco("a.png", **given))
    assert set(cuts(source, found)) == set(LINES)


def test_a_number_in_coco_is_not_taken_for_a_text(tmp_path: Path) -> None:
    entries = coco("a.png", attributes=lambda text: {"text": 71 if text == "0071" else text})
    _, found = opened(tmp_path, {"a.png": page()} | entries)
    assert list(found.labels.values()) == ["AB 12"]
    assert "has 71 instead of a text" in found.problems[0].detail


@pytest.mark.parametrize(
    "text",
    [
        lambda text: f"<name>line</name><text>{text}</text>",
        lambda text: (
            "<name>line</name><attributes><attribute><name>Text</name>"
            f"<value>{text}</value></attribute></attributes>"
        ),
    ],
)
def test_a_text_in_pascal_voc_wins_over_the_class(
    text: Callable[[str], str], tmp_path: Path
) -> None:
    source, found = opened(tmp_path, {"a.png": page()} | voc("a.png", text))
    assert set(cuts(source, found)) == set(LINES)


def test_a_photograph_that_is_reduced_and_turned_is_cut_where_its_box_is(tmp_path: Path) -> None:
    photograph = page((4800, 2400), "JPEG", turn=6)
    lines = {text: tuple(24 * side for side in box) for text, box in LINES.items()}
    source, found = opened(tmp_path, {"a.jpg": photograph} | ppocrlabel("a.jpg", lines))
    found_lines = cuts(source, found)
    assert {text: abs(ink(image) - GRAY[text]) < 3 for text, image in found_lines.items()} == {
        "AB 12": True,
        "0071": True,
    }
    assert found_lines["AB 12"].width == pytest.approx(80 * 12 * 1.025, abs=4)


def test_boxes_are_scaled_where_the_image_was_resized_and_refused_where_it_was_turned(
    tmp_path: Path,
) -> None:
    source, found = opened(tmp_path, {"a.png": page((400, 200))} | coco("a.png"))
    assert {text: ink(image) for text, image in cuts(source, found).items()} == GRAY
    _, found = opened(tmp_path, {"a.png": page((100, 200))} | coco("a.png"))
    assert "drawn on an image of 200x100 pixels, and this one has 100x200" in (
        found.problems[0].detail
    )


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ((300, 10, 80, 20), "lies outside the image, which has 200x100 pixels"),
        ((-70, 10, 80, 20), "lies outside the image"),
        ((20, 10, 0, 20), "has 0x20 pixels"),
        ((20, 10, 3, 2), "has 3x2 pixels: nothing can be read in it"),
    ],
)
def test_a_box_that_cannot_be_cut_is_named_with_its_file_and_what_to_do(
    box: tuple[int, ...], why: str, tmp_path: Path
) -> None:
    entries = ppocrlabel("a.png", LINES | {"XY": box})
    _, found = opened(tmp_path, {"a.png": page()} | entries)
    assert sorted(found.labels.values()) == sorted(LINES)
    (problem,) = found.problems
    assert (problem.kind, problem.file) == ("unusable_box", "a.png")
    assert problem.detail.startswith("Label.txt line 1: the box ")
    assert why in problem.detail


def test_a_box_that_sticks_out_a_little_is_cut_at_the_edge(tmp_path: Path) -> None:
    source, found = opened(
        tmp_path, {"a.png": page()} | ppocrlabel("a.png", {"A": (-3, 10, 80, 20)})
    )
    assert cuts(source, found)["A"].size == (78, 22)


@pytest.mark.parametrize("points", ["[[1e999, 0], [1, 1]]", '[["a", 0]]', "[[1]]", "[null]", "7"])
def test_boxes_that_are_no_numbers_leave_the_line_out(points: str, tmp_path: Path) -> None:
    row = f'a.png\t[{{"transcription": "A", "points": {points}}}]'
    _, found = opened(tmp_path, {"a.png": page(), "Label.txt": row.encode()})
    assert not found.labels
    assert found.problems[0].kind == "unclear_label"


@pytest.mark.parametrize("text", ["71", "true", "{}", "[[]]", "NaN"])
def test_what_is_no_text_in_ppocrlabel_is_named_by_its_line(text: str, tmp_path: Path) -> None:
    row = f'a.png\t[{{"transcription": {text}, "points": [[20, 10], [100, 30]]}}]'
    _, found = opened(tmp_path, {"a.png": page(), "Label.txt": row.encode()})
    assert not found.labels
    assert "Label.txt line 1 has " in found.problems[0].detail
    assert "instead of a text" in found.problems[0].detail


def test_an_image_that_cannot_be_opened_is_named_once(tmp_path: Path) -> None:
    _, found = opened(tmp_path, {"a.png": page()[:60]} | ppocrlabel("a.png"))
    assert [(p.kind, p.file) for p in found.problems] == [("unreadable", "a.png")]
    assert not found.labels


def test_boxes_that_cover_an_image_again_and_again_are_not_all_cut(tmp_path: Path) -> None:
    boxes = {f"T{i}": (0, 0, 200 - i % 2, 100 - i // 2) for i in range(40)}
    _, found = opened(tmp_path, {"a.png": page()} | ppocrlabel("a.png", boxes))
    assert 4 <= len(found.labels) <= 12
    assert "cover the image more than 8 times" in found.problems[-1].detail


def test_cuts_take_no_more_bytes_than_a_set_may_have(tmp_path: Path) -> None:
    entries = {"a.png": page()} | ppocrlabel("a.png")
    source = open_source(write_zip(tmp_path / "set.zip", entries))
    source.limits = DatasetLimits(bytes=100)
    with pytest.raises(ReadsmithError) as refused:
        cut_out(source, find_labels(source, "auto"))
    assert refused.value.code == "dataset_too_large"


def characters(names: str, boxes: list[tuple[float, float]], classes: str = "") -> Entries:
    """Return YOLO's boxes of single characters, by centres; classes: those of a list of classes."""
    known = classes or "".join(sorted(set(names)))
    lines = [f"{known.index(c)} {x} {y} 0.05 0.2" for c, (x, y) in zip(names, boxes, strict=True)]
    return {"a.txt": "\n".join(lines).encode(), "classes.txt": "\n".join(known).encode()}


def test_boxes_of_single_characters_are_put_together_from_left_to_right(tmp_path: Path) -> None:
    entries = characters("1A7", [(0.4, 0.52), (0.3, 0.5), (0.5, 0.54)])
    source, found = opened(tmp_path, {"a.png": page()} | entries)
    assert list(found.labels.values()) == ["A17"]
    assert "from left to right" in found.notes[0]
    assert cuts(source, found)["A17"].size == pytest.approx((52, 26), abs=2)


@pytest.mark.parametrize(
    "boxes", [[(0.3, 0.2), (0.35, 0.8), (0.4, 0.2)], [(0.1, 0.5), (0.15, 0.5), (0.9, 0.5)]]
)
def test_characters_of_several_texts_are_not_put_together(
    boxes: list[tuple[float, float]], tmp_path: Path
) -> None:
    _, found = opened(tmp_path, {"a.png": page()} | characters("1A7", boxes))
    assert not found.labels
    assert "a.txt line 1 has characters in several lines or far apart" in found.problems[0].detail


@pytest.mark.parametrize(
    "data",
    [
        "path: .\nnames:\n  - '1'\n  - A\n  - \"7\"\nnc: 3\n",
        "names: ['1', \"A\", '7']\nnc: 3\n",
        "nc: 3\nnames: [1, A, 7]\n",
        "names:\n  0: 1\n  1: A\n  2: 7\ntrain: images\n",
    ],
)
def test_the_classes_may_be_in_yolo_s_data_yaml(data: str, tmp_path: Path) -> None:
    entries = characters("1A7", [(0.3, 0.5), (0.4, 0.5), (0.5, 0.5)], classes="1A7")
    del entries["classes.txt"]
    _, found = opened(tmp_path, {"a.png": page(), "data.yaml": data.encode()} | entries)
    assert list(found.labels.values()) == ["1A7"]


def named_alike(name: str) -> Entries:
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(12)]
    boxes = [{"image_id": i, "category_id": 1, "bbox": [20, 10, 80, 20]} for i in range(12)]
    value = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": name}]}
    return {"instances.json": json.dumps(value).encode()} | {f"{i}.png": page() for i in range(12)}


def test_classes_are_no_texts_unless_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError, match="hold no texts, but classes: plate") as refused:
        opened(tmp_path, named_alike("plate"))
    assert refused.value.code == "labels_not_found"
    assert "--labels file:instances.json" in refused.value.hint
    _, found = opened(tmp_path, named_alike("plate"), FileLabelSource(file="instances.json"))
    assert set(found.labels.values()) == {"plate"}


def test_boxes_without_texts_do_not_stand_in_the_way_of_a_list(tmp_path: Path) -> None:
    rows = "filename,text\n" + "".join(f"{i}.png,T{i}\n" for i in range(12))
    _, found = opened(tmp_path, named_alike("plate") | {"labels.csv": rows.encode()})
    assert len(found.labels) == 12
    assert not found.boxes


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><annotation><object><name>&b;</name></object></annotation>',
        "<annotation><object></annotation>",
        "",
    ],
)
def test_xml_that_declares_entities_or_is_cut_is_named(xml: str, tmp_path: Path) -> None:
    entries = {"a.png": page(), "b.png": page()} | voc("a.png")
    _, found = opened(tmp_path, entries | {"Annotations/b.xml": xml.encode()})
    assert sorted(found.labels.values()) == sorted(LINES)
    assert found.problems[0].file == "b.png"
    assert "Annotations/b.xml object 1 cannot be read as XML" in found.problems[0].detail


def test_xml_of_a_million_elements_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.pipeline.datasets.labels.formats.boxes.elements.MOST_ELEMENTS", 5)
    with pytest.raises(ReadsmithError, match="annotations") as refused:
        opened(tmp_path, {"a.png": page()} | cvat("a.png"))
    assert refused.value.code == "labels_ambiguous"


def test_the_lines_that_ppocrlabel_has_cut_out_itself_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = "".join(f"crop_img/{n}.png\t{text}\n" for n, text in enumerate(LINES))
    entries = {"set/a.png": page(), "set/Label.txt": ppocrlabel("a.png")["Label.txt"]}
    entries |= {f"set/crop_img/{n}.png": page() for n in range(2)}
    _, found = opened(tmp_path, entries | {"set/rec_gt.txt": rows.encode()})
    assert found.labels == {"set/crop_img/0.png": "AB 12", "set/crop_img/1.png": "0071"}


def test_a_rotated_region_is_cut_by_the_upright_box_around_it(tmp_path: Path) -> None:
    entries = label_studio("a.png")
    task = json.loads(entries["project-1.json"])
    for result in task[0]["annotations"][0]["result"][3:]:  # a quarter turn, about its corner
        result["value"] |= {"x": 70, "y": 10, "width": 15, "height": 60, "rotation": 90}
    source, found = opened(tmp_path, {"a.png": page(), "project-1.json": json.dumps(task).encode()})
    # 30x60 pixels at (140, 10), turned: 60x30 from (80, 10) on.
    assert cuts(source, found)["0071"].size == pytest.approx((63, 33), abs=1)


def a_set(tmp_path: Path) -> Path:
    """Write pages whose lines are told apart by their ground."""
    entries: Entries = {}
    rows = []
    for number in range(12):
        image = Image.new("L", PAGE, 255)
        for line, (x, y, w, h) in enumerate(LINES.values()):
            ink = (number * 2 + line) * 9
            ImageDraw.Draw(image).rectangle([x + number, y, x + w, y + h], fill=ink)
        data = io.BytesIO()
        image.save(data, "PNG")
        entries[f"p{number:02}.png"] = data.getvalue()
        lines = dict(zip((f"A{number}", f"B{number}"), LINES.values(), strict=True))
        rows.append(ppocrlabel(f"p{number:02}.png", lines)["Label.txt"])
    return write_zip(tmp_path / "pages.zip", entries | {"Label.txt": b"".join(rows)})


def test_lines_of_one_image_go_to_one_part(tmp_path: Path) -> None:
    dataset = load_dataset(a_set(tmp_path), JobRequest())
    sides = [
        {name.rpartition("/")[0] for name in part.names}
        for part in (dataset.train, dataset.validation, dataset.test)
    ]
    assert sum(map(len, sides)) == 12 == len(set.union(*sides))
    assert "12 groups by their source images stay together." in dataset.summary["split_notes"]


def test_a_cut_is_shown_relabelled_and_packed_like_an_image(tmp_path: Path) -> None:
    path = a_set(tmp_path)
    name = "p03.png/20,10,80,20.png"
    shown = open_image(dataset_image(path, name, DEFAULT_LIMITS))
    assert shown.size == (82, 22)
    dataset = load_dataset(path, JobRequest(relabel={name: "ZZ"}))
    images = dataset.train + dataset.validation + dataset.test
    assert {one.label for one in images if one.name == name} == {"ZZ"}
    assert pack(path, tmp_path / "shards", "auto", 100).images == 24


def test_lines_are_converted_and_not_the_pages(tmp_path: Path) -> None:
    done = convert(a_set(tmp_path), tmp_path / "out.zip", "auto", "readsmith")
    assert (done.images, done.unlabelled) == (24, 0)
    found = find_labels(open_source(tmp_path / "out.zip"), "auto")
    assert len(found.labels) == 24
    assert len(set(found.groups.values())) == 12


@pytest.mark.parametrize("name", ["p03.png/9,9.png", "no.png/1,1,9,9.png", "p03.png/900,9,9,9.png"])
def test_a_cut_that_there_is_not_cannot_be_shown(name: str, tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError) as refused:
        dataset_image(a_set(tmp_path), name, DEFAULT_LIMITS)
    assert refused.value.code == "image_not_found"


TURNED_LINE = ((40, 20), (120, 50), (112, 72), (32, 42))
"""A line that falls to the right, on a page: its corners from the upper left one clockwise."""


def turned_page(kind: str = "PNG", turn: int = 0) -> bytes:
    image = Image.new("L", PAGE, 255)
    ImageDraw.Draw(image).polygon(TURNED_LINE, fill=90)
    exif = Image.Exif()
    if turn == 6:
        image, exif[0x0112] = image.transpose(Image.Transpose.ROTATE_90), 6
    data = io.BytesIO()
    image.save(data, kind, exif=exif)
    return data.getvalue()


def flat(corners: tuple[tuple[float, float], ...] = TURNED_LINE) -> list[float]:
    return [value for point in corners for value in point]


def turned_ppocrlabel() -> Entries:
    boxes = [{"transcription": "0071", "points": [list(point) for point in TURNED_LINE]}]
    return {"Label.txt": f"set/a.png\t{json.dumps(boxes)}\n".encode()}


def turned_label_studio() -> Entries:
    (x, y), (right, top), (_, _), (left, bottom) = TURNED_LINE
    value = {
        "x": x / 2,
        "y": y,
        "width": math.dist((x, y), (right, top)) / 2,
        "height": math.dist((x, y), (left, bottom)),
        "rotation": math.degrees(math.atan2(top - y, right - x)),
        "text": ["0071"],
    }
    size = {"original_width": 200, "original_height": 100}
    result = {"id": "r", "type": "textarea", "value": value} | size
    task = {"data": {"ocr": "/data/upload/3/a.png"}, "annotations": [{"result": [result]}]}
    return {"project-1.json": json.dumps([task]).encode()}


def turned_coco() -> Entries:
    annotation = {"id": 1, "image_id": 7, "bbox": [32, 20, 88, 52], "segmentation": [flat()]}
    value = {
        "images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100}],
        "annotations": [annotation | {"text": "0071"}],
    }
    return {"annotations.json": json.dumps(value).encode()}


def turned_textocr() -> Entries:
    value = {
        "imgs": {"7": {"id": 7, "file_name": "a.png", "width": 200, "height": 100}},
        "anns": {"1": {"image_id": 7, "bbox": [1], "points": flat(), "utf8_string": "0071"}},
    }
    return {"cocotext.json": json.dumps(value).encode()}


def turned_cvat() -> Entries:
    points = ";".join(f"{x},{y}" for x, y in TURNED_LINE)
    shape = (
        f'<polygon label="l" points="{points}"><attribute name="text">0071</attribute></polygon>'
    )
    image = f'<image id="0" name="a.png" width="200" height="100">{shape}</image>'
    return {"annotations.xml": f"<annotations>{image}</annotations>".encode()}


def turned_yolo() -> Entries:
    shares = " ".join(f"{value / PAGE[i % 2]}" for i, value in enumerate(flat()))
    return {"labels/a.txt": f"0 {shares}".encode(), "classes.txt": b"0071"}


def corner_columns(values: object = None, name: str = "a.png") -> Entries:
    cells = ",".join(map(str, flat())) if values is None else values
    header = "filename,text,x1,y1,x2,y2,x3,y3,x4,y4"
    return {"labels.csv": f"{header}\n{name},0071,{cells}\n".encode()}


def corner_keys() -> Entries:
    keys = [f"{axis}{number}" for number in range(1, 5) for axis in "xy"]
    row = {"file_name": "a.png", "text": "0071"} | dict(zip(keys, flat(), strict=True))
    return {"metadata.jsonl": json.dumps(row).encode()}


@pytest.mark.parametrize(
    "entries",
    [
        turned_ppocrlabel,
        turned_label_studio,
        turned_coco,
        turned_textocr,
        turned_cvat,
        turned_yolo,
        corner_columns,
        corner_keys,
    ],
)
def test_a_line_with_four_corners_is_cut_out_upright_in_every_format(
    entries: Callable[[], Entries], tmp_path: Path
) -> None:
    source, found = opened(tmp_path, {"a.png": turned_page()} | entries())
    ((name, text),) = found.labels.items()
    assert text == "0071"
    line = open_image(source.read(name))
    assert line.size == pytest.approx((88, 26), abs=1.5)  # the rectangle around it has 88x52
    assert np.mean(np.asarray(line) < 110) > 0.85
    assert dataset_image(tmp_path / "set.zip", name, DEFAULT_LIMITS)[:4] == b"\x89PNG"
    shown_line = open_image(dataset_image(tmp_path / "set.zip", name, DEFAULT_LIMITS))
    assert shown_line.size == pytest.approx(line.size, abs=1)


def test_a_label_file_may_give_the_sides_of_a_line(tmp_path: Path) -> None:
    rows = "\n".join(
        f"a.png,{text},{x},{y},{x + w},{y + h}" for text, (x, y, w, h) in LINES.items()
    )
    entries = {"labels.csv": f"filename,text,left,top,right,bottom\n{rows}".encode()}
    source, found = opened(tmp_path, {"a.png": page()} | entries)
    assert {text: ink(image) for text, image in cuts(source, found).items()} == GRAY


def test_corners_are_in_pixels_after_a_photograph_has_been_turned(tmp_path: Path) -> None:
    photograph = turned_page("JPEG", turn=6)
    source, found = opened(tmp_path, {"a.jpg": photograph} | corner_columns(name="a.jpg"))
    (line,) = cuts(source, found).values()
    assert line.size == pytest.approx((88, 26), abs=1.5)
    assert np.mean(np.asarray(line) < 130) > 0.85


def test_rows_without_corners_are_of_whole_images(tmp_path: Path) -> None:
    _, found = opened(tmp_path, {"a.png": turned_page()} | corner_columns(",,,,,,,"))
    assert list(found.labels.items()) == [("a.png", "0071")]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ("nan,20,120,50,112,72,32,42", "'nan' in the column x1: give pixels"),
        ("40,20,120,inf,112,72,32,42", "'inf' in the column y2: give pixels"),
        ("40,20,1e300,50,112,72,32,42", "no corners that are numbers, up to 1,000,000"),
        ("40,20,,50,112,72,32,42", "'' in the column x2: give pixels"),
        ("40,20,left,50,112,72,32,42", "'left' in the column x2: give pixels"),
        ("40,20,40,20,40,20,40,20", "has 0x0 pixels"),
        ("40,20,120,50,32,42,60,34", "corners that enclose no area with four sides"),
        ("440,20,520,50,512,72,432,42", "lies outside the image, which has 200x100 pixels"),
        ("40,20,42,20,42,22,40,22", "has 2x2 pixels: nothing can be read in it"),
    ],
)
def test_a_row_whose_corners_are_none_is_left_out_and_said(
    values: str, why: str, tmp_path: Path
) -> None:
    _, found = opened(tmp_path, {"a.png": turned_page()} | corner_columns(values))
    assert not found.labels
    (problem,) = [each for each in found.problems if each.kind != "missing_label"]
    assert why in problem.detail
    assert "labels.csv line 2" in problem.detail


def test_corners_in_reverse_are_put_in_order(tmp_path: Path) -> None:
    backwards = ",".join(map(str, flat(TURNED_LINE[::-1])))
    source, found = opened(tmp_path, {"a.png": turned_page()} | corner_columns(backwards))
    (line,) = cuts(source, found).values()
    assert line.size == pytest.approx((88, 26), abs=1.5)


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ("-9,20,120,50,112,72,-17,42", "1 of 1 boxes have corners outside their image"),
        ("40,20,120,50,118,55,38,25", "1 of 1 boxes are less than 10 pixels high"),
        (
            ",".join(map(str, flat(TURNED_LINE[2:] + TURNED_LINE[:2]))),
            "1 of 1 boxes are turned by more than 60 degrees",
        ),
    ],
)
def test_odd_corners_are_warned_of_with_their_place(
    values: str, warning: str, tmp_path: Path
) -> None:
    _, found = opened(tmp_path, {"a.png": turned_page()} | corner_columns(values))
    (said,) = found.warnings
    assert said.startswith(warning)
    assert said.endswith("(labels.csv line 2).")


def test_whole_images_among_lines_that_are_cut_out_are_warned_of(tmp_path: Path) -> None:
    cells = ",".join(map(str, flat()))
    header = "filename,text,x1,y1,x2,y2,x3,y3,x4,y4"
    rows = f"{header}\na.png,0071,{cells}\nb.png,AB 12,,,,,,,,\n"
    entries = {"a.png": turned_page(), "b.png": page(), "labels.csv": rows.encode()}
    _, found = opened(tmp_path, entries)
    (said,) = found.warnings
    assert said.startswith("1 of 2 images have a text and no box, and are taken whole")
    assert "(labels.csv line 3)" in said
