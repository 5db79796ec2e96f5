"""Captioning one's own pictures: any folder in the format of COCO captions (cocodataset.org, "Data format")."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image

from opengato.errors import OpengatoError

from .text import same_words, shorten, split_of, word_overlap, words
from .turns import IMAGE_SIDE, Turn, TurnTask, image_space

MAX_CAPTION = 96  # characters, as of the captions that ship; longer ones are cut between words


class CocoCaptionTask(TurnTask):
    """One picture, one step: the answer is a caption.

    Observation: `image`, uint8 [64, 64, 3], the whole picture, squeezed to a square. The truth of an episode is one of
    the picture's captions. Reward: the best unigram F1 with any of them. Success: the very words of one, in order.
    Test split: a tenth of the pictures, by a hash of the file's name.

    Args:
        annotations: JSON file with `images` (`id`, `file_name`) and `annotations` (`image_id`, `caption`).
        pictures: folder of the pictures; by default the one that the file lies in.
        split: `train` or `test`.
        render_mode: `rgb_array` or None.

    Raises:
        OpengatoError: the file is no such JSON, or the split has no picture that is there.
    """

    def __init__(
        self, annotations: str | Path, pictures: str | Path | None = None, split: str = "train",
        render_mode: str | None = "rgb_array",
    ) -> None:  # fmt: skip
        super().__init__(spaces.Dict({"image": image_space()}), MAX_CAPTION, split, render_mode)
        path = Path(annotations)
        folder = path.parent if pictures is None else Path(pictures)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            names = {image["id"]: image["file_name"] for image in found["images"]}
            captions: dict[str, list[str]] = defaultdict(list)
            for annotation in found["annotations"]:
                text = shorten(annotation["caption"].strip(), MAX_CAPTION)
                if text and split_of(names[annotation["image_id"]]) == split:
                    captions[names[annotation["image_id"]]].append(text)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OpengatoError(
                f"{str(path)!r} is no file of COCO captions ({type(error).__name__}: {error}). "
                "Next: give a JSON file with "
                "images (id, file_name) and annotations (image_id, caption)."
            ) from None
        self._captions = sorted((folder / name, texts) for name, texts in captions.items() if (folder / name).is_file())
        if not self._captions:
            raise OpengatoError(
                f"no picture of the {split} split of {str(path)!r} lies in {str(folder)!r}. "
                "Next: pictures=<their folder>"
            )
        self._all: list[str] = []

    def __len__(self) -> int:
        """Pictures of the split."""
        return len(self._captions)

    def _draw(self, rng: np.random.Generator) -> Sequence[Turn]:
        path, self._all = self._captions[rng.integers(len(self._captions))]
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BOX)
        return [Turn({"image": np.asarray(small, np.uint8)}, self._all[rng.integers(len(self._all))])]

    def _score(self, answer: str, truth: str) -> tuple[float, bool, dict[str, Any]]:
        best = max(self._all, key=lambda text: word_overlap(answer, text)[0])
        f1, common = word_overlap(answer, best)
        more = {"attributes_right": common, "attributes": len(words(best)), "references": tuple(self._all)}
        return f1, any(same_words(answer, text) for text in self._all), more
