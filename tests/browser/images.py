"""Whether the images on a page have really come."""

from playwright.sync_api import Locator, expect


def expect_images(place: Locator, count: int) -> None:
    """Wait until there are so many images at this place, and all are loaded."""
    images = place.locator("img")
    expect(images).to_have_count(count)
    for image in images.all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
