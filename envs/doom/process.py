"""Doom runs in a process of its own. Here it starts, leaves nothing behind, and its death becomes an error.

Left alone, Doom writes folders into the current directory, and outlives a Python that is killed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import vizdoom

from opengato.envs.doom.scenarios import TICS_PER_STEP, config
from opengato.errors import SimulatorDied

PICTURE = (192, 256)  # rows, columns: Doom's 4:3, and whole blocks of the agent's 64 × 64
# Asks the kernel to kill Doom with the one that started it (PR_SET_PDEATHSIG), then becomes Doom.
LEASH = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
CRASHES = (
    vizdoom.ViZDoomErrorException,
    vizdoom.ViZDoomIsNotRunningException,
    vizdoom.ViZDoomUnexpectedExitException,
    vizdoom.MessageQueueException,
    vizdoom.SharedMemoryException,
)


class DoomDied(SimulatorDied):
    """Doom's process ended though nobody closed it; the next `reset` starts another one."""


@contextlib.contextmanager
def alive(scenario: str) -> Iterator[None]:
    """Turns ViZDoom's exceptions about a dead process into `DoomDied`."""
    try:
        yield
    except CRASHES as reason:
        raise DoomDied(
            f"the Doom process of scenario {scenario!r} died ({type(reason).__name__}: {str(reason).strip()}). "
            "Next: `reset` starts another one; if it dies again, look at the machine's memory and at /dev/shm."
        ) from reason


class Launch:
    """A `DoomGame` and the folder that its process runs in.

    Args:
        scenario: a name in `scenarios()`.

    Attributes:
        game: set up after the scenario's file, and not yet started.
    """

    def __init__(self, scenario: str) -> None:
        self.game = game = vizdoom.DoomGame()
        self.folder = Path(tempfile.mkdtemp(prefix="opengato-doom-"))
        self._end = weakref.finalize(self, _end, game, self.folder)
        game.set_doom_config_path(str(self.folder / "vizdoom.ini"))
        game.load_config(str(config(scenario)))
        game.set_mode(vizdoom.Mode.PLAYER)
        game.set_window_visible(False)
        game.set_sound_enabled(False)
        game.set_audio_buffer_enabled(False)
        game.set_automap_buffer_enabled(False)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_256X192)
        game.set_notifications_buffer_size(TICS_PER_STEP)
        # For demonstrators; they cost nothing that could be measured.
        game.set_objects_info_enabled(True)
        game.set_sectors_info_enabled(True)
        script = self._script()
        if script:
            game.set_vizdoom_path(str(script))

    def _script(self) -> Path | None:
        """A script that starts Doom in the folder and on a leash; None where scripts can't be run."""
        script = self.folder / "doom.sh"
        doom = str(Path(vizdoom.__file__).parent / "vizdoom")
        leash = [sys.executable, "-I", "-S", "-c", LEASH] if sys.platform == "linux" else []
        folder = shlex.quote(str(self.folder))
        script.write_text(f'#!/bin/sh\ncd {folder} || exit 1\nexec {shlex.join([*leash, doom])} "$@"\n')
        script.chmod(0o700)
        return script if os.access(script, os.X_OK) and Path("/bin/sh").exists() else None

    def close(self) -> None:
        """End Doom and remove its folder."""
        self._end()


def _end(game: vizdoom.DoomGame, folder: Path) -> None:
    """In this order: Doom writes into its folder when it ends."""
    game.close()
    shutil.rmtree(folder, ignore_errors=True)
