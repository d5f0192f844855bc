"""A LLaMA that fits into a test: random weights, a byte-level tokenizer of about 300 tokens, and text."""

import json
import pathlib
import random

import numpy as np
from safetensors.numpy import save_file

HIDDEN, LAYERS, HEADS, KV_HEADS, INTERMEDIATE, CONTEXT = 64, 2, 4, 2, 128, 512
SPECIAL_TOKEN = "<|endoftext|>"
WORDS = ("the of and in to was is for on as with by that it at from are were had has this which or an "
         "first new two one their after over between under world city river station season music").split()


def byte_alphabet():
    """GPT-2's printable stand-in for every byte, in byte order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    stand_ins, extra = {byte: chr(byte) for byte in printable}, 256
    for byte in range(256):
        if byte not in stand_ins:
            stand_ins[byte] = chr(extra)
            extra += 1
    return [stand_ins[byte] for byte in range(256)]


def merges():
    """Merges that build the words' first two letters, with and without the space before them."""
    pairs = []
    for word in WORDS:
        for pair in [("Ġ", word[0]), ("Ġ" + word[0], word[1])] if len(word) > 1 else []:
            if pair not in pairs:
                pairs.append(pair)
    return pairs


def tokenizer():
    """tokenizer.json, and the number of tokens."""
    tokens = [SPECIAL_TOKEN, *byte_alphabet(), *("".join(pair) for pair in merges())]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 0, "content": SPECIAL_TOKEN, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": False, "vocab": {token: id for id, token in enumerate(tokens)},
                  "merges": [list(pair) for pair in merges()]},
    }
    return content, len(tokens)


def config(vocab_size):
    """config.json."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False,
        "mlp_bias": False, "hidden_act": "silu", "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HIDDEN // HEADS,
        "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "rope_scaling": None, "tie_word_embeddings": True, "vocab_size": vocab_size,
        "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 0,
    }


def tensors(vocab_size):
    """Random weights by Hugging Face name."""
    generator = np.random.default_rng(7)

    def matrix(rows, columns):
        return (generator.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    head = HIDDEN // HEADS
    shapes = {
        "self_attn.q_proj": (HIDDEN, HIDDEN), "self_attn.k_proj": (KV_HEADS * head, HIDDEN),
        "self_attn.v_proj": (KV_HEADS * head, HIDDEN), "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (INTERMEDIATE, HIDDEN), "mlp.up_proj": (INTERMEDIATE, HIDDEN),
        "mlp.down_proj": (HIDDEN, INTERMEDIATE),
    }
    ones = np.ones(HIDDEN, np.float32)
    result = {"model.embed_tokens.weight": matrix(vocab_size, HIDDEN), "model.norm.weight": ones}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        result[prefix + "input_layernorm.weight"] = ones
        result[prefix + "post_attention_layernorm.weight"] = ones
        for name, shape in shapes.items():
            result[f"{prefix}{name}.weight"] = matrix(*shape)
    return result


def write_model(folder, change_tensors=None, change_config=None):
    """Writes the model into `folder` and returns it; the two functions may plant faults first."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    tokenizer_content, vocab_size = tokenizer()
    weights, settings = tensors(vocab_size), config(vocab_size)
    if change_tensors:
        change_tensors(weights)
    if change_config:
        change_config(settings)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_content))
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def write_text(path, words, seed):
    """Writes `words` random words in lines and returns the path."""
    chooser = random.Random(seed)
    lines = (" ".join(chooser.choices(WORDS, k=12)).capitalize() + " ." for _ in range(words // 12))
    path = pathlib.Path(path)
    path.write_text("\n".join(lines) + "\n")
    return path
