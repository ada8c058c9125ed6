"""Write golden_presets.json, every field of every preset: `python -m tests.golden_presets` after a wanted change."""

import json
from pathlib import Path

from atari_dqn.presets import PRESETS

GOLDEN = Path(__file__).with_suffix(".json")


def current():
    """As the file has it, by preset and field."""
    return {name: json.loads(json.dumps(preset("pong").flat())) for name, preset in PRESETS.items()}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
