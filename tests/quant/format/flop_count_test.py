"""FLOPs counted from shapes (quant/format/flop_count.h) are those that LibTorch's own counter sees.

A LLaMA in plain PyTorch runs under torch.utils.flop_counter: forward, backward to the activations
alone (scale training) and backward to the weights too (weight training). Scale training must be
about 4 N a token and weight training about 6 N, with N the weights of the linears.

usage: flop_count_test.py PRINT_FLOP_COUNTS
"""

import json
import subprocess
import sys

try:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
except ImportError as error:
    print(f"skipped: {error}; install tests/requirements.txt into .deps/venv")
    sys.exit(77)

HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 192, 512, 4, 6, 2, 32
VOCABULARY, TOKENS = 320, 24


class Layer(torch.nn.Module):
    """One decoder layer; norms' gains and rotary positions cost nothing that is counted."""

    def __init__(self):
        super().__init__()

        def linear(inputs, outputs):
            return torch.nn.Linear(inputs, outputs, bias=False)

        self.q, self.k, self.v = (
            linear(HIDDEN, heads * HEAD_DIM) for heads in (HEADS, KV_HEADS, KV_HEADS)
        )
        self.o = linear(HEADS * HEAD_DIM, HIDDEN)
        self.gate, self.up = linear(HIDDEN, INTERMEDIATE), linear(HIDDEN, INTERMEDIATE)
        self.down = linear(INTERMEDIATE, HIDDEN)

    def forward(self, hidden, scales):
        def heads(x, count):
            x = x.view(TOKENS, count, HEAD_DIM).transpose(0, 1)
            return x.repeat_interleave(HEADS // count, dim=0)

        x = torch.nn.functional.rms_norm(hidden, (HIDDEN,)) * scales[0]
        q, k, v = heads(self.q(x), HEADS), heads(self.k(x), KV_HEADS), heads(self.v(x), KV_HEADS)
        scores = torch.bmm(q, k.transpose(1, 2)) / HEAD_DIM**0.5
        mask = torch.full((TOKENS, TOKENS), -torch.inf).triu(1)
        attended = torch.bmm(torch.softmax(scores + mask, dim=-1), v)
        attended = attended.transpose(0, 1).reshape(TOKENS, HEADS * HEAD_DIM)
        hidden = hidden + self.o(attended * scales[1])
        x = torch.nn.functional.rms_norm(hidden, (HIDDEN,)) * scales[2]
        product = torch.nn.functional.silu(self.gate(x)) * self.up(x)
        return hidden + self.down(product * scales[3])


def run(train: str) -> int:
    """FLOPs of one pass: "nothing", "scales" or "weights"."""
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))
    layers.requires_grad_(train == "weights")
    # One scale for each site stands for fake quantization: its gradient wants the activations'.
    scales = torch.ones(LAYERS, 4, requires_grad=train != "nothing")
    head = torch.randn(VOCABULARY, HIDDEN)
    hidden = torch.randn(TOKENS, HIDDEN)
    with FlopCounterMode(display=False) as counter:
        for index, layer in enumerate(layers):
            hidden = layer(hidden, scales[index])
        logits = torch.nn.functional.rms_norm(hidden, (HIDDEN,)) @ head.T
        if train != "nothing":
            torch.logsumexp(logits, dim=-1).mean().backward()
    return counter.get_total_flops()


def main() -> None:
    sizes = [HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY, TOKENS]
    output = subprocess.run(
        [sys.argv[1], *map(str, sizes)], check=True, capture_output=True, text=True
    ).stdout
    ours = json.loads(output)
    # Plain products of whole matrices compute both halves of the causal square.
    half = 2 * TOKENS**2 * HEADS * HEAD_DIM * LAYERS
    per_token = ours["parameters"] * TOKENS
    rows = [
        ("forward", "nothing", half, 2),
        ("scale_step", "scales", 3 * half, 4),
        ("weight_step", "weights", 3 * half, 6),
    ]
    for name, train, masked, factor in rows:
        counted = run(train)
        print(
            f"{name}: {ours[name]:,} from shapes, {counted:,} counted, of which {masked:,} masked; "
            f"{ours[name] / per_token:.2f} N a token"
        )
        assert counted == ours[name] + masked, name
        # Attention and the output layer come on top: here some 10%.
        assert factor <= ours[name] / per_token < 1.2 * factor, name


if __name__ == "__main__":
    main()
