"""Takes a GGUF file apart and puts it together again, right or, on request, wrong."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

ALIGNMENT = 32
_SCALAR_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10


def string(text: str | bytes) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def strings(texts: list[str]) -> bytes:
    return struct.pack("<IQ", STRING, len(texts)) + b"".join(map(string, texts))


@dataclass
class Tensor:
    name: str | bytes
    shape: list[int]  # the fastest dimension first
    type_id: int
    data: bytes
    offset: int | None = None  # None: where it belongs


@dataclass
class Gguf:
    """`keys` maps a name to type id and encoded value; the other fields override what build() would write."""

    keys: list[tuple[str | bytes, int, bytes]] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    n_tensors: int | None = None
    n_keys: int | None = None

    @classmethod
    def read(cls, path: Path) -> "Gguf":
        raw, at = path.read_bytes(), 24

        def take(code: str):
            nonlocal at
            value = struct.unpack_from("<" + code, raw, at)[0]
            at += struct.calcsize("<" + code)
            return value

        def take_string() -> bytes:
            nonlocal at
            n = take("Q")
            at += n
            return raw[at - n : at]

        def skip(type_id: int) -> None:
            nonlocal at
            if type_id == STRING:
                take_string()
            elif type_id == ARRAY:
                element, n = take("I"), take("Q")
                for _ in range(n):
                    skip(element)
            else:
                at += _SCALAR_SIZES[type_id]

        version, n_tensors, n_keys = struct.unpack_from("<IQQ", raw, 4)
        file = cls(version=version)
        for _ in range(n_keys):
            name, type_id, start = take_string().decode(), take("I"), at
            skip(type_id)
            file.keys.append((name, type_id, raw[start:at]))
        infos = []
        for _ in range(n_tensors):
            name = take_string().decode()
            shape = [take("Q") for _ in range(take("I"))]
            infos.append((name, shape, take("I"), take("Q")))
        data = raw[-(-at // ALIGNMENT) * ALIGNMENT :]
        ends = sorted(offset for *_, offset in infos) + [len(data)]
        for name, shape, type_id, offset in infos:
            end = ends[ends.index(offset) + 1]
            file.tensors.append(Tensor(name, shape, type_id, data[offset:end]))
        return file

    def set(self, name: str, type_id: int, value: bytes) -> "Gguf":
        """Replaces or adds a key."""
        names = [key[0] for key in self.keys]
        if name in names:
            self.keys[names.index(name)] = (name, type_id, value)
        else:
            self.keys.append((name, type_id, value))
        return self

    def set_u32(self, name: str, value: int) -> "Gguf":
        return self.set(name, U32, struct.pack("<I", value))

    def set_f32(self, name: str, value: float) -> "Gguf":
        return self.set(name, F32, struct.pack("<f", value))

    def drop_key(self, name: str) -> "Gguf":
        self.keys = [key for key in self.keys if key[0] != name]
        return self

    def tensor(self, name: str) -> Tensor:
        return next(t for t in self.tensors if t.name == name)

    def drop_tensor(self, name: str) -> "Gguf":
        self.tensors.remove(self.tensor(name))
        return self

    def build(self) -> bytes:
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_keys = len(self.keys) if self.n_keys is None else self.n_keys
        head = self.magic + struct.pack("<IQQ", self.version, n_tensors, n_keys)
        for name, type_id, value in self.keys:
            head += string(name) + struct.pack("<I", type_id) + value
        data = b""
        for t in self.tensors:
            data += b"\0" * (-len(data) % ALIGNMENT)
            offset = len(data) if t.offset is None else t.offset
            head += (
                string(t.name) + struct.pack("<I", len(t.shape)) + struct.pack(f"<{len(t.shape)}Q", *t.shape)
            )
            head += struct.pack("<IQ", t.type_id, offset)
            data += t.data
        return head + b"\0" * (-len(head) % ALIGNMENT) + data
