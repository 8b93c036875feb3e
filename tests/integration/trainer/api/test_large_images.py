"""Images that are larger than other requests may be, through the gateway to both services."""

import io
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from tests.support.services.services import TIMEOUT, gateway, needs_nginx, predictor, trainer


@needs_nginx
def test_a_large_image_can_be_tried_and_corrected_and_no_other_body_is_large(
    tmp_path: Path,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1200, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    with (
        predictor(tmp_path) as reading,
        trainer(tmp_path, READSMITH_PREDICTOR_URL=reading.url) as training,
        gateway(tmp_path / "gateway", training, reading) as before,
    ):
        url = f"http://127.0.0.1:{before.trainer}"

        def send(path: str, **fields: str) -> int:
            files = {"image": file.getvalue()}
            answer = requests.post(url + path, files=files, data=fields, timeout=TIMEOUT)
            return answer.status_code

        assert len(file.getvalue()) > 3_000_000
        assert send("/try") == 200
        assert send("/models/plates/corrections", text="A") == 201
        assert send("/models/plates/promote") == 413
        assert send("/jobs") == 413
