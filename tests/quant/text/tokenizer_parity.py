"""Compares the project's tokenizer with PyPI's `tokenizers` (and `sentencepiece`), id by id.

usage: tokenizer_parity.py PATH_OF_SASQ_TOKENIZE

Trains small tokenizers of the kinds that the model families use, encodes a large, varied text with
both sides, and fails at the first difference. Exits with 77 (skipped) where `tokenizers` is missing.
Everything is generated from fixed seeds.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

try:
    import tokenizers
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
except ImportError:
    print("skipped: the Python package `tokenizers` is missing; set SASQ_PYTHON to a Python with it")
    sys.exit(77)

try:
    import sentencepiece
except ImportError:
    sentencepiece = None

ENCODE_TIMEOUT_SECONDS = 120  # for about 2 MB; a second in practice, hours if anything were quadratic

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
          r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

ENGLISH = """The quick brown fox doesn't jump over the lazy dog; it's 1,234.56 metres (3½ km?) away.
"We'll see," she said -- they'd VE'RE'd and I'M'd it. It'S '’s don’t 'ſ naïve coöperation; résumé!

int main(int argc, char** argv) {\n\tfor (int i = 0; i < 1000000; ++i) { x[i] += 0x1F * y; }\n}
def f(self, *args):\r\n    return {"key": [1, 22, 333, 4444], 'b': None}  # https://example.org/?q=a%20b
"""

SCRIPTS = [  # first and last code point to draw letters from
    (0x61, 0x7A), (0x41, 0x5A), (0xC0, 0x17F), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA),
    (0x620, 0x64A), (0x905, 0x939), (0x995, 0x9B9), (0xE01, 0xE2E), (0x10D0, 0x10F0),
    (0x1100, 0x11F9), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x4FFF), (0xAC00, 0xAD00),
    (0x10400, 0x1044F), (0x1F600, 0x1F64F), (0x1E900, 0x1E943), (0x2460, 0x24FF),
]
SPACES = [" ", " ", " ", "  ", "   ", "\n", "\n\n", " \n", "\t", "\r\n", "\u00a0", "\u3000", "\u2009", "\x85",
          "\u180e", "\u200b", "\x0b", "\x0c", "\x1c", "\u2028", "        \n    "]
MARKS = ["\u0301", "\u0323", "\u0308\u0301", "\u0340\u0315", "\u093c", "\u3099", "\u0345", "\u309a"]
EMOJI = ["👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽", "❤️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]


def words(rng, count):
    """Words of many scripts, with digits, punctuation, marks, emoji and odd spaces between them."""
    out = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.70:
            low, high = rng.choice(SCRIPTS[:3] if rng.random() < 0.4 else SCRIPTS)
            word = "".join(chr(rng.randint(low, min(high, low + 12))) for _ in range(rng.randint(1, 7)))
            if rng.random() < 0.1:
                word += rng.choice(["'s", "'T", "'re", "'LL", "'d", "’s", "'ſ", "'K"])
            if rng.random() < 0.1:
                word += "".join(rng.choice(MARKS) for _ in range(rng.randint(1, 4)))
            if rng.random() < 0.1:
                word = word.capitalize()
        elif kind < 0.82:
            word = str(rng.randint(0, 10 ** rng.randint(1, 12)))
        elif kind < 0.92:
            word = "".join(rng.choice("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~«»“”…—、。") for _ in range(rng.randint(1, 5)))
        else:
            word = rng.choice(EMOJI)
        out.append(word)
        if rng.random() < 0.85:
            out.append(rng.choice(SPACES))
    return "".join(out)


def every_character():
    """Every assigned character beside a letter, a digit, a space, punctuation and itself."""
    out = []
    for code in range(0x110000):
        c = chr(code)
        if unicodedata.category(c) not in ("Cn", "Cs", "Co"):
            out.append(f"a{c}1 {c}{c}.")
    return "".join(out)


def special_text(rng, tokens):
    """Added tokens against words, spaces and each other."""
    out = []
    for _ in range(4000):
        out.append(rng.choice(tokens))
        out.append(rng.choice(["", "", " ", "  \n", "x", "Ⓐ", "_", "é", "word ", " 12", "<|", "<|end", "\u200b"]))
    return "".join(out)


def train(normalizer, pre_tokenizer, byte_level=True, model=None, special=(), added=(), size=1200):
    tokenizer = Tokenizer(BPE(**(model or {})))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    rng = random.Random(1)
    corpus = [ENGLISH * 3] + [words(rng, 60) for _ in range(800)]
    alphabet = ({"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()} if byte_level
                else {"limit_alphabet": 150})
    trainer = BpeTrainer(vocab_size=size, show_progress=False, special_tokens=list(special),
                         max_token_length=16, **alphabet)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens(list(added))
    return tokenizer


def byte_tokens(count):
    return [f"<0x{byte:02X}>" for byte in range(count)]


def make_tokenizers():
    """Name to tokenizer, one for each family or rare option."""
    byte_level = pre_tokenizers.ByteLevel
    chat = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

    def split_then_bytes(pattern):
        return pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            byte_level(add_prefix_space=False, use_regex=False)])

    made = {
        "gpt2": train(None, byte_level(add_prefix_space=False), special=chat[:1]),
        "prefix_space": train(None, byte_level(add_prefix_space=True), special=chat, added=[
            AddedToken("<mask>", lstrip=True, normalized=False),
            AddedToken("<end>", rstrip=True, normalized=False),
            AddedToken("<both>", lstrip=True, rstrip=True, normalized=False),
            AddedToken("tok", single_word=True, normalized=False),
            AddedToken("<|end", normalized=False),
        ]),
        "llama3": train(None, split_then_bytes(LLAMA3), model={"ignore_merges": True}, special=chat),
        "qwen2": train(normalizers.NFC(), split_then_bytes(QWEN2), special=chat, added=[
            AddedToken("é!", normalized=True), AddedToken("  ", normalized=True)]),
        "tekken": train(None, split_then_bytes(TEKKEN), special=chat),
        "smollm": train(None, pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True), byte_level(add_prefix_space=False)]), special=chat),
        "deepseek": train(normalizers.Sequence([]), pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex("[\r\n]"), behavior="isolated"),
            pre_tokenizers.Split(Regex(r"\s?\p{L}+"), behavior="isolated"),
            pre_tokenizers.Split(Regex(r"\s?\p{P}+"), behavior="isolated"),
            pre_tokenizers.Split(Regex("[一-龥ࠀ-一가-퟿]+"), behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=False),
            byte_level(add_prefix_space=False, use_regex=False)]), special=chat),
        "behaviors": train(None, pre_tokenizers.Sequence([
            pre_tokenizers.Split("\n", behavior="removed"),
            pre_tokenizers.Split(Regex(r"\p{P}"), behavior="merged_with_previous"),
            pre_tokenizers.Split(Regex(r"\d"), behavior="merged_with_next"),
            pre_tokenizers.Split(Regex(r"\S+"), behavior="contiguous", invert=True),
            pre_tokenizers.Split(Regex(r"\p{S}+"), behavior="removed"),
            byte_level(add_prefix_space=False, use_regex=False)])),
        "llama2": train(
            normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
            pre_tokenizers.Split("▁", behavior="merged_with_next"), byte_level=False,
            model={"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True},
            special=["<unk>", "<s>", "</s>"] + byte_tokens(256), size=1500),
        "metaspace_first": train(
            None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), byte_level=False,
            model={"unk_token": "<unk>", "fuse_unk": False, "byte_fallback": True},
            special=["<unk>", "<s>"] + byte_tokens(200), size=900),
        "metaspace_always": train(
            None, pre_tokenizers.Metaspace(), byte_level=False,
            model={"unk_token": "<unk>", "fuse_unk": True}, special=["<unk>", "<s>"], size=900),
        "no_unknown": train(None, pre_tokenizers.Metaspace(prepend_scheme="never"), byte_level=False, size=700),
    }
    made["llama2"].pre_tokenizer = pre_tokenizers.Sequence([])  # the whole text is one word
    return made


def save(tokenizer, folder, legacy_merges):
    """Writes tokenizer.json, merges as pairs or as the older "left right" strings."""
    spec = json.loads(tokenizer.to_str())
    if legacy_merges:
        spec["model"]["merges"] = [" ".join(pair) for pair in spec["model"]["merges"]]
    if spec["pre_tokenizer"] == {"type": "Sequence", "pretokenizers": []}:
        spec["pre_tokenizer"] = None
    path = os.path.join(folder, "tokenizer.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file, ensure_ascii=False)
    return Tokenizer.from_file(path)


def ours(program, folder, text):
    path = os.path.join(folder, "text.txt")
    with open(path, "wb") as file:
        file.write(text.encode())
    result = subprocess.run([program, folder, path], capture_output=True, timeout=ENCODE_TIMEOUT_SECONDS)
    if result.returncode != 0:
        raise SystemExit(f"sasq-tokenize failed: {result.stderr.decode()}")
    return [int(line) for line in result.stdout.split()]


def check(name, text_name, want, got, describe):
    if want == got:
        print(f"{name:18} {text_name:10} {len(want):8} ids equal", flush=True)
        return
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    raise SystemExit(f"{name} on {text_name}: {len(want)} ids wanted, {len(got)} got, first difference at {at}: "
                     f"want {want[at - 2:at + 6]}, got {got[at - 2:at + 6]}; {describe(at)}")


def compare_json(program, texts):
    for name, trained in make_tokenizers().items():
        with tempfile.TemporaryDirectory() as folder:
            theirs = save(trained, folder, legacy_merges=name in ("gpt2", "smollm"))
            tokens = [t.content for t in theirs.get_added_tokens_decoder().values()] or ["<s>"]
            for text_name, text in {**texts, "special": special_text(random.Random(3), tokens)}.items():
                encoding = theirs.encode(text, add_special_tokens=False)

                def describe(at):
                    begin, end = encoding.offsets[min(at, len(encoding.offsets) - 1)]
                    return f"near {text[max(0, begin - 10):end + 10]!r}"

                check(name, text_name, encoding.ids, ours(program, folder, text), describe)


def compare_sentencepiece(program, texts):
    if sentencepiece is None:
        print("not compared: SentencePiece models (the Python package `sentencepiece` is missing)")
        return
    rng = random.Random(4)
    corpus = ENGLISH.splitlines() + [words(rng, 30).replace("\n", " ") for _ in range(500)]
    options = {"llama": {"remove_extra_whitespaces": False, "byte_fallback": True},
               "default": {"remove_extra_whitespaces": True, "byte_fallback": False},
               "no prefix": {"add_dummy_prefix": False, "remove_extra_whitespaces": False}}
    for name, kind in options.items():
        with tempfile.TemporaryDirectory() as folder:
            sentencepiece.SentencePieceTrainer.Train(
                sentence_iterator=iter(corpus), model_prefix=os.path.join(folder, "tokenizer"),
                vocab_size=1000, model_type="bpe", character_coverage=0.98, minloglevel=2,
                normalization_rule_name="identity", user_defined_symbols=["<|im_start|>", "xx"], **kind)
            processor = sentencepiece.SentencePieceProcessor(os.path.join(folder, "tokenizer.model"))
            for text_name, text in texts.items():
                text += " <|im_start|>user  axxb<s>" if len(text) > 1 else ""
                check(f"sp {name}", text_name, processor.encode(text), ours(program, folder, text), lambda at: "")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(f"tokenizers {tokenizers.__version__}, Unicode {unicodedata.unidata_version}")
    texts = {
        "words": ENGLISH * 20 + words(random.Random(2), 60000),
        "every": every_character(),
        "runs": "a" * 200000 + " " * 200000 + "\n" * 1000 + "9" * 100000 + "x" + "\u0301\u0315\u0323" * 20000,
        "tiny": " ",
        "empty": "",
    }
    compare_json(sys.argv[1], texts)
    compare_sentencepiece(sys.argv[1], texts)
    print("all equal")


if __name__ == "__main__":
    main()
