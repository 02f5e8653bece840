"""Sterna through its Python package."""

import os

import engine
import sterna


class Sterna:
    def __init__(self, path: str, threads: int, context: int):
        self.options = {"path": path, "n_threads": threads, "n_ctx": context}
        # pp and tg compute all logits, which screening has no part in.
        self.model = sterna.load(**self.options, screen="off")
        self.description = {"engine": "sterna", "version": f"sterna {sterna.__version__}"}
        isa = os.environ.get("STERNA_ISA")
        self.description["build"] = f"STERNA_ISA={isa}" if isa else ""
        self.description["bytes_per_token"] = self.model.info.bytes_per_token

    def pp(self, n: int, depth: int = 0) -> float:
        return self.model.bench(n_prompt=n, n_gen=0, n_depth=depth)

    def tg(self, n: int, depth: int = 0) -> float:
        return self.model.bench(n_prompt=0, n_gen=n, n_depth=depth)

    def gen(self, n: int) -> float:
        if not self.model.info.screen_bytes:
            self.model.close()
            self.model = sterna.load(**self.options, screen="on")
        done = self.model.complete([1], max_tokens=n + 1, temperature=0.0, ignore_eos=True)
        return done.decode_seconds  # n passes, and the output matrix once more


if __name__ == "__main__":
    engine.serve(Sterna)
