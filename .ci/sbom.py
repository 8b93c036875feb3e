"""Writes the bill of materials of a lock as CycloneDX 1.6: every package, its version, its hashes.

python .ci/sbom.py requirements.lock >dist/readsmith.cdx.json

Equal locks give equal files: no time and no random serial number is in them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?: ; (.+?))?(?= --hash| *$)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main() -> None:
    """Print the bill of the lock that is named first."""
    lock = Path(sys.argv[1]).read_text(encoding="utf-8")
    sys.path.insert(0, str(ROOT))
    from shared import __version__  # noqa: PLC0415 - found only once the path is set

    sys.stdout.write(json.dumps(bill(lock, __version__), indent=2) + "\n")


def bill(lock: str, version: str) -> dict[str, Any]:
    """Return the document; raises ValueError for a line that is no pin."""
    lines = re.sub(r"\\\n\s*", "", lock).splitlines()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "readsmith",
                "name": "readsmith",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(line) for line in lines if line and not line.startswith("#")],
    }


def _component(line: str) -> dict[str, Any]:
    pin = PIN.match(line)
    if pin is None:
        raise ValueError(f"not a pinned package: {line[:100]!r}")
    name, version, marker = pin.groups()
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    # The lock names a hash for each file of a release: which of them is installed differs by
    # platform, so they are properties of the package, not hashes of one file.
    properties = [{"name": "readsmith:sha256", "value": each} for each in HASH.findall(line)]
    if marker:
        properties.append({"name": "readsmith:where", "value": marker})
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": properties,
    }


if __name__ == "__main__":
    main()
