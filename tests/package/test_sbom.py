"""The bill of materials: valid CycloneDX, and the whole lock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from locked import RUN, pins

SCRIPT = RUN.parents[1] / "sbom.py"


def written(target: Path) -> str:
    subprocess.run([sys.executable, str(SCRIPT), str(target)], check=True, capture_output=True)
    return target.read_text()


def test_it_is_valid_cyclonedx_and_the_same_each_time(tmp_path: Path) -> None:
    text = written(tmp_path / "new" / "sbom.json")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert written(tmp_path / "again.json") == text


def test_a_document_that_is_not_cyclonedx_is_found(tmp_path: Path) -> None:
    document = json.loads(written(tmp_path / "sbom.json"))
    del document["components"][0]["name"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None


def test_it_names_each_package_of_the_lock_with_its_hashes(tmp_path: Path) -> None:
    document = json.loads(written(tmp_path / "sbom.json"))
    named = {
        (one["name"], one["version"]): {hash_["content"] for hash_ in one["hashes"]}
        for one in document["components"]
    }
    assert named == {(pin.name, pin.version): set(pin.hashes) for pin in pins(RUN)}
