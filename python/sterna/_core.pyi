"""The part of sterna that is written in C++. Use `import sterna`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, overload

import numpy
import numpy.typing
from numpy.typing import NDArray

def version() -> str: ...

class IsaInfo:
    """An instruction set compiled into this build."""

    @property
    def name(self) -> str: ...
    @property
    def requires(self) -> str:
        """The CPU features it needs, in words."""

    @property
    def supported(self) -> bool:
        """This machine can run it."""

    @property
    def active(self) -> bool:
        """Kernels come from this set or from one below it."""

    def __repr__(self) -> str: ...

class KernelInfo:
    """A kernel of this build."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def isa(self) -> str: ...
    @property
    def supported(self) -> bool:
        """This machine can run it."""

    @property
    def chosen(self) -> bool:
        """It is the built-in choice for its variant."""

    def __repr__(self) -> str: ...

class KernelTiming:
    """One kernel multiplying a matrix with a number of tokens."""

    @property
    def kernel(self) -> str: ...
    @property
    def n_tokens(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def gmac_per_s(self) -> float:
        """1e9 products per second."""

    @property
    def gb_per_s(self) -> float:
        """1e9 bytes of packed weights per second."""

    @property
    def chosen(self) -> bool:
        """In use for this number of tokens."""

    def __repr__(self) -> str: ...

class KernelExplanation:
    """What explain_kernels() returns."""

    @property
    def why(self) -> str:
        """ "measured", "cached", "builtin" or "forced"."""

    @property
    def timings(self) -> list[KernelTiming]: ...
    def __repr__(self) -> str: ...

def isas() -> list[IsaInfo]:
    """The instruction sets of this build, best first."""

def force_isa(name: str) -> None:
    """
    Use only `name` and the sets below it for what is loaded or packed from now on; "auto" lifts it.
    """

def set_kernel_choice(mode: str) -> None:
    """
    How kernels are chosen for what is loaded or packed from now on: "measured" (the default), "fresh", "builtin", or "auto": as STERNA_CHOICE says. Only changes speed.
    """

def explain_kernels(variant: str, rows: int, depth: int, n_tokens: Sequence[int]) -> KernelExplanation:
    """
    Time every kernel of a variant that can be chosen here on a matrix of arbitrary codes.
    """

def kernels() -> list[KernelInfo]:
    """Every kernel of this build, best instruction set first."""

def cpu_name() -> str:
    """The CPU's model name."""

def usable_cpus() -> int:
    """CPUs this process may use: affinity and cgroup quota."""

def selftest_kernels(report: Callable[[str], object]) -> None:
    """
    Run every kernel against the reference; `report` gets a line for each. See sterna.selftest().
    """

class GgufTensor:
    """A tensor in a GGUF file."""

    @property
    def name(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def shape(self) -> list[int]:
        """The fastest dimension first, as in the file; numpy's is reversed."""

    @property
    def type_id(self) -> int: ...
    @property
    def offset(self) -> int:
        """Bytes from the start of the file."""

    @property
    def bytes(self) -> int: ...
    @property
    def data(self) -> numpy.typing.NDArray[Any]:
        """
        The tensor as it is in the file, read-only and without a copy: F32 and F16 as arrays of these types in numpy's shape, everything else as one-dimensional uint8. It is the mapped file, which it keeps open: a program that shortens the file meanwhile ends this one by SIGBUS when the lost bytes are touched; numpy.array(tensor.data) is a copy.
        """

    def dequantize(self) -> numpy.typing.NDArray[numpy.float32]:
        """
        The values as a new float32 array in numpy's shape, the file's reversed.
        """

    def __repr__(self) -> str: ...

class GgufFile:
    """
    A validated GGUF file: a mapping from metadata keys to values, in the file's order, and tensors. Made by sterna.open_gguf().
    """

    @staticmethod
    def open(path: object) -> GgufFile:
        """See sterna.open_gguf()."""

    @property
    def path(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def file_bytes(self) -> int:
        """All parts of a split file together."""

    def keys(self) -> list[str]: ...
    def values(self) -> list[Any]: ...
    def items(self) -> list[tuple[str, Any]]: ...
    def get(self, key: object, default: Any = None) -> Any: ...
    def __getitem__(self, key: str) -> Any:
        """A metadata value: int, float, bool, str or a list of one of these."""

    def __contains__(self, key: object) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def tensors(self) -> list[GgufTensor]:
        """All tensors, in the file's order. They keep the file open."""

    def tensor(self, name: str) -> GgufTensor:
        """One of them."""

    def __repr__(self) -> str: ...

class PackedWeights:
    @property
    def rows(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def bits(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def kernel(self) -> str: ...
    @overload
    def matmul(
        self,
        x: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
        threads: int,
        act_bits: int,
    ) -> None: ...
    @overload
    def matmul(
        self,
        x: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
        threads: Threads,
        act_bits: int,
    ) -> None: ...

def pack(
    codes: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    scales: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    bits: int,
    zero: int,
    block: int,
    codebook: Annotated[NDArray[numpy.int8], dict(shape=(None,), order="C", device="cpu", writable=False)]
    | None,
) -> PackedWeights: ...
def pack_bcq(
    codes: Annotated[
        NDArray[numpy.uint8], dict(shape=(None, None, None), order="C", device="cpu", writable=False)
    ],
    scales: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    block: int,
) -> PackedWeights: ...
def dequantize(
    format: str,
    data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    row_elems: int,
    out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
) -> None: ...

class OptionInfo:
    """An option of load() or generate()."""

    @property
    def call(self) -> str:
        """ "load" or "generate"."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str:
        """ "int", "float", "bool", "str" or "seed"."""

    @property
    def default(self) -> bool | int | float | str | None: ...
    @property
    def low(self) -> float:
        """The least value; -inf: any."""

    @property
    def high(self) -> float:
        """The greatest value; inf: any."""

    @property
    def open(self) -> bool:
        """`low` itself is not allowed."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values, as words; none: any."""

    @property
    def flags(self) -> str:
        """Of a command line, with a space between."""

    @property
    def placeholder(self) -> str:
        """What follows a flag; empty after a switch."""

    @property
    def help(self) -> str: ...
    def __repr__(self) -> str: ...

def options() -> list[OptionInfo]:
    """All of them."""

class Threads:
    @staticmethod
    def create(n: int | None) -> Threads: ...
    @property
    def size(self) -> int: ...

class ScreenStats:
    """How much of the output matrix a generation read."""

    @property
    def tokens(self) -> int:
        """Tokens that were sampled from screened logits."""

    @property
    def full(self) -> int:
        """Tokens for which all logits were computed."""

    @property
    def after_4(self) -> int:
        """
        Rows that the first plane could not rule out, over all screened tokens,
        """

    @property
    def after_8(self) -> int:
        """and both planes together: these were multiplied exactly."""

    @property
    def bytes(self) -> int:
        """Of planes and matrix read for the screened tokens."""

    def __repr__(self) -> str: ...

class Token:
    """What `on_token` gets."""

    @property
    def id(self) -> int: ...
    @property
    def text(self) -> str:
        """Empty while a character is incomplete."""

    def __repr__(self) -> str: ...

class Completion:
    """What Model.complete() returns."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> list[int]:
        """Generated ids, without the one that ended the generation."""

    @property
    def stop_reason(self) -> str:
        """
        "end" of the model's text, "length" (max_tokens), "context" is full, "stop" text, "callback".
        """

    @property
    def n_prompt(self) -> int:
        """Prompt tokens."""

    @property
    def n_reused(self) -> int:
        """Prompt tokens that some call before had computed already."""

    @property
    def n_drafted(self) -> int:
        """Tokens guessed by lookup."""

    @property
    def n_accepted(self) -> int:
        """Of these, generated."""

    @property
    def prompt_seconds(self) -> float: ...
    @property
    def decode_seconds(self) -> float: ...
    @property
    def screen(self) -> ScreenStats: ...
    def __repr__(self) -> str: ...

class TensorInfo:
    """A tensor of a loaded model."""

    @property
    def name(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def shape(self) -> list[int]:
        """The fastest dimension first, as in the file."""

    @property
    def bytes(self) -> int:
        """In the file."""

    @property
    def kernel(self) -> str:
        """That multiplies with it; empty if none does."""

    @property
    def why(self) -> str:
        """Why this kernel, in words."""

    def __repr__(self) -> str: ...

class ModelInfo:
    """What Model.info returns."""

    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def tokenizer(self) -> str: ...
    @property
    def pre(self) -> str:
        """Name of the pre-tokenizer."""

    @property
    def activation(self) -> str: ...
    @property
    def file_bytes(self) -> int: ...
    @property
    def n_params(self) -> int: ...
    @property
    def weight_bytes(self) -> int:
        """In memory after packing."""

    @property
    def bytes_per_token(self) -> int:
        """Weight bytes read to decode one token, without screening."""

    @property
    def screen_bytes(self) -> int:
        """In memory besides the weights, for screening."""

    @property
    def kv_bytes_per_token(self) -> int:
        """
        KV cache; memory is taken as tokens come, for local layers up to their window.
        """

    @property
    def n_layer_local(self) -> int:
        """Layers whose attention sees the last `window` tokens only."""

    @property
    def window(self) -> int: ...
    @property
    def n_layer(self) -> int: ...
    @property
    def n_embd(self) -> int: ...
    @property
    def n_ff(self) -> int: ...
    @property
    def n_head(self) -> int: ...
    @property
    def n_head_kv(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def n_vocab(self) -> int: ...
    @property
    def n_ctx_train(self) -> int: ...
    @property
    def n_ctx(self) -> int: ...
    @property
    def n_threads(self) -> int: ...
    @property
    def isa(self) -> str:
        """The best instruction set in use."""

    @property
    def main_format(self) -> str:
        """The format that holds most weights."""

    @property
    def chat_template(self) -> str: ...
    @property
    def bos_text(self) -> str: ...
    @property
    def eos_text(self) -> str: ...
    @property
    def add_bos(self) -> bool: ...
    @property
    def bos(self) -> int: ...
    @property
    def eos(self) -> int: ...
    @property
    def eot(self) -> int: ...
    @property
    def warnings(self) -> list[str]:
        """What had to be guessed or ignored."""

    @property
    def load_seconds(self) -> float: ...
    def __repr__(self) -> str: ...

class Model:
    def forward(
        self,
        tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
    ) -> None: ...
    def generate(
        self,
        prompt: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        options: dict[str, Any],
        *,
        on_token: Callable[[Token], object] | None,
        keep_going: Callable[[], object] | None,
    ) -> Completion: ...
    @staticmethod
    def load(
        path: bytes,
        options: dict[str, Any],
        progress: Callable[[float], object] | None,
        threads: Threads | None,
    ) -> Model: ...
    @property
    def info(self) -> ModelInfo: ...
    def tensors(self) -> list[TensorInfo]: ...
    def metadata(self) -> dict[str, str]: ...
    def tokenize(self, text: bytes, add_special: bool, parse_special: bool) -> list[int]: ...
    def prompt_tokens(self, prompt: bytes) -> list[int]: ...
    def detokenize(
        self,
        tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        special: bool,
    ) -> str: ...
    def is_eog(self, token: int) -> bool: ...
    def generate_many(
        self,
        requests: Sequence[
            tuple[
                Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
                dict[str, Any],
                Session | None,
            ]
        ],
        on_token: Callable[[int, Token], object] | None,
    ) -> list[Completion]: ...
    def session(self) -> Session: ...
    def load_session(self, path: bytes) -> Session: ...
    def perplexity(
        self,
        tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        window: int,
        progress: Callable[[float, int], object] | None,
    ) -> tuple[float, int]: ...
    def bench(self, n_prompt: int, n_gen: int, n_depth: int) -> float: ...

class Session:
    def forward(
        self,
        tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
    ) -> None: ...
    def generate(
        self,
        prompt: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        options: dict[str, Any],
        *,
        on_token: Callable[[Token], object] | None,
        keep_going: Callable[[], object] | None,
    ) -> Completion: ...
    @property
    def tokens(self) -> list[int]: ...
    def __len__(self) -> int: ...
    def truncate(self, n: int) -> None: ...
    def fork(self) -> Session: ...
    def save(self, path: bytes) -> None: ...

class Tokenizer:
    @staticmethod
    def load(path: bytes, pre: str) -> Tokenizer: ...
    def encode(self, text: bytes, add_special: bool, parse_special: bool) -> list[int]: ...
    def decode(
        self,
        ids: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        special: bool,
    ) -> str: ...
    def __len__(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def pre(self) -> str: ...
    @property
    def bos(self) -> int: ...
    @property
    def eos(self) -> int: ...
    @property
    def eot(self) -> int: ...
    @property
    def add_bos(self) -> bool: ...
    @property
    def add_eos(self) -> bool: ...
    def is_eog(self, id: int) -> bool: ...
    def text(self, id: int) -> str: ...
    @property
    def warnings(self) -> list[str]: ...

class Sites:
    @staticmethod
    def create(
        coords: Annotated[
            NDArray[numpy.int32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        shape: Sequence[int],
        batch_size: int,
    ) -> Sites: ...
    @property
    def size(self) -> int: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def batch_size(self) -> int: ...
    def copy_coords(
        self, to: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order="C", device="cpu")]
    ) -> None: ...
    def same_as(self, other: Sites) -> bool: ...

class KernelMap:
    @staticmethod
    def submanifold(
        sites: Sites, kernel: Sequence[int], dilation: Sequence[int], threads: Threads
    ) -> KernelMap: ...
    @staticmethod
    def strided(
        sites: Sites,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        floor: bool,
        threads: Threads,
    ) -> KernelMap: ...
    @staticmethod
    def transposed(
        sites: Sites,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        output_padding: Sequence[int],
        threads: Threads,
    ) -> KernelMap: ...
    def inverse(self) -> KernelMap: ...
    @property
    def sites_in(self) -> Sites: ...
    @property
    def sites_out(self) -> Sites: ...
    @property
    def volume(self) -> int: ...
    @property
    def pairs(self) -> int: ...
    def n_pairs(self, offset: int) -> int: ...
    def copy_pairs(
        self,
        offset: int,
        to: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order="C", device="cpu")],
    ) -> None: ...

class SparseConv:
    @staticmethod
    def pack(
        weights: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None, None), order="C", device="cpu", writable=False)
        ],
        bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    ) -> SparseConv: ...
    def run(
        self,
        map: KernelMap,
        x: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
        threads: Threads,
        relu: bool,
        residual: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
    ) -> None: ...

def sparse_pool(
    map: KernelMap,
    is_max: bool,
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
    threads: Threads,
) -> None: ...
def sparse_global_pool(
    sites: Sites,
    is_max: bool,
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu")],
    threads: Threads,
) -> None: ...
