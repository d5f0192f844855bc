"""Python's safetensors reads the scale pack, and the documented digest can be recomputed."""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

from safetensors import safe_open

KINDS = ["qkv_in", "o_in", "gate_up_in", "down_in"]
LAYERS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        with safe_open(pathlib.Path(folder) / "scales.safetensors", framework="np") as pack:
            names = [f"prefill.layers.{i}.{kind}" for i in range(LAYERS) for kind in KINDS]
            smoothed = [f"smoothing.layers.{i}.qkv_in" for i in range(LAYERS)]
            assert sorted(pack.keys()) == sorted(names + smoothed), pack.keys()
            scales = [pack.get_tensor(name) for name in names]
            factors = [pack.get_tensor(name) for name in smoothed]
            metadata = pack.metadata()
        manifest = json.loads((pathlib.Path(folder) / "manifest.json").read_text())
        for entry in manifest["files"]:
            content = (pathlib.Path(folder) / entry["file_name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry

    for index, scale in enumerate(scales):
        assert scale.dtype == "float32" and scale.shape == (1,), (scale.dtype, scale.shape)
        assert scale[0] == (index + 1) / 8, (names[index], scale)

    for layer, values in enumerate(factors):
        assert values.dtype == "float32" and values.tolist() == [0.25, 1, layer + 1], values
    assert metadata["smoothed_sites"] == ",".join(f"layers.{i}.qkv_in" for i in range(LAYERS))

    content_sha256 = metadata.pop("content_sha256")
    digest = hashlib.sha256()
    for key in sorted(metadata, key=str.encode):
        digest.update(f"{key}={metadata[key]}\n".encode())
    for values in scales + factors:
        digest.update(values.astype("<f4").tobytes())
    assert digest.hexdigest() == content_sha256
    assert json.loads(metadata["spec"])["model"]["uri"] == "file:/m/ü"
    print(f"read {len(names)} scales and {len(metadata) + 1} metadata entries")


if __name__ == "__main__":
    main()
