#!/usr/bin/env python3
"""Converts a GGUF file of the LLaMA architecture into a plain Hugging Face folder.

usage: convert_gguf.py FILE.gguf FOLDER

Writes model.safetensors (bfloat16, de-quantized), config.json, tokenizer.json, tokenizer_config.json
and generation_config.json. Needs gguf, ml_dtypes, numpy and safetensors.
"""

import json
import pathlib
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from ml_dtypes import bfloat16
from safetensors.numpy import save_file

LINEARS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL_TOKEN = 3  # tokenizer.ggml.token_type of special tokens


def hugging_face_name(name):
    """The Hugging Face name of a GGUF tensor."""
    top = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    if name in top:
        return top[name]
    _, layer, kind, suffix = name.split(".")
    return f"model.layers.{layer}.{LINEARS[kind]}.{suffix}"


def split_rope_halves(weight, head_count):
    """Undoes GGUF's interleaving of the rows of q and k: Hugging Face rotates the two halves."""
    head_rows = weight.shape[0] // head_count
    grouped = weight.reshape(head_count, head_rows // 2, 2, weight.shape[1])
    return grouped.swapaxes(1, 2).reshape(weight.shape)


def read_tensors(reader, head_count, kv_head_count):
    """The tensors in bfloat16, by Hugging Face name."""
    heads = {"attn_q": head_count, "attn_k": kv_head_count}
    tensors = {}
    for tensor in reader.tensors:
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        parts = tensor.name.split(".")
        if len(parts) == 4 and parts[2] in heads:
            weight = split_rope_halves(weight, heads[parts[2]])
        tensors[hugging_face_name(tensor.name)] = np.ascontiguousarray(weight, dtype=bfloat16)
    return tensors


def model_config(field, tied):
    """config.json of a LLaMA model."""
    arch = field("general.architecture")
    head_count = field(f"{arch}.attention.head_count")
    hidden_size = field(f"{arch}.embedding_length")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "hidden_act": "silu",
        "hidden_size": hidden_size,
        "intermediate_size": field(f"{arch}.feed_forward_length"),
        "num_hidden_layers": field(f"{arch}.block_count"),
        "num_attention_heads": head_count,
        "num_key_value_heads": field(f"{arch}.attention.head_count_kv"),
        "head_dim": hidden_size // head_count,
        "max_position_embeddings": field(f"{arch}.context_length"),
        "rms_norm_eps": round(float(field(f"{arch}.attention.layer_norm_rms_epsilon")), 12),
        "rope_theta": float(field(f"{arch}.rope.freq_base")),
        "rope_scaling": None,
        "tie_word_embeddings": tied,
        "vocab_size": int(field(f"{arch}.vocab_size")),
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "initializer_range": 0.041666666666666664,
        "bos_token_id": int(field("tokenizer.ggml.bos_token_id")),
        "eos_token_id": int(field("tokenizer.ggml.eos_token_id")),
        "pad_token_id": int(field("tokenizer.ggml.eos_token_id")),
    }


def tokenizer_json(field):
    """tokenizer.json of a byte-level BPE with SmolLM's pre-tokenizer."""
    tokens = field("tokenizer.ggml.tokens")
    types = field("tokenizer.ggml.token_type")
    special = [
        {
            "id": index,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for index, (token, kind) in enumerate(zip(tokens, types))
        if kind == CONTROL_TOKEN
    ]
    byte_level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {**byte_level, "add_prefix_space": False},
            ],
        },
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in field("tokenizer.ggml.merges")],
        },
    }


def convert(source, folder):
    """Converts `source` into `folder`, config.json last: a folder with one is complete."""
    reader = GGUFReader(source)

    def field(key):
        if key not in reader.fields:
            sys.exit(f"{source} has no field {key}: not a GGUF file of the LLaMA architecture")
        return reader.fields[key].contents()

    if field("general.architecture") != "llama":
        sys.exit(f"{source} is of the architecture {field('general.architecture')}, want llama")
    folder.mkdir(parents=True, exist_ok=True)
    head_count = field("llama.attention.head_count")
    tensors = read_tensors(reader, head_count, field("llama.attention.head_count_kv"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    tokens = field("tokenizer.ggml.tokens")
    config = model_config(field, tied="lm_head.weight" not in tensors)
    files = {
        "tokenizer.json": tokenizer_json(field),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[config["bos_token_id"]],
            "eos_token": tokens[config["eos_token_id"]],
            "pad_token": tokens[config["pad_token_id"]],
            "model_max_length": config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
            "chat_template": field("tokenizer.chat_template"),
        },
        "generation_config.json": {
            "_from_model_config": True,
            "bos_token_id": config["bos_token_id"],
            "eos_token_id": config["eos_token_id"],
            "pad_token_id": config["pad_token_id"],
        },
        "config.json": config,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    print(f"{folder}: {len(tensors)} tensors")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(sys.argv[1], pathlib.Path(sys.argv[2]))
