"""Compares the project's chat prompts with what Jinja renders, byte by byte.

usage: chat_template_parity.py PATH_OF_SASQ_CHAT_PROMPT PATH_OF_SASQ_TOKENIZE MODEL_FOLDER

Renders with jinja2 in the environment that transformers' apply_chat_template makes (sandboxed,
trim_blocks, lstrip_blocks; see transformers.utils.chat_template_utils). The templates are of every
family that is known, and that of MODEL_FOLDER if it is there; the model's prompts are compared as
token ids too. Exits with 77 (skipped) without jinja2.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jinja2
    import jinja2.ext
    import jinja2.sandbox
except ImportError:
    print("skipped: the Python package `jinja2` is missing; set SASQ_PYTHON to a Python with it")
    sys.exit(77)

try:
    import tokenizers
except ImportError:
    tokenizers = None

MESSAGES = [
    "What is the capital of France?",
    "  Two lines,\n\nwith blanks at both ends and a tab.\t\n",
    "It's \"quoted\" {{ and }} braced {% so %} what? \\n Zażółć gęślą jaźń, 你好 👋",
    "<|im_end|> [/INST] <|user|> inside",
]

CHATML = """{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

CHATML_SYSTEM = """{# <|im_start|>system\\nnot this one<|im_end|>\\n #}
{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- "<|im_start|>system\\nYou're a model that isn't there: say \\"no\\".<|im_end|>\\n" }}
{%- endif %}
{%- for m in messages %}
    {%- if m.role != 'system' %}
        {{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

CHATML_RAW = """{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system
Written outside.<|im_end|>
{% endif %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

LLAMA3 = """{% for m in messages %}{% set text = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + \
m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set text = bos_token + text %}{% endif %}\
{{ text }}{% endfor %}{% if add_generation_prompt %}\
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""

LLAMA31 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- "<|eot_id|>" }}
{%- for m in messages %}
    {{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

LLAMA2 = """{% for m in messages %}{% if m['role'] == 'user' %}\
{{ bos_token + '[INST] ' + m['content'].strip() + ' [/INST]' }}{% else %}\
{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

MISTRAL_SPACED = """{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}\
{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}"""

MISTRAL_HALF_SPACED = MISTRAL_SPACED.replace("' [/INST]'", "'[/INST]'")
MISTRAL_TIGHT = MISTRAL_HALF_SPACED.replace("'[INST] '", "'[INST]'")

ZEPHYR = """{% for m in messages %}
{% if m['role'] == 'user' %}
{{ '<|user|>\\n' + m['content'] + eos_token }}
{% elif m['role'] == 'system' %}
{{ '<|system|>\\n' + m['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

TEMPLATES = {
    "ChatML": CHATML, "ChatML with a system message": CHATML_SYSTEM,
    "ChatML outside of literals": CHATML_RAW, "Llama 3": LLAMA3, "Llama 3.1": LLAMA31,
    "Llama 2": LLAMA2, "Mistral": MISTRAL_SPACED, "Mistral, one space": MISTRAL_HALF_SPACED,
    "Mistral, no space": MISTRAL_TIGHT, "Zephyr": ZEPHYR,
}


def render(folder, message):
    """The prompt as Jinja has it."""
    config = json.loads((folder / "tokenizer_config.json").read_text())
    messages = [{"role": "user", "content": message}]
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    names = {name: config[name] for name in ("bos_token", "eos_token") if name in config}
    return environment.from_string(config["chat_template"]).render(
        messages=messages, add_generation_prompt=True, **names)


def check(chat_prompt, folder, name):
    """Compares every message's prompt; returns how many were."""
    for message in MESSAGES:
        path = folder.parent / "message.txt"
        path.write_bytes(message.encode())
        got = subprocess.run([chat_prompt, folder, path], check=True, capture_output=True).stdout.decode()
        want = render(folder, message)
        if got != want:
            sys.exit(f"{name}: the prompt of {message!r} is\n{got!r}, want\n{want!r}")
    return len(MESSAGES)


def check_model(chat_prompt, tokenize, model, scratch):
    """The same for a real model's folder, and the token ids of its prompts."""
    folder = scratch / "model"
    folder.mkdir()
    for name in ("tokenizer_config.json", "tokenizer.json"):
        (folder / name).symlink_to(model / name)
    count = check(chat_prompt, folder, str(model.name))
    if tokenizers is None:
        return count
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for message in MESSAGES:
        prompt = render(folder, message)
        (scratch / "prompt.txt").write_bytes(prompt.encode())
        lines = subprocess.run([tokenize, folder, scratch / "prompt.txt"], check=True, capture_output=True)
        got = [int(line) for line in lines.stdout.split()]
        want = tokenizer.encode(prompt, add_special_tokens=False).ids
        if got != want:
            sys.exit(f"the tokens of {prompt!r} are {got}, want {want}")
        if want[0] != tokenizer.token_to_id("<|im_start|>"):
            sys.exit(f"{prompt!r} does not begin with a special token: {want}")
    return count


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    chat_prompt, tokenize, model = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        count = 0
        for number, (template_name, template) in enumerate(TEMPLATES.items()):
            folder = scratch / str(number)
            folder.mkdir()
            (folder / "tokenizer_config.json").write_text(json.dumps(
                {"chat_template": template, "bos_token": "<s>", "eos_token": "</s>"}))
            count += check(chat_prompt, folder, template_name)
        if (model / "tokenizer_config.json").exists():
            count += check_model(chat_prompt, tokenize, model, scratch)
        else:
            print(f"{model} is not there: no real template was compared")
    print(f"{count} prompts are equal")


if __name__ == "__main__":
    main()
