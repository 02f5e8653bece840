// libFuzzer target: any bytes as a GGUF file. What opens must keep its promises: lookups find every key and
// tensor, tensors lie inside the file, and the first row of each can be decoded.
#include <cstdint>
#include <span>
#include <vector>

#include "formats/format.h"
#include "sterna/gguf.h"

namespace {

constexpr uint64_t kMaxRow = 1 << 16;  // Elements; longer rows cost time and find nothing more.

void require(bool ok) {
  if (!ok) __builtin_trap();
}

void read_keys(const sterna::GgufFile& file) {
  for (const sterna::GgufKey& key : file.keys()) {
    require(file.find(key.name) == &key.value);
    const int right_types = file.get_uint(key.name, 0).ok() + file.get_float(key.name, 0).ok() +
                            file.get_bool(key.name, false).ok() + file.get_string(key.name, "").ok();
    require(right_types <= 1);
  }
}

void read_tensor(const sterna::GgufTensor& t, std::span<const uint8_t> image) {
  require(t.bytes > 0 && t.offset <= image.size() && t.bytes <= image.size() - t.offset);
  require(t.data == image.data() + t.offset && !t.shape.empty() && t.shape.size() <= 4);
  const sterna::formats::Format* f = sterna::formats::by_name(t.format.c_str());
  if (!f || t.shape[0] > kMaxRow) return;
  uint64_t rows = 1;
  for (size_t d = 1; d < t.shape.size(); ++d) rows *= t.shape[d];
  std::vector<float> row(t.shape[0]);
  f->decode(t.data, row.size(), sterna::formats::tensor_scale(*f, t.data, row.size(), rows), row.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> image(data, size);
  const sterna::Result<sterna::GgufFile> opened = sterna::GgufFile::from_memory(image, "fuzz");
  if (!opened.ok()) {
    require(opened.status().code() == sterna::Code::kCorrupt ||
            opened.status().code() == sterna::Code::kUnsupported);
    return 0;
  }
  const sterna::GgufFile& file = opened.value();
  read_keys(file);
  for (const sterna::GgufTensor& t : file.tensors()) {
    require(file.find_tensor(t.name) == &t);
    read_tensor(t, image);
  }
  return 0;
}
