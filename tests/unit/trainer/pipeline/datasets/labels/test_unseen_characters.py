from pathlib import Path

import pytest

from tests.support.labelled_images import image, write_zip
from trainer.pipeline.datasets.labels.unseen_characters import folded
from trainer.pipeline.datasets.load import load_dataset
from trainer.schemas.job_request import JobRequest


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        ("AB\u200b12\ufeff", "AB12"),
        ("\u200eAB\u00ad12", "AB12"),
        ("AB\u00a012", "AB 12"),
        ("ＡＢ１２\u3000！", "AB12 !"),
        ("\u200b", ""),
        ("AB\u200d", "AB"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("ক্\u200dষ", "ক্\u200dষ"),
        ("Müller 東京 e\u0323", "Müller 東京 e\u0323"),
    ],
)
def test_what_cannot_be_seen_goes_and_what_is_spelt_stays(label: str, plain: str) -> None:
    assert folded(label) == plain


def test_a_job_that_asks_for_it_folds_labels_and_says_so(tmp_path: Path) -> None:
    labels = [f"A{i}" for i in range(12)] + ["Ａ99", "A\u200b98", "\u200b"]
    rows = "\n".join(["filename,text", *(f"{i}.png,{text}" for i, text in enumerate(labels))])
    entries = {f"{i}.png": image(f"A{i}", seed=i) for i in range(len(labels))}
    path = write_zip(tmp_path / "set.zip", entries | {"labels.csv": rows.encode()})
    asked = [one for one in load_dataset(path, JobRequest()).summary["warnings"] if "U+" in one]
    assert asked and all("--fold-labels" in one for one in asked if "hold U+" in one)
    summary = load_dataset(path, JobRequest(fold_labels=True, vocabulary="closed")).summary
    assert summary["label_notes"] == [
        "3 labels had invisible or full-width characters, which are removed or made ordinary ones."
    ]
    assert set(summary["vocabulary"]) == set("A0123456789")
    assert not [one for one in summary["warnings"] if "U+" in one]
    assert summary["left_out"] == {"empty_label": 1}
