"""Videos: frames go to an H.264 encoder one by one, with task, step, reward and success drawn in.

Nothing but the frame at hand is held in memory. Every file plays in a browser (yuv420p, index in front) and is kept
short: at most `MAX_SECONDS` and about `MAX_BYTES`, by playing faster.
"""

from __future__ import annotations

import math
import subprocess
import warnings
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from opengato.errors import OpengatoError
from opengato.evaluation.overlay import draw_status, draw_turn
from opengato.evaluation.transcript import Turn, first_picture, texts

if TYPE_CHECKING:
    from gymnasium import Env

    from opengato.evaluation.rollout import Outcome

MAX_SECONDS = 16.0
MAX_BYTES = 1_500_000
MAX_FPS = 25.0
TURN_SECONDS = 1.8  # how long one exchange of text stays on the screen


@dataclass(frozen=True)
class Clip:
    """A finished recording: the video file, its poster (JPEG), pixels, seconds and how many times real time it
    plays.
    """

    path: str
    poster: str
    width: int
    height: int
    seconds: float
    speed: float

    def as_dict(self, outcome: Outcome) -> dict[str, Any]:
        """As JSON values, with what the episode came to."""
        facts: dict[str, Any] = {
            "seed": outcome.seed,
            "return": outcome.total_return,
            "length": outcome.length,
            "success": outcome.success,
        }
        return {**asdict(self), **facts}


def join(clips: list[dict[str, Any]]) -> dict[str, Any]:
    """One clip out of several of one size, played one after another; the files that went into it are removed.

    Clips of text are a second or two each; a few of them together are worth watching.

    Args:
        clips: as `Clip.as_dict` gives them, at least one.
    """
    import imageio_ffmpeg

    first = Path(clips[0]["path"])
    if len(clips) == 1:
        return clips[0]
    listing, joined = first.with_suffix(".txt"), first.with_suffix(".joined.mp4")
    lines = [f"file '{Path(clip['path']).name}'" for clip in clips]
    listing.write_text("\n".join(lines), encoding="utf-8")  # relative to itself; our names need no quoting
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "concat", "-safe", "0"]
    command += ["-i", str(listing), "-c", "copy", "-movflags", "+faststart", str(joined)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise OpengatoError(f"the video encoder failed to join clips: {error}") from error
    finally:
        listing.unlink(missing_ok=True)
    joined.replace(first)
    for clip in clips[1:]:
        remove(clip)
    successes = [clip["success"] for clip in clips if clip["success"] is not None]
    return {
        **clips[0],
        "seconds": sum(clip["seconds"] for clip in clips),
        "return": float(np.mean([clip["return"] for clip in clips])),
        "length": sum(clip["length"] for clip in clips),
        "success": all(successes) if successes else None,
        "joined": len(clips),
    }


def remove(clip: dict[str, Any]) -> None:
    """Delete a clip's files."""
    for key in ("path", "poster"):
        Path(clip[key]).unlink(missing_ok=True)


class Recorder(Protocol):
    """Records one episode."""

    def begin(self, env: Env[Any, Any], observation: Any) -> None: ...

    def step(self, env: Env[Any, Any], seen: Any, outcome: Outcome, turn: Turn | None, over: bool) -> None: ...

    def finish(self) -> Clip | None: ...

    def discard(self) -> None: ...


@dataclass(frozen=True)
class Film:
    """What to record: the first `count` episodes of a task, as `folder/stem-<index>.mp4`.

    Args:
        folder: where the files go; made if missing.
        stem: start of the file names.
        task: drawn into the picture.
        count: episodes to record.
        text: the task's action is text: the recording shows turns.
    """

    folder: Path
    stem: str
    task: str
    count: int
    text: bool = False

    def open(self, env: Env[Any, Any], index: int, seed: int, max_steps: int | None) -> Recorder:
        """A recorder for one episode."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.stem}-{index}.mp4"
        if self.text:
            return TurnRecorder(path, self.task)
        native = float(env.metadata.get("render_fps") or MAX_FPS)
        return MotionRecorder(path, self.task, native, known_limit(env, max_steps))


class MotionRecorder:
    """Records a moving body in real time.

    Nobody knows how long an episode will be, and drawing may cost more than stepping. So the longer it lasts, the fewer
    steps are drawn: after `MAX_SECONDS` every second frame, after twice that every fourth; a frame stays on until the
    next. The writer speeds up what came out too long.

    Args:
        path: the MP4 to write.
        task: drawn into the picture.
        native_fps: control steps a second.
        steps: the episode's limit, for the line of progress; None if unknown.
    """

    def __init__(self, path: Path, task: str, native_fps: float, steps: int | None) -> None:
        self.path, self.task, self.steps = path, task, steps
        self.stride = max(1, math.ceil(native_fps / MAX_FPS))  # steps a frame
        self.fps = native_fps / self.stride
        self.writer: Mp4Writer | None = None
        self.blind = False
        self.told = ""  # a mission in words, if the observation holds one

    def begin(self, env: Env[Any, Any], observation: Any) -> None:
        self.told = " ".join(texts(observation))
        self._frame(env, None)

    def step(self, env: Env[Any, Any], seen: Any, outcome: Outcome, turn: Turn | None, over: bool) -> None:
        if self.blind or (outcome.length % self.stride and not over):
            return
        frame = outcome.length // self.stride
        thinned = 1 << max(0, int(frame / self.fps / MAX_SECONDS)).bit_length()
        if frame % thinned == 0 or over:
            self._frame(env, outcome)
        elif self.writer is not None:
            self.writer.repeat()

    def finish(self) -> Clip | None:
        if self.writer is None:
            return None
        self.writer.hold(0.8)  # so that the end is seen
        return self.writer.close()

    def discard(self) -> None:
        if self.writer is not None:
            self.writer.discard()

    def _frame(self, env: Env[Any, Any], outcome: Outcome | None) -> None:
        picture = as_picture(env.render())
        if picture is None:
            self.blind = True
            warnings.warn(f"{self.task} draws no picture (render() gave None), so it has no video", stacklevel=2)
            return
        frame = draw_status(picture, self.task, self.steps, outcome, self.told)
        if self.writer is None:
            self.writer = Mp4Writer(self.path, frame.shape[1], frame.shape[0], self.fps)
        self.writer.write(frame)


class TurnRecorder:
    """Records a conversation or a caption: each turn is a still with what was asked, said and right."""

    FPS = 5.0

    def __init__(self, path: Path, task: str) -> None:
        self.path, self.task = path, task
        self.writer: Mp4Writer | None = None

    def begin(self, env: Env[Any, Any], observation: Any) -> None:
        """Nothing to show before the first answer."""

    def step(self, env: Env[Any, Any], seen: Any, outcome: Outcome, turn: Turn | None, over: bool) -> None:
        assert turn is not None, "a text task gives a turn every step"
        frame = draw_turn(as_picture(first_picture(seen)), self.task, turn)
        if self.writer is None:
            self.writer = Mp4Writer(self.path, frame.shape[1], frame.shape[0], self.FPS)
        self.writer.write(frame)
        self.writer.hold(TURN_SECONDS)

    def finish(self) -> Clip | None:
        return self.writer.close() if self.writer is not None else None

    def discard(self) -> None:
        if self.writer is not None:
            self.writer.discard()


class Mp4Writer:
    """Streams RGB frames of one size into an H.264 file; the file appears under its name when it is complete.

    Args:
        path: the MP4 to write.
        width, height: pixels, even.
        fps: frames a second.

    Raises:
        OpengatoError: the encoder does not start.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float) -> None:
        import imageio_ffmpeg

        self.path, self.width, self.height, self.fps = path, width, height, fps
        self.part = path.with_suffix(".part.mp4")
        self.count = 0
        self.last: np.ndarray | None = None
        options = ["-crf", "25", "-preset", "veryfast", "-threads", "1", "-movflags", "+faststart"]
        self.stream: Generator[None, Any, None] = imageio_ffmpeg.write_frames(
            str(self.part),
            (width, height),
            fps=fps,
            codec="libx264",
            pix_fmt_in="rgb24",
            pix_fmt_out="yuv420p",
            quality=None,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=options,
        )
        try:
            self.stream.send(None)
        except (OSError, RuntimeError) as error:
            raise OpengatoError(
                f"the video encoder does not start: {error}. Next: pip install imageio-ffmpeg"
            ) from error

    def write(self, frame: np.ndarray) -> None:
        """Append a frame, uint8 [height, width, 3]."""
        self.last = np.ascontiguousarray(frame, dtype=np.uint8)
        self.stream.send(self.last)
        self.count += 1

    def repeat(self) -> None:
        """Show the last frame once more."""
        self.stream.send(self.last)
        self.count += 1

    def hold(self, seconds: float) -> None:
        """Repeat the last frame."""
        for _ in range(round(seconds * self.fps)):
            self.repeat()

    def close(self) -> Clip:
        """Finish the file and its poster; shorten or shrink a file that came out too long or too large."""
        self.stream.close()
        seconds, faster = self.count / self.fps, 1.0
        if seconds > MAX_SECONDS + 2.0 or self.part.stat().st_size > MAX_BYTES:
            faster = max(1.0, seconds / MAX_SECONDS)
            self._encode_again(faster)
        self.part.replace(self.path)
        poster = self.path.with_suffix(".jpg")
        assert self.last is not None
        Image.fromarray(self.last).save(poster, quality=80, optimize=True)
        return Clip(str(self.path), str(poster), self.width, self.height, seconds / faster, round(faster, 2))

    def discard(self) -> None:
        """Throw the unfinished file away."""
        self.stream.close()
        self.part.unlink(missing_ok=True)

    def _encode_again(self, faster: float) -> None:
        import imageio_ffmpeg

        spare = self.path.with_suffix(".again.mp4")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(self.part), "-an"]
        command += ["-vf", f"setpts=PTS/{faster:.6f}", "-r", f"{self.fps:.6f}", "-c:v", "libx264", "-crf", "29"]
        rate = int(8 * MAX_BYTES / MAX_SECONDS * 0.9)
        command += ["-maxrate", str(rate), "-bufsize", str(2 * rate), "-preset", "veryfast", "-threads", "1"]
        command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", str(spare)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            spare.unlink(missing_ok=True)
            warnings.warn(f"{self.path.name} stays long: the encoder's second pass failed: {error}", stacklevel=2)
            return
        spare.replace(self.part)


def known_limit(env: Env[Any, Any], max_steps: int | None) -> int | None:
    """The shortest limit of an episode that the environment or the user states, in steps; None if neither does."""
    limits = [max_steps, getattr(env.unwrapped, "max_steps", None)]
    layer: Any = env
    while layer is not None:
        limits.append(getattr(layer, "_max_episode_steps", None))
        layer = getattr(layer, "env", None)
    if env.spec is not None:
        limits.append(env.spec.max_episode_steps)
    found = [limit for limit in limits if isinstance(limit, int) and limit > 0]
    return min(found, default=None)


def as_picture(rendered: Any) -> np.ndarray | None:
    """What `render()` gave as uint8 [height, width, 3], or None if it is no picture."""
    if isinstance(rendered, list):
        rendered = rendered[-1] if rendered else None
    if not isinstance(rendered, np.ndarray) or rendered.dtype != np.uint8 or rendered.ndim not in (2, 3):
        return None
    if rendered.ndim == 2:
        rendered = rendered[..., None]
    return np.repeat(rendered[..., :1], 3, axis=-1) if rendered.shape[-1] in (1, 2) else rendered[..., :3]
