"""Run the benchmarks, one process each: `python benchmarks/run.py [NAME ...]`; without names, all of them."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
# It installs other SDKs: `make bench-peers`.
APART = "peers"


def main() -> int:
    """Run what is named; 1 if one of them ended with trouble."""
    known = {path.parent.name: path for path in sorted(FOLDER.glob("*/bench.py"))}
    names = sys.argv[1:] or [name for name in known if name != APART]
    unknown = set(names) - set(known)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = [name for name in names if subprocess.run([sys.executable, str(known[name])], check=False).returncode]
    print("failed: " + ", ".join(failed) if failed else f"{len(names)} benchmarks done")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
