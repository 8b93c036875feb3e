"""Whether the pictures on a page have really come."""

from playwright.sync_api import Page, expect


def expect_pictures(page: Page, count: int) -> None:
    """Wait until the page's content holds so many pictures, and all are loaded."""
    images = page.get_by_role("main").locator("img")
    expect(images).to_have_count(count)
    for image in images.all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
