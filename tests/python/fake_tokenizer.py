"""A tokenizer of one token per character, for tests of what comes before it."""

from dataclasses import dataclass


@dataclass
class FakeInfo:
    architecture: str = "llama"
    chat_template: str = ""
    bos_text: str = "<s>"
    eos_text: str = "</s>"
    add_bos: bool = True
    bos: int = 1


class FakeTokenizer:
    """Ids from 1000 are characters; a few control tokens are below."""

    special = [
        "<unk>",
        "<s>",
        "</s>",
        "<|im_start|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|eot_id|><|eot_id|>",
        "<|user|>",
    ]

    def __init__(self, keys=None, **info) -> None:
        self.info = FakeInfo(**info)
        self.keys = keys or {}

    def metadata(self):
        return self.keys

    def tokenize(self, text, add_special=True, parse_special=True):
        ids = [1] if add_special and self.info.add_bos else []
        while text:
            for i in reversed(range(len(self.special))):
                if parse_special and text.startswith(self.special[i]):
                    ids.append(i)
                    text = text[len(self.special[i]) :]
                    break
            else:
                ids.append(1000 + ord(text[0]))
                text = text[1:]
        return ids

    def detokenize(self, tokens, special=False):
        return "".join(chr(i - 1000) if i >= 1000 else self.special[i] if special else "" for i in tokens)

    def counts(self, ids):
        return {self.special[i]: ids.count(i) for i in sorted(set(ids)) if i < 1000}
