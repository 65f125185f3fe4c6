"""The wiring pictures are fresh, show the pins of the example, and no text is cut or covered."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from pathlib import Path
from types import ModuleType

import pytest
from gpiozero import pi_info

from agent.config.config_file import read_config
from agent.config.pins import pin_table

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs/images"
LETTER = 8.0  # no letter of the small print is wider
LINE = 12.0  # from one base line to the next, at least


def drawing_program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, IMAGES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PICTURES = drawing_program("draw").PICTURES | drawing_program("draw_boxes").PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_fresh(name):
    made = PICTURES[name]()
    assert (IMAGES / name).read_text() == made, "run: docs/images/draw.py and draw_boxes.py"


def test_the_header_shows_every_pin_of_the_example_where_it_is():
    text = (IMAGES / "header.svg").read_text()
    for bcm, _ in pin_table(read_config(ROOT / "config.example.toml")):
        assert f">BCM {bcm}: " in text


def test_a_pin_stands_beside_its_number():
    lines = (IMAGES / "header.svg").read_text().splitlines()
    pins = pi_info("a02082").headers["J8"].pins
    pairs = 0
    for line, after in pairwise(lines):
        label = re.search(r">BCM (\d+)", line)
        number = re.search(r">(\d+)</text>", after)
        if label and number:
            pairs += 1
            assert f"BCM{label[1]}" in pins[int(number[1])].names
    assert pairs == 28


Place = tuple[float, float, float, str]  # begin, end, base line


def texts(name: str) -> list[Place]:
    """Every text with where it stands, as wide as it may become."""
    found = []
    for text in ElementTree.parse(IMAGES / name).iter("{http://www.w3.org/2000/svg}text"):
        look = text.attrib.get("class", "").split()
        length = len(text.text or "") * LETTER * 0.8
        x = float(text.attrib["x"])
        begin = x - length if "end" in look else x - length / 2 if "mid" in look else x
        found.append((begin, begin + length, float(text.attrib["y"]), text.text or ""))
    return found


@pytest.mark.parametrize("name", [*PICTURES, "wiring.svg"])
def test_no_text_runs_over_the_edge(name):
    drawing = ElementTree.parse(IMAGES / name).getroot()
    width, height = map(float, drawing.attrib["viewBox"].split()[2:])
    for begin, end, y, words in texts(name):
        assert 0 <= begin <= end <= width, words
        assert 0 < y <= height, words


@pytest.mark.parametrize("name", [*PICTURES, "wiring.svg"])
def test_no_text_stands_on_another(name):
    for one, other in combinations(texts(name), 2):
        is_beside = one[1] <= other[0] or other[1] <= one[0]
        assert is_beside or abs(one[2] - other[2]) >= LINE, (one[3], other[3])
