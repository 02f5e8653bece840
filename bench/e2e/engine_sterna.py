"""Sterna through its Python package."""

import engine
import sterna


class Sterna:
    def __init__(self, path: str, threads: int, context: int):
        # Benchmark runs compute all logits, which screening has no part in.
        self.model = sterna.load(path, n_threads=threads, n_ctx=context, screen="off")
        self.description = {"engine": "sterna", "version": f"sterna {sterna.__version__}", "build": ""}
        self.description["bytes_per_token"] = self.model.info.bytes_per_token

    def pp(self, n: int, depth: int = 0) -> float:
        return self.model.bench(n_prompt=n, n_gen=0, n_depth=depth)

    def tg(self, n: int, depth: int = 0) -> float:
        return self.model.bench(n_prompt=0, n_gen=n, n_depth=depth)


if __name__ == "__main__":
    engine.serve(Sterna)
