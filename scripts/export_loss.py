#!/usr/bin/env python3
"""Measures an export with a real client: the mean loss of windows of a text, in nats per token.

usage: export_loss.py FOLDER --text FILE [--layout plain|wikitext-rows] [--engine transformers|vllm]
                      [--window-tokens N] [--windows N] [--dtype float32|bfloat16] [--scale-factor X]

The text is tokenized as one, without a beginning-of-sequence token, and windows are spread evenly over
it, as in the service's own evaluation. Prints one line of JSON. transformers needs the packages of
tests/requirements-serving.txt, vllm its own environment (docs/serving.md).
"""

import argparse
import json
import math
import pathlib
import re
import sys


def read_text(path, layout):
    """The text of a file, in a layout of the service (TextLayout in job_spec.proto)."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if layout == "plain":
        return text
    return "\n\n".join(line if line.strip() else "" for line in re.findall(r"[^\n]*\n|[^\n]+", text))


def windows_of(folder, text, window_tokens, window_count):
    """Windows of tokens of the text, evenly spaced."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    tokens = tokenizer.encode(text, add_special_tokens=False).ids
    available = len(tokens) // window_tokens
    if available == 0:
        sys.exit(f"the text has {len(tokens)} tokens, fewer than a window of {window_tokens}")
    count = min(window_count, available)
    starts = [i * available // count * window_tokens for i in range(count)]
    return [tokens[start:start + window_tokens] for start in starts]


def transformers_losses(folder, windows, dtype, scale_factor):
    """Mean loss of each window. `scale_factor` multiplies every static scale first."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    scaled = 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("input_scale"):
                parameter.mul_(scale_factor)
                scaled += 1
        losses = []
        for window in windows:
            logits = model(torch.tensor([window])).logits[0, :-1].float()
            losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(window[1:])).item())
    return losses, {"static_scales": scaled}


def vllm_losses(folder, windows, dtype):
    """Mean loss of each window, from the log probabilities of the prompt."""
    import vllm

    engine = vllm.LLM(model=str(folder), dtype=dtype, max_model_len=len(windows[0]) + 1, enforce_eager=True,
                      enable_prefix_caching=False)
    answers = engine.generate([{"prompt_token_ids": window} for window in windows],
                              vllm.SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=0))
    losses = []
    for window, answer in zip(windows, answers, strict=True):
        found = [-answer.prompt_logprobs[i][window[i]].logprob for i in range(1, len(window))]
        losses.append(sum(found) / len(found))
    return losses, {"vllm": vllm.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--text", required=True)
    parser.add_argument("--layout", choices=["plain", "wikitext-rows"], default="plain")
    parser.add_argument("--engine", choices=["transformers", "vllm"], default="transformers")
    parser.add_argument("--window-tokens", type=int, default=2048)
    parser.add_argument("--windows", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--scale-factor", type=float, default=1.0)
    options = parser.parse_args()
    text = read_text(options.text, options.layout)
    windows = windows_of(options.folder, text, options.window_tokens, options.windows)
    if options.engine == "vllm":
        losses, facts = vllm_losses(options.folder, windows, options.dtype)
    else:
        losses, facts = transformers_losses(options.folder, windows, options.dtype, options.scale_factor)
    mean = sum(losses) / len(losses)
    print(json.dumps({"mean_loss": mean, "perplexity": math.exp(mean), "window_losses": losses,
                      "tokens": sum(len(window) - 1 for window in windows), **facts}))


if __name__ == "__main__":
    main()
