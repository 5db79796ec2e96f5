"""`python -m opengato.envs.manipulation FILE`: what dm_control lists, as the registry reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dm_control.manipulation.shared import registry


def main() -> None:
    found = {name.replace("_", "-"): {"name": name} for name in registry.get_all_names()}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
