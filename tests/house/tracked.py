"""The files of the project as git tracks them, or as they lie there when it is no checkout."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = {".venv", ".git", ".make", "node_modules", "build", "dist", "site", "static", "__pycache__"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that belongs to the project, new ones that are not ignored included."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        paths = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not BUILT & set(path.relative_to(ROOT).parts)]
    return tuple(path for path in sorted(paths) if path.is_file())


def python(folder: str) -> list[Path]:
    """Python files below `folder` of the project."""
    return [path for path in tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / folder)]


def name(path: Path) -> str:
    """Path as it is written in a message."""
    return str(path.relative_to(ROOT))
