"""Inputs of the kinds that users of such tools have reported, each as a user would hand it over.

They lie in the folder cases beside the one that READSMITH_TEST_DATA names.
"""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from shared.errors import ReadsmithError
from shared.recognition.image_limits import MAX_PIXELS
from shared.recognition.preprocessing import open_image
from shared.store.store import ModelStore
from tests.support.dataset_checks import check_dataset
from trainer.pipeline.publishing.import_h5 import adopt
from trainer.schemas.job_request import JobRequest

CASES = Path(os.environ.get("READSMITH_TEST_DATA", "none")).parent / "cases"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="no folder cases beside READSMITH_TEST_DATA"
)

READ = {
    "02-excel-semicolon/comma_1252": "labels.csv is not UTF-8 and is read as Windows-1252",
    "02-excel-semicolon/semi_1252": "separated by semicolons",
    "02-excel-semicolon/semi_bom": "separated by semicolons",
    "02-excel-semicolon/utf16": "read as UTF-16",
    "03-zeros-dropped/set": "none begins with 0",
    "04-easyocr-words/set": "EasyOCR list labels.csv: 60 of 60 images found",
    "05-paddle-rec/set": "PaddleOCR list rec_gt_train.txt: 60 of 60 images found",
    "07-fast-plate/set": "Fast-plate-ocr list annotations.csv: 60 of 60 images found",
    "07-fast-plate/renamed": "texts in the column plate_text",
    "08-hf-metadata/set": "Hugging Face metadata metadata.csv: 60 of 60 images found",
    "08-hf-metadata/jsonl": "Hugging Face metadata metadata.jsonl: 60 of 60 images found",
    "09-json/doctr": "DocTR labels labels.json: 60 of 60 images found",
    "09-json/ls": "Label Studio JSON project-3-at-2026-01-02.json: 60 of 60 images found",
    "10-gt-txt/gt": "Text files beside the images: 60 of 60 images have one",
    "10-gt-txt/txt": "Text files beside the images: 60 of 60 images have one",
    "11-label-hash/set": "60 of 60 file names hold a hash",
    "11-label-hash/copies": "30 of 70 file names hold the mark of a copy",
    "12-double-ext/set": "60 of 60 file names hold a second ending, as .jpg",
    "17-class-folders/set": "Folders named by label: 20 with 60 images",
    "18-train-val/set": "The parts are your own",
    "18b-split-top-labels/set": "may mean train/0000.png or val/0000.png",
    "30-archives/bz.zip": "file names",
    "30-archives/set.tar": "file names",
    "30-archives/set.tar.bz2": "file names",
    "30-archives/set.tar.gz": "file names",
    "31-phone-photos/set": "unreadable",
    "33-avif-set/set": "file names",
    "37-names-differ/case": "60 listed names differ from the files' in upper and lower case",
    "37-names-differ/noext": "60 listed names differ from the files' in lacking the ending",
    "37-names-differ/percent": "60 listed names differ from the files' in being written for web",
    "37-names-differ/labelscsvtxt": "Label file labels.csv.txt: 60 of 60 images found",
    "38-excel-numbers/float": "60 of 60 labels end in .0",
    "38-excel-numbers/sci": "numbers as a spreadsheet shortens long ones",
    "42-odd-labels/set": "hold U+200B (zero width space), which no image can show",
    "43-excel-tail/set": "labels.csv has 20 empty rows",
}
"""What the check says, by case."""
FEWER = {
    "11-label-hash/copies": 70,
    "18b-split-top-labels/set": 20,
    "31-phone-photos/set": 20,
    "03-zeros-dropped/set": 150,
    "42-odd-labels/set": 59,
}
"""Usable images, where they are not 60."""
REJECTED = {
    "30-archives/fake.7z": "it is a 7z archive",
    "30-archives/fake.rar": "it is a RAR archive",
    "30-archives/half.zip": "cut short or is damaged",
    "30-archives/pw.zip": "is encrypted",
    "30-archives/share.zip": "it is a web page",
    "30-archives/zero.zip": "it is empty",
    "37-names-differ/xlsx": "labels.xlsx may hold the labels, but in no format that is read",
}
"""What the error says, by case."""


IMPORTED = {
    "60-keras/pred.keras": ("is a .keras archive", "keras.models.load_model"),
    "60-keras/saved_model": ("is a SavedModel", "model.save("),
    "60-keras/pred.weights.h5": ("holds weights at most", "model.save("),
    "60-keras/full.h5": ("CTCLayer", "only the inference model"),
    "60-keras/lambda.h5": ("Lambda", "of these Keras layers"),
    "60-keras/pred.h5": ("21 classes", "give 19 or 20 characters"),
}
"""What `readsmith models import` answers, and advises, with ten characters as the vocabulary."""


def unpacked(case: str, folder: Path) -> Path:
    name, _, inner = case.partition("/")
    with zipfile.ZipFile(CASES / f"{name}.zip") as archive:
        archive.extractall(folder)
    return folder / name / inner


@pytest.mark.parametrize("case", READ)
def test_what_is_read_and_what_is_said(case: str, tmp_path: Path) -> None:
    summary = check_dataset(unpacked(case, tmp_path), JobRequest())
    assert summary["images"] == FEWER.get(case, 60)
    assert READ[case] in json.dumps(summary, ensure_ascii=False)


@pytest.mark.parametrize("case", REJECTED)
def test_what_is_not_read_says_what_it_is(case: str, tmp_path: Path) -> None:
    path = unpacked(case, tmp_path)
    with pytest.raises(ReadsmithError) as rejected:
        check_dataset(path, JobRequest())
    assert REJECTED[case] in rejected.value.message
    assert rejected.value.hint


@pytest.mark.parametrize("case", IMPORTED)
def test_what_is_not_imported_says_how_it_could_be(case: str, tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError) as rejected:
        adopt(unpacked(case, tmp_path), "0123456789", ModelStore(tmp_path / "store"), "own")
    message, hint = IMPORTED[case]
    assert message in rejected.value.message
    assert hint in rejected.value.hint


def test_a_photograph_of_a_phone_is_read_at_a_fraction_of_its_size(tmp_path: Path) -> None:
    data = unpacked("44-phone-size/IMG_1204.jpg", tmp_path).read_bytes()
    with Image.open(io.BytesIO(data)) as photograph:
        size = photograph.size
    assert size[0] * size[1] > MAX_PIXELS
    assert open_image(data).width == size[0] // 2
