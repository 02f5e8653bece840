"""llama.cpp's flags that Sterna has no option for: accepted if they change nothing here, else refused by a
sentence that says what to use.

llama-cli, llama-bench and llama-perplexity share names, but not always values: `bench` is llama-bench's form.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NONE, _ANY, _MAYBE = "", ".*", "?"
NUMBER = r"auto|all|[+-]?[0-9][0-9.*+-]*"
SWITCH = r"on|off|auto|true|false|enabled|disabled|[0-9]+"
_IS_0, _IS_1, _IS_MINUS_1 = r"[+-]?0+(\.0*)?", r"\+?1(\.0*)?", r"-1(\.0*)?"
# Orders of samplers that are Sterna's, by names and by letters; those that are off may be anywhere.
_OFF = r"((dry|top[_-]n[_-]sigma|typ[_-]p|typical([_-]p)?|xtc|adaptive[_-]p)(;|$))*"
_ORDER = _OFF.join(
    ("", r"(penalties;)?", r"top[_-]k;", r"top[_-]p;", r"min[_-]p;", r"temp(erature)?(;|$)", "")
)
_LETTERS = "[dsyxa]*".join(("", "e?", "k", "p", "m", "t", ""))


class LlamaFlag(NamedTuple):
    names: str
    takes: str  # what its value is like: _NONE, _ANY, a pattern, or _MAYBE: a SWITCH may follow
    reason: str = ""  # for refusing it; "": accepted
    unless: str = ""  # the pattern of values with which it is accepted, being what Sterna does anyway
    bench: str = ""  # values in llama-bench, where it differs
    only: str = ""  # commands that refuse it; "": all
    note: str = ""  # what is said when it is accepted

    def value_in(self, command: str) -> str:
        """The pattern of each of the flag's values, which have commas between them; "" if it takes none."""
        return self.bench if command == "bench" and self.bench else self.takes

    def value_may_be_left_out(self, command: str) -> bool:
        return self.value_in(command) == _MAYBE

    def refusal(self, command: str, value: str | None) -> str:
        if not self.reason or (self.only and command not in self.only.split()):
            return ""
        parts = value.split(",") if value is not None else [""]
        return "" if self.unless and all(re.fullmatch(self.unless, part) for part in parts) else self.reason


_DOWNLOAD = "Sterna cannot download models yet; use -m FILE"
_DRAFT = "there are no draft models; --lookup guesses from repetitions, without changing the text"
_GRAMMAR = "answers cannot be constrained to a grammar or schema"
_ADAPTER = "adapters are not supported; merge it into the model and convert that"
_IMAGES = "Sterna reads and writes text only"
_AS_IN_FILE = "positions are encoded as the file says"
_ROPE = f"{_AS_IN_FILE}; leave it out"
_ONE = "a model has one sequence here; leave it out"
_SAMPLER = "this sampler is not here; there are --temp, --top-k, --top-p, --min-p and --repeat-penalty"
_SAMPLERS = "the order is penalties;top_k;top_p;min_p;temperature; leave it out"
_SERVER = "there is no server; `sterna run` and `sterna chat` run here"
_PINNING = "threads are not pinned; use taskset"
_TASK = "sterna perplexity computes perplexity only"
_FILE = "the session is not saved; leave it out"
_LOG = "messages go to standard error; use 2> FILE"
_AFFIXES = "what is around a message comes from the chat template; use --chat-template-file FILE"
_EMBEDDING = "there are no embeddings"
_CHAT = "use `sterna chat` for a conversation"

FLAGS = (
    # Where and how fast it runs: never what the result is.
    LlamaFlag("-ngl --gpu-layers --n-gpu-layers", NUMBER),
    LlamaFlag("-fa --flash-attn", _MAYBE, bench=SWITCH),
    LlamaFlag("--no-flash-attn", _NONE),
    LlamaFlag("-sm --split-mode", "none|layer|row|tensor"),
    LlamaFlag("-mg --main-gpu", NUMBER),
    LlamaFlag("-ts --tensor-split", _ANY),
    LlamaFlag("-ot --override-tensor", _ANY),
    LlamaFlag("-cmoe --cpu-moe", _NONE),
    LlamaFlag("-ncmoe --n-cpu-moe", NUMBER),
    LlamaFlag("-fit --fit", SWITCH),
    LlamaFlag("-fitt --fit-target -fitc --fit-ctx", NUMBER),
    LlamaFlag("-nkvo --no-kv-offload", _NONE, bench=SWITCH),
    LlamaFlag("-kvo --kv-offload", _NONE),
    LlamaFlag("-nopo --no-op-offload", _NONE, bench=SWITCH),
    LlamaFlag("--op-offload --no-host", _NONE),
    LlamaFlag("-nr --no-repack --repack", _NONE),
    LlamaFlag("-mmp --mmap", _NONE, bench=SWITCH),
    LlamaFlag("--no-mmap", _NONE),
    LlamaFlag("--mlock", _NONE),
    LlamaFlag("-dio --direct-io", _NONE, bench=SWITCH),
    LlamaFlag("-ndio --no-direct-io", _NONE),
    LlamaFlag("--numa", "distribute|isolate|numactl|disabled"),
    LlamaFlag("--check-tensors", _NONE),
    LlamaFlag("-ub --ubatch-size", NUMBER),
    LlamaFlag("-tb --threads-batch", NUMBER),
    LlamaFlag("--prio --poll --prio-batch --poll-batch --cpu-strict --cpu-strict-batch", NUMBER),
    LlamaFlag("-kvu --kv-unified -no-kvu --no-kv-unified --swa-full", _NONE),
    LlamaFlag("-dt --defrag-thold", NUMBER),
    LlamaFlag("--keep", NUMBER),
    LlamaFlag("--no-context-shift --offline", _NONE),
    LlamaFlag("-nocb --no-cont-batching", _NONE),
    LlamaFlag("--no-warmup --warmup", _NONE),
    LlamaFlag("--delay", NUMBER),
    LlamaFlag("-s --seed", NUMBER),
    LlamaFlag("-v --verbose", _NONE),
    LlamaFlag("--progress", _NONE),
    LlamaFlag("-dev --device", _ANY, "Sterna computes on CPUs only; leave it out", unless="none|cpu|CPU"),
    LlamaFlag("--list-devices", _NONE, "Sterna computes on CPUs only; see `sterna kernels`"),
    LlamaFlag("--rpc", _ANY, "Sterna computes on this machine only; leave it out"),
    LlamaFlag("-C --cpu-mask -Cb --cpu-mask-batch", _ANY, _PINNING, unless="(0[xX])?0+"),
    LlamaFlag("-Cr --cpu-range -Crb --cpu-range-batch", _ANY, _PINNING),
    # How it looks.
    LlamaFlag("--color", _MAYBE),
    LlamaFlag("-co --simple-io --no-color", _NONE),
    LlamaFlag("--no-perf --perf --show-timings --no-show-timings", _NONE),
    LlamaFlag("--log-disable --log-enable --log-prefix --log-timestamps --verbose-prompt", _NONE),
    LlamaFlag("-dkvc --dump-kv-cache", _NONE),
    LlamaFlag("--log-colors", _MAYBE),
    LlamaFlag("-lv --verbosity --log-verbosity", NUMBER),
    LlamaFlag("--log-file --logdir -ld", _ANY, _LOG),
    LlamaFlag("-sp --special", _NONE, "control tokens are not printed; leave it out"),
    # Conversations and templates.
    LlamaFlag("--jinja --spm-infill", _NONE),
    LlamaFlag("--no-jinja", _NONE, "chat templates are Jinja; leave it out"),
    LlamaFlag("-st --single-turn", _NONE),
    LlamaFlag("-no-cnv --no-conversation", _NONE, "use `sterna run` to continue a text", only="chat"),
    LlamaFlag("-i --interactive -if --interactive-first -ins --instruct", _NONE, _CHAT, only="run"),
    LlamaFlag("-cml --chatml", _NONE, "the chat template comes from the file; use --chat-template-file FILE"),
    LlamaFlag("-mli --multiline-input", _NONE, "a message is one line; leave it out"),
    LlamaFlag("--in-prefix --in-suffix", _ANY, _AFFIXES),
    LlamaFlag("--in-prefix-bos", _NONE, _AFFIXES),
    LlamaFlag("--reasoning-format", _ANY, "an answer is printed as it is; leave it out", unless="none|auto"),
    LlamaFlag(
        "--reasoning-budget",
        _ANY,
        "use --chat-template-kwargs '{\"enable_thinking\": false}'",
        unless=_IS_MINUS_1,
    ),
    LlamaFlag(
        "-rea --reasoning",
        _ANY,
        "use --chat-template-kwargs '{\"enable_thinking\": false}'",
        unless="auto|on",
    ),
    LlamaFlag("--context-shift", _NONE, "the context does not shift; `sterna chat` drops the oldest turns"),
    # Models from elsewhere, and what goes with a model.
    LlamaFlag("-hf -hfr --hf-repo -hff --hf-file -hfv -hfrv --hf-repo-v -hffv --hf-file-v", _ANY, _DOWNLOAD),
    LlamaFlag("-hft --hf-token -mu --model-url -dr --docker-repo", _ANY, _DOWNLOAD),
    LlamaFlag("-cl --cache-list", _NONE, _DOWNLOAD),
    LlamaFlag("-md --model-draft -hfd -hfrd --hf-repo-draft --spec-type -devd --device-draft", _ANY, _DRAFT),
    LlamaFlag(
        "--draft --draft-n --draft-max --draft-min --draft-n-min --draft-p-min --draft-p-split", _ANY, _DRAFT
    ),
    LlamaFlag(
        "-ngld --gpu-layers-draft -cd --ctx-size-draft -ctkd -ctvd -td --threads-draft", NUMBER, _DRAFT
    ),
    LlamaFlag("-lcs --lookup-cache-static -lcd --lookup-cache-dynamic", _ANY, _DRAFT),
    LlamaFlag("--lora --control-vector", _ANY, _ADAPTER),
    LlamaFlag(
        "--lora-scaled --control-vector-scaled --control-vector-layer-range --lora-base", _ANY, _ADAPTER
    ),
    LlamaFlag("-mm --mmproj -mmu --mmproj-url --image --audio", _ANY, _IMAGES),
    LlamaFlag("--override-kv", _ANY, "metadata cannot be overridden, but for --pre and --activation"),
    LlamaFlag("--rope-scaling", _ANY, _ROPE),
    LlamaFlag("--rope-scale --rope-freq-scale", _ANY, _ROPE, unless=rf"{_IS_0}|{_IS_1}", note=_AS_IN_FILE),
    LlamaFlag("--rope-freq-base --yarn-orig-ctx", _ANY, _ROPE, unless=_IS_0),
    LlamaFlag("--yarn-ext-factor --yarn-attn-factor", _ANY, _ROPE, unless=_IS_MINUS_1),
    LlamaFlag("--yarn-beta-slow --yarn-beta-fast", _ANY, _ROPE, unless=_IS_MINUS_1),
    LlamaFlag("-gan --grp-attn-n", _ANY, _ROPE, unless=_IS_1),
    LlamaFlag("-gaw --grp-attn-w", _ANY, _ROPE),
    # Sampling.
    LlamaFlag("--grammar --grammar-file -j --json-schema -jf --json-schema-file", _ANY, _GRAMMAR),
    LlamaFlag("--samplers", _ANY, _SAMPLERS, unless=_ORDER),
    LlamaFlag("--sampling-seq --sampler-seq", _ANY, _SAMPLERS, unless=_LETTERS),
    LlamaFlag("-bs --backend-sampling", _NONE, _SAMPLER),
    LlamaFlag("--typical --typical-p --tfs", _ANY, _SAMPLER, unless=_IS_1),
    LlamaFlag("--mirostat --presence-penalty --frequency-penalty", _ANY, _SAMPLER, unless=_IS_0),
    LlamaFlag("--mirostat-lr --mirostat-ent", _ANY, _SAMPLER),
    LlamaFlag("--dynatemp-range --xtc-probability --dry-multiplier", _ANY, _SAMPLER, unless=_IS_0),
    LlamaFlag("--dynatemp-exp --xtc-threshold --dry-base --dry-allowed-length", NUMBER),  # of what is off
    LlamaFlag("--dry-sequence-breaker", _ANY),
    LlamaFlag("--top-nsigma --top-n-sigma --adaptive-target", _ANY, _SAMPLER, unless=_IS_MINUS_1),
    LlamaFlag("--adaptive-decay", NUMBER),
    LlamaFlag("-l --logit-bias", _ANY, _SAMPLER),
    # Several sequences, servers, saved sessions, other programs' tasks.
    LlamaFlag("-np --parallel -ns --sequences", _ANY, _ONE, unless=_IS_1),
    LlamaFlag("-cb --cont-batching", _NONE, _ONE),
    LlamaFlag("-ps --p-split", _ANY, _ONE),
    LlamaFlag("--prompt-cache --slot-save-path --cache-reuse", _ANY, _FILE),
    LlamaFlag("--prompt-cache-all --prompt-cache-ro", _NONE, _FILE),
    LlamaFlag(
        "--host --port --api-key --api-key-file -to --timeout --threads-http -a --alias", _ANY, _SERVER
    ),
    LlamaFlag("--metrics --slots --props --no-webui --reranking --rerank", _NONE, _SERVER),
    LlamaFlag("--embedding --embeddings", _NONE, _EMBEDDING),
    LlamaFlag("-embd", _ANY, _EMBEDDING, unless=_IS_0),
    LlamaFlag("--pooling --embd-normalize --embd-output-format", _ANY, _EMBEDDING),
    LlamaFlag("-oe --output-err", _ANY, "results go to standard output only; leave it out", unless="none"),
    LlamaFlag("--ppl-stride", _ANY, "windows do not overlap; use --window N", unless=_IS_0),
    LlamaFlag("--ppl-output-type", _ANY, _TASK, unless=_IS_0),
    LlamaFlag("--perplexity", _NONE),
    LlamaFlag("--hellaswag --winogrande --multiple-choice --kl-divergence", _NONE, _TASK),
    LlamaFlag("--hellaswag-tasks --winogrande-tasks --multiple-choice-tasks", _ANY, _TASK),
    LlamaFlag("--kl-divergence-base --save-all-logits", _ANY, _TASK),
)
_BY_NAME = {name: flag for flag in FLAGS for name in flag.names.split()}


def find(name: str) -> LlamaFlag | None:
    return _BY_NAME.get(name)
