"""llama.cpp through llama-cpp-python's low-level API, measured the way llama-bench does."""

import ctypes
import random
import time

import engine
import llama_cpp
import numpy as np


class LlamaCpp:
    def __init__(self, path: str, threads: int, context: int):
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), model_params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = 512
        params.n_threads = params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit(f"llama.cpp cannot make a context of {context} for {path}")
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.random = random.Random(1)
        self.depth = 0
        self.description = {
            "engine": "llama.cpp",
            "version": f"llama-cpp-python {llama_cpp.__version__}",
            "build": llama_cpp.llama_print_system_info().decode().strip(),
        }

    def _decode(self, n: int) -> None:
        tokens = (ctypes.c_int32 * n)(*(self.random.randrange(self.n_vocab) for _ in range(n)))
        status = llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, n))
        if status:
            raise RuntimeError(f"llama_decode of {n} tokens returned {status}")

    def _run(self, batch_sizes: list[int], depth: int) -> float:
        memory = llama_cpp.llama_get_memory(self.context)
        if depth != self.depth:  # kept from run to run: filling a long context takes minutes
            llama_cpp.llama_memory_clear(memory, True)
            for first in range(0, depth, 512):
                self._decode(min(512, depth - first))
            self.depth = depth
        llama_cpp.llama_memory_seq_rm(memory, 0, depth, -1)
        llama_cpp.llama_synchronize(self.context)
        start = time.perf_counter()
        for n in batch_sizes:
            self._decode(n)
        llama_cpp.llama_synchronize(self.context)
        return time.perf_counter() - start

    def pp(self, n: int, depth: int = 0) -> float:
        return self._run([n], depth)

    def tg(self, n: int, depth: int = 0) -> float:
        return self._run([1] * n, depth)

    def gen(self, n: int) -> float:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        self.depth = 0
        token = (ctypes.c_int32 * 1)(1)
        for i in range(n + 1):
            if i == 1:
                start = time.perf_counter()
            llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(token, 1))
            logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.context), (self.n_vocab,))
            token[0] = int(logits.argmax())
        return time.perf_counter() - start


if __name__ == "__main__":
    engine.serve(LlamaCpp)
