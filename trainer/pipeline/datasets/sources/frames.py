"""Tells images of which the first frame or page is not all: only that one is read."""

from PIL import Image, ImageChops

from shared.recognition.image_limits import MAX_PIXELS, MeteredBytes, check_headers

FORMATS = ("GIF", "PNG", "WEBP", "TIFF")
MOST_COMPARED = 10
"""Further frames; nearly every animation already differs in its second one."""


def frames_differ(data: bytes) -> bool:
    """Tell whether frames of an image that open_image accepts differ from its first one.

    At most MOST_COMPARED of them are looked at, and together no more than MAX_PIXELS beside one.
    """
    if not _may_have_frames(data):
        return False
    file = MeteredBytes(data)
    try:
        with Image.open(file, formats=FORMATS) as image:
            file.opened = True
            first = image.convert("RGBA")
            most = min(MOST_COMPARED, max(1, MAX_PIXELS // (image.width * image.height)))
            for number in range(1, most + 1):
                image.seek(number)
                check_headers(image, data)
                if image.size != first.size or _differ(first, image.convert("RGBA")):
                    return True
    except Exception:  # EOFError after the last one; Pillow raises anything on damaged ones
        return False
    return False


def _differ(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox(alpha_only=False) is not None


def _may_have_frames(data: bytes) -> bool:
    """Tell by the first bytes and chunks, so that other images are not opened twice."""
    if data.startswith(b"\x89PNG"):
        return b"acTL" in data[: data.find(b"IDAT")]
    if data.startswith(b"RIFF"):
        return b"ANIM" in data[: data.find(b"ANMF")]
    return data.startswith((b"GIF8", b"II*\0", b"MM\0*"))
