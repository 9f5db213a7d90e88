"""What `import pennon.kafka` costs those who have not installed everything."""

import subprocess
import sys


def test_import_needs_none_of_the_extras() -> None:
    """Neither confluent-kafka, nor OpenTelemetry, nor anything of the server is loaded."""
    script = """
import sys
import pennon.kafka
heavy = {"confluent_kafka", "opentelemetry", "asyncio", "httpx", "fastapi", "pydantic", "sqlalchemy", "pytest"}
print(*sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "" == found.stdout.strip()
