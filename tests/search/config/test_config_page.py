"""The page about the config is what its script writes, and shows what a config accepts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from search.config import SearchConfig

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "config.md"


def test_the_page_is_what_its_script_writes() -> None:
    command = "import write_config; print(write_config.page(), end='')"
    done = subprocess.run([sys.executable, "-c", command], cwd=DOCS, capture_output=True, text=True, check=True)
    assert done.stdout == PAGE.read_text(encoding="utf-8"), "run python docs/write_config.py"


def test_its_example_is_a_config_and_its_keys_are_all_that_a_run_writes_down() -> None:
    text = PAGE.read_text(encoding="utf-8")
    example, searched = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert list(SearchConfig.from_dict(yaml.safe_load(searched)).hyperparameters)
    values = SearchConfig.from_dict(yaml.safe_load(example)).to_dict()
    for section, settings in values.items():
        for key in settings if isinstance(settings, dict) and settings and section != "constraints" else (section,):
            assert f"| `{key}` |" in text or section == "data", (section, key)
