"""One look at a task: what it senses and does, and a picture from some steps into a demonstration."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from opengato.agent.spec import Feature, Spec
from opengato.evaluation.rollout import FIRST_SEED
from opengato.evaluation.transcript import first_picture, texts
from opengato.evaluation.video import as_picture
from opengato.tasks import registry

PICTURES = "pictures"
STEPS, SECONDS = 25, 3.0  # of the demonstration before the picture, whichever ends first
WIDTH, HEIGHT = 240, 200  # at most
Facts = dict[str, Any]


def visit(job: dict[str, Any]) -> Facts:
    """A worker's job.

    Args:
        job: `task`, `out` (the gallery's folder), `plugins`.

    Returns:
        `observation` and `action`: a dict per feature; `said`: what the observation said in words; `picture`: whether
        one was written; or `failed`: why not.
    """
    env = None
    try:
        registry.load_plugins(job["plugins"])
        card = registry.get(job["task"])
        env = card.make(evaluation=True)
        if env.render_mode != "rgb_array" and "rgb_array" in env.metadata.get("render_modes", ()):
            env.close()
            env = card.make(evaluation=True, render_mode="rgb_array")
        spec, units = Spec.from_env(env), getattr(env.unwrapped, "units", {})
        seen, picture = _demonstration(env, card)
        if picture is not None:
            _write(picture, picture_file(Path(job["out"]), card.id))
        return {
            "observation": [_feature(each, units) for each in spec.observation],
            "action": [_feature(each, units) for each in spec.action],
            "said": " ".join(texts(seen))[:200],
            "picture": picture is not None,
        }
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"[:300]}
    finally:
        if env is not None:
            with contextlib.suppress(Exception):
                env.close()


def picture_file(out: Path, task: str) -> Path:
    """Where a task's picture is."""
    return out / PICTURES / f"{task.replace('/', '--')}.jpg"


def _demonstration(env: Any, card: Any) -> tuple[Any, np.ndarray | None]:
    """What is seen, in the environment's terms and as a picture, after some steps of the demonstrator; where the
    episode ends before, the picture before its end."""
    seen, _ = env.reset(seed=FIRST_SEED)
    picture = _picture(env, seen)
    demonstrator = card.make_demonstrator()
    if demonstrator is None or Spec.from_env(env).text_action:
        return seen, picture
    demonstrator.reset(env)
    began = time.monotonic()
    try:
        for _ in range(STEPS):
            seen, _, terminated, truncated, _ = env.step(demonstrator.act(seen))
            if terminated or truncated or time.monotonic() - began > SECONDS:
                break
            picture = _picture(env, seen)
    finally:
        getattr(demonstrator, "close", lambda: None)()
    return seen, picture


def _picture(env: Any, seen: Any) -> np.ndarray | None:
    rendered = as_picture(env.render()) if env.render_mode == "rgb_array" else None
    if rendered is not None and rendered.any():
        return rendered
    found = first_picture(seen)
    return None if found is None else as_picture(found)


def _write(picture: np.ndarray, file: Path) -> None:
    image = Image.fromarray(picture)
    scale = min(WIDTH / image.width, HEIGHT / image.height)
    sharp = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    image.resize((round(image.width * scale), round(image.height * scale)), sharp).save(file, quality=80, optimize=True)


def _feature(feature: Feature, units: Any) -> Facts:
    """A feature for people: name, kind, shape, range, unit and frame."""
    known = units.get(feature.path, ())
    unit, frame = (known[0] if len(known) > 0 else feature.unit, known[1] if len(known) > 1 else feature.frame)
    span = ""
    if feature.size and feature.bounded:
        low, high = min(feature.low), max(feature.high)
        span = f"{low:g} … {high:g}"
    return {
        "name": feature.path or "(the whole)", "kind": feature.kind, "shape": list(feature.shape), "range": span,
        "unit": unit, "frame": frame,
    }  # fmt: skip
