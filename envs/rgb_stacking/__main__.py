"""`python -m opengato.envs.rgb_stacking FILE`: the triplets that the packages list, as the registry reads them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from opengato.envs.rgb_stacking.env import RANDOM
from opengato.envs.rgb_stacking.scene import COLORS, training_objects, triplets


def describe() -> dict[str, dict[str, Any]]:
    """Per triplet its name in the packages and its objects; for the random one how many objects it is drawn from."""
    rows: dict[str, dict[str, Any]] = {
        name.replace("rgb_test_triplet", "triplet-"): {"triplet": name, **dict(zip(COLORS, ids, strict=True))}
        for name, ids in triplets().items()
    }
    rows[RANDOM] = {"triplet": RANDOM, "objects": len(training_objects())}
    return rows


def main() -> None:
    Path(sys.argv[1]).write_text(json.dumps(describe(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
