"""Images with nothing to read: grounds, edges, blots, scratches."""

from PIL import Image, ImageDraw

from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts
from trainer.pipeline.starter.drawing.grounds import any_colour, cloud, ground, near, to_image
from trainer.pipeline.starter.drawing.lines import Scene


def nothing(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Draw a ground alone, or shapes that are no characters."""
    size = (round(chance.log_uniform(30, 360)), round(chance.log_uniform(20, 80)))
    colour = any_colour(chance)
    image = ground(chance, size, colour)
    if chance.maybe(0.3):
        noise = cloud(chance, size, chance.uniform(2, 30), 3) * chance.uniform(10, 90)
        image = to_image(noise + 128)
    if chance.maybe(0.6):
        _shapes(chance, image)
    return "", Scene(image, (0, 0, size[0], max(14, round(size[1] * 0.6))), None)


def _shapes(chance: Chance, image: Image.Image) -> None:
    pen = ImageDraw.Draw(image)
    for _ in range(chance.integer(1, 4)):
        colour = near(chance, any_colour(chance), 10)
        x = [chance.integer(-20, image.width + 20) for _ in range(2)]
        y = [chance.integer(-20, image.height + 20) for _ in range(2)]
        box = (min(x), min(y), max(x) + 1, max(y) + 1)
        what = chance.pick(("line", "box", "arc", "long"))
        if what == "line":
            pen.line((x[0], y[0], x[1], y[1]), colour, chance.integer(1, 5))
        elif what == "box":
            pen.rectangle(box, colour)
        elif what == "arc":
            pen.arc(
                box, chance.uniform(0, 180), chance.uniform(180, 360), colour, chance.integer(1, 3)
            )
        else:
            pen.line((0, y[0], image.width, y[1]), colour, chance.integer(1, 12))
