"""opengato: one transformer with one set of weights that acts, captions and talks in every body it has a spec for."""

from pathlib import Path

__version__ = "0.1.0"

# In a checkout the folders envs/, agent/, … stand beside this package; in a wheel they stand inside it.
_here = Path(__file__).resolve().parent
if not (_here / "envs").is_dir():
    __path__.append(str(_here.parent))
