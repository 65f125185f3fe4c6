"""The wiring pictures are those of the example, and nothing in them overlaps the edge."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from gpiozero import pi_info

from agent.config.config_file import read_config
from agent.config.pins import pin_table

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs/images"
LETTER = 8.0  # no letter of the small print is wider


def drawing_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", IMAGES / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAM = drawing_program()


@pytest.mark.parametrize("name", PROGRAM.PICTURES)
def test_a_picture_is_fresh(name):
    made = PROGRAM.PICTURES[name]()
    assert (IMAGES / name).read_text() == made, "run: python docs/images/draw.py"


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


@pytest.mark.parametrize("name", PROGRAM.PICTURES)
def test_no_text_runs_over_the_edge(name):
    drawing = ElementTree.parse(IMAGES / name).getroot()
    width, height = map(float, drawing.attrib["viewBox"].split()[2:])
    for text in drawing.iter("{http://www.w3.org/2000/svg}text"):
        length = len(text.text or "") * LETTER * 0.8
        x, look = float(text.attrib["x"]), text.attrib.get("class", "").split()
        begin = x - length if "end" in look else x - length / 2 if "mid" in look else x
        assert 0 <= begin <= begin + length <= width, text.text
        assert 0 < float(text.attrib["y"]) <= height, text.text
