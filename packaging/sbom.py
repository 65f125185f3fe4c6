"""The bill of materials of what is installed on a charge point, as CycloneDX 1.6 (JSON).

    python packaging/sbom.py FILE

It is made from the lock file alone, so the same lock gives the same file.
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from locked import RUN, Pin, pins

ROOT = Path(__file__).parents[1]
_NAMESPACE = uuid.UUID("3f0c6f1e-5d0e-4b0c-8f5c-5a2f6f0f1b16")


def bill_of_materials(lock: Path = RUN) -> dict[str, Any]:
    """The document for this version of the agent."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    agent = _reference(project["name"], project["version"])
    parts = sorted(pins(lock), key=lambda pin: pin.name)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, agent + lock.read_text())}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": agent,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": agent,
            }
        },
        "components": [_component(pin) for pin in parts],
        # Who asks for whom is not in the lock: the agent stands for all.
        "dependencies": [
            {"ref": agent, "dependsOn": [_reference(pin.name, pin.version) for pin in parts]}
        ],
    }


def _component(pin: Pin) -> dict[str, Any]:
    reference = _reference(pin.name, pin.version)
    marker = pin.requirement.marker
    return {
        "type": "library",
        "bom-ref": reference,
        "name": pin.name,
        "version": pin.version,
        "purl": reference,
        # One for each wheel of this version: each Python and processor has its own.
        "hashes": [{"alg": "SHA-256", "content": one} for one in sorted(pin.hashes)],
        "properties": [{"name": "chargepoint-agent:marker", "value": str(marker or "")}],
    }


def _reference(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill_of_materials(), indent=2) + "\n")
    print(target)
