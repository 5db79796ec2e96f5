"""A readable picture of a text task, drawn by Pillow alone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 320  # pixels
PICTURE_SIDE = 192  # of the picture within: three times 64
MARGIN, LINE_HEIGHT, FONT_SIZE = 8, 18, 14
BACKGROUND = (24, 26, 32)

Color = tuple[int, int, int]
Line = tuple[str, Color]
INK: Color = (235, 235, 235)
BUBBLE_WIDTH, BUBBLE_PADDING, BANNER_HEIGHT = 248, 8, 24
WALL: Color = (70, 76, 88)
BANNER: Color = (206, 212, 222)
THEIRS, OURS, NOTE = (104, 110, 126), (40, 116, 84), (52, 56, 66)  # of the bubbles of a chat


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(FONT_SIZE)


def draw_card(picture: np.ndarray | None, lines: Iterable[Line]) -> np.ndarray:
    """Draw a picture with text under it, or text alone.

    Args:
        picture: uint8 [H, W, 3], enlarged without smoothing so that its pixels stay visible; None for text alone.
        lines: (text, RGB colour); long ones are wrapped. Where they do not all fit, the last are shown.

    Returns:
        uint8 [320, 320, 3].
    """
    canvas = Image.new("RGB", (SIDE, SIDE), BACKGROUND)
    top = MARGIN
    if picture is not None:
        enlarged = Image.fromarray(picture).resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.NEAREST)
        canvas.paste(enlarged, ((SIDE - PICTURE_SIDE) // 2, top))
        top += PICTURE_SIDE + MARGIN
    rows = [(row, colour) for text, colour in lines for row in _wrap(text, SIDE - 2 * MARGIN)]
    draw = ImageDraw.Draw(canvas)
    for row, colour in rows[-((SIDE - top) // LINE_HEIGHT) :]:
        draw.text((MARGIN, top), row, font=_font(), fill=colour)
        top += LINE_HEIGHT
    return np.asarray(canvas).copy()


def draw_chat(messages: Iterable[tuple[str, Color]]) -> np.ndarray:
    """Draw a chat as bubbles, the last message at the foot; what has no room above falls off.

    Args:
        messages: (text, colour of the bubble): `THEIRS` hang on the left, others on the right.

    Returns:
        uint8 [320, 320, 3].
    """
    canvas = Image.new("RGB", (SIDE, SIDE), WALL)
    draw = ImageDraw.Draw(canvas)
    foot = SIDE - MARGIN
    for text, colour in reversed(list(messages)):
        rows = _wrap(text, BUBBLE_WIDTH - 2 * BUBBLE_PADDING) or ["..."]
        width = max(_font().getlength(row) for row in rows) + 2 * BUBBLE_PADDING
        head = foot - len(rows) * LINE_HEIGHT - BUBBLE_PADDING
        left = MARGIN if colour == THEIRS else SIDE - MARGIN - width
        draw.rounded_rectangle((left, head, left + width, foot), radius=BUBBLE_PADDING, fill=colour)
        for number, row in enumerate(rows):
            place = (left + BUBBLE_PADDING, head + BUBBLE_PADDING // 2 + number * LINE_HEIGHT)
            draw.text(place, row, font=_font(), fill=INK)
        foot = head - BUBBLE_PADDING
        if foot < BANNER_HEIGHT:
            break
    draw.rectangle((0, 0, SIDE, BANNER_HEIGHT), fill=BANNER)
    draw.text((MARGIN, BUBBLE_PADDING // 2), "chat", font=_font(), fill=BACKGROUND)
    return np.asarray(canvas).copy()


def _wrap(text: str, width: int) -> list[str]:
    """Rows of at most `width` pixels; a word longer than a row is cut."""
    rows = [""]
    for word in "".join(c if c.isprintable() else "?" for c in text).split():
        longer = f"{rows[-1]} {word}".strip()
        if _font().getlength(longer) <= width:
            rows[-1] = longer
            continue
        while _font().getlength(word) > width:
            fits = next(n for n in range(len(word), 0, -1) if _font().getlength(word[:n]) <= width)
            rows.append(word[:fits])
            word = word[fits:]
        rows.append(word)
    return [row for row in rows if row]
