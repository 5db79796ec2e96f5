"""What is drawn into a video: a bar under the picture for moving bodies, a panel under it for text.

Fonts come from Pillow itself, so nothing is shipped and every machine draws the same.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from opengato.evaluation.transcript import Turn

if TYPE_CHECKING:
    from opengato.evaluation.rollout import Outcome

BAR = 48  # pixels
MISSION = 20  # pixels of the line under it for a mission in words
MIN_WIDTH, MAX_WIDTH = 320, 640  # pixels
TURN_SIZE = (480, 432)  # pixels of a still of text: width, height
INK, DIM, PAPER, TRACK = (240, 243, 250), (146, 156, 178), (15, 19, 30), (44, 51, 70)
GOOD, ACCENT, BAD = (72, 213, 151), (110, 158, 255), (255, 138, 128)


def draw_status(
    picture: np.ndarray, task: str, limit: int | None, outcome: Outcome | None, told: str = ""
) -> np.ndarray:
    """A frame: the picture with a bar below it that says task, step, reward so far and success.

    Args:
        picture: uint8 [H, W, 3].
        task: the task's id.
        limit: the episode's limit in steps, for the line of progress; None draws no line.
        outcome: the episode so far, None before its first step.
        told: a mission in words, on a line of its own.

    Returns:
        uint8 [H', W', 3], both sides even.
    """
    step, total = (outcome.length, outcome.total_return) if outcome else (0, 0.0)
    success = bool(outcome and outcome.success)
    image = _fit(picture)
    width, height = image.size
    frame = Image.new("RGB", (width, height + BAR + (MISSION if told else 0)), PAPER)
    frame.paste(image, (0, 0))
    draw = ImageDraw.Draw(frame)
    if told:
        draw.text((10, height + BAR), _shorten(told, _font(13), width - 20), font=_font(13), fill=ACCENT)
    draw.rectangle((0, height, width, height + 2), fill=TRACK)
    if limit:
        draw.rectangle((0, height, round(width * min(1.0, step / limit)), height + 2), fill=GOOD if success else ACCENT)
    small = _font(12)
    draw.text((10, height + 8), _shorten(task, _font(15), width - 110), font=_font(15), fill=INK)
    draw.text((10, height + 28), f"step {step}", font=small, fill=DIM)
    draw.text((width - 10, height + 28), f"reward {_number(total)}", font=small, fill=INK, anchor="ra")
    if success:
        draw.rounded_rectangle((width - 78, height + 7, width - 8, height + 25), 9, fill=GOOD)
        draw.text((width - 43, height + 16), "success", font=small, fill=PAPER, anchor="mm")
    return np.asarray(frame)


def draw_turn(picture: np.ndarray | None, task: str, turn: Turn) -> np.ndarray:
    """A still: the picture if there is one, what was asked, what the agent said, and the right answer where it differs.

    Returns:
        uint8 [432, 480, 3].
    """
    width, height = TURN_SIZE
    frame = Image.new("RGB", TURN_SIZE, PAPER)
    draw = ImageDraw.Draw(frame)
    top = 12
    if picture is not None:
        image = Image.fromarray(picture)
        scale = min(width / image.width, 240 / image.height)
        method = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
        image = image.resize((round(image.width * scale), round(image.height * scale)), method)
        frame.paste(image, ((width - image.width) // 2, 0))
        top = 250
    top = _paragraph(draw, top, task, DIM, 12, 1)
    lines = 2 if picture is not None else 7
    if turn.asked:
        top = _paragraph(draw, top, turn.asked, ACCENT, 20, lines)
    right = turn.right
    top = _paragraph(draw, top, turn.said or "(says nothing)", GOOD if right else INK, 23, 3)
    if turn.expected and not right:
        top = _paragraph(draw, top, f"truth: {turn.expected}", BAD, 16, 2)
    mark = "correct" if right else f"{turn.reward:.0%} correct"
    draw.text((width - 12, height - 12), mark, font=_font(13), fill=GOOD if right else DIM, anchor="rs")
    return np.asarray(frame)


def _fit(picture: np.ndarray) -> Image.Image:
    """The picture at a width worth watching; small ones keep their pixels square and sharp."""
    image = Image.fromarray(picture)
    if image.width < MIN_WIDTH:
        times = -(-MIN_WIDTH // image.width)
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    scale = min(1.0, MAX_WIDTH / image.width)
    width, height = (max(2, round(side * scale) // 2 * 2) for side in image.size)
    return image if (width, height) == image.size else image.resize((width, height), Image.Resampling.LANCZOS)


def _paragraph(
    draw: ImageDraw.ImageDraw, top: int, text: str, fill: tuple[int, int, int], size: int, lines: int
) -> int:
    """Write wrapped text, at most `lines` lines; returns where the next paragraph starts."""
    font, room = _font(size), TURN_SIZE[0] - 24
    rows: list[str] = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        if not rows[-1] or font.getlength(longer) <= room:
            rows[-1] = longer
        else:
            rows.append(word)
    if len(rows) > lines:
        rows = [*rows[: lines - 1], " ".join(rows[lines - 1 :])]
    for row in rows:
        draw.text((12, top), _shorten(row, font, room), font=font, fill=fill)
        top += round(size * 1.3)
    return top + 6


def _shorten(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)  # type: ignore[return-value]
