// The public raw matmul: checks everything once, then packs and multiplies through the CPU backend.
#include "sterna/matmul.h"

#include <cmath>
#include <cstring>
#include <mutex>
#include <new>
#include <string>

#include "backends/cpu/linear.h"
#include "base/checked_math.h"

namespace sterna {
namespace {

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[pack] " + what); }
std::string num(size_t n) { return std::to_string(n); }

}  // namespace

struct PackedWeights::Impl {
  Buffer storage;
  cpu::Weight weight;
  // Threads and quantized rows of the last call, kept for the next one of the same size.
  std::mutex mutex;
  std::unique_ptr<ThreadPool> pool;
  cpu::Activations acts;
  size_t acts_tokens = 0;
};

PackedWeights::PackedWeights(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedWeights::PackedWeights(PackedWeights&&) noexcept = default;
PackedWeights& PackedWeights::operator=(PackedWeights&&) noexcept = default;
PackedWeights::~PackedWeights() = default;

Result<PackedWeights> PackedWeights::pack(std::span<const uint8_t> codes, std::span<const float> scales,
                                          size_t rows, size_t depth, const PackOptions& o) try {
  if (o.bits != 1 && o.bits != 2 && o.bits != 4 && o.bits != 8)
    return bad("bits, got " + std::to_string(o.bits) + ", expected 1, 2, 4 or 8");
  uint64_t n;
  if (rows == 0 || depth == 0 || !checked_mul(rows, depth, &n))
    return bad("rows and depth, got " + num(rows) + " x " + num(depth) + ", expected at least 1 x 1");
  if (codes.size() != n)
    return bad("codes, got " + num(codes.size()) + " elements, expected rows*depth = " + num(n));
  if (o.block % 32 || o.block > 65504 || (o.block && depth % o.block))
    return bad("block, got " + num(o.block) +
               ", expected 0 or a multiple of 32 (at most 65504) that divides depth = " + num(depth));
  if (o.zero < 0 || o.zero > 255) return bad("zero, got " + std::to_string(o.zero) + ", expected 0 to 255");
  // |mul*code - zero| * 128 * (elements per exact integer sum) must stay below 2^31.
  if ((o.block ? o.block : depth) > (1u << 31) / (256 * 128))
    return bad("depth, got " + num(depth) + ", expected at most 65535 elements per scale (int32 sums)");
  const size_t n_blocks = o.block ? depth / o.block : 1;
  if (scales.size() != rows * n_blocks)
    return bad("scales, got " + num(scales.size()) + " elements, expected " + num(rows * n_blocks));
  for (size_t i = 0; i < scales.size(); i++)
    if (!std::isfinite(scales[i])) return bad("scales[" + num(i) + "] is not finite");
  const int max_code = (1 << o.bits) - 1;
  for (size_t i = 0; i < codes.size(); i++)
    if (codes[i] > max_code)
      return bad("codes[" + num(i / depth) + "][" + num(i % depth) + "], got " + std::to_string(codes[i]) +
                 ", expected at most " + std::to_string(max_code));

  formats::CodeSpec spec;
  spec.fold = o.block ? Fold::kBlock : Fold::kRow;
  spec.bits = uint8_t(o.bits);
  spec.mul = o.bits == 1 ? 2 : 1;
  spec.zero = int16_t(o.bits == 1 ? 1 : o.zero);
  spec.block = uint16_t(o.block);
  const cpu::PackedLayout layout = cpu::packed_layout(spec, rows, depth, o.block != 0);
  auto impl = std::make_unique<Impl>();
  impl->storage = Buffer::allocate(layout.bytes());
  Buffer panel_codes = Buffer::allocate(16 * depth),
         panel_scales = Buffer::allocate(16 * n_blocks * sizeof(float));
  if (impl->storage.empty() || panel_codes.empty() || panel_scales.empty())
    return Status(Code::kOutOfMemory, "[pack] no memory for " + num(layout.bytes()) + " bytes");
  for (size_t p = 0; p < layout.n_panels; p++) {
    const size_t n_rows = std::min<size_t>(16, rows - 16 * p);
    if (n_rows < 16) {
      std::memset(panel_codes.data(), 0, panel_codes.bytes());
      std::memset(panel_scales.data(), 0, panel_scales.bytes());
    }
    std::memcpy(panel_codes.data(), codes.data() + 16 * p * depth, n_rows * depth);
    std::memcpy(panel_scales.data(), scales.data() + 16 * p * n_blocks, n_rows * n_blocks * sizeof(float));
    cpu::pack_panel(layout, {panel_codes.data(), panel_scales.data(), nullptr, nullptr, nullptr},
                    impl->storage.data() + p * layout.panel_bytes);
  }
  STERNA_ASSIGN(impl->weight, cpu::weight_of_panels(layout, impl->storage.data()));
  return PackedWeights(std::move(impl));
} catch (const std::bad_alloc&) {
  return Status(Code::kOutOfMemory, "[pack] no memory");
}

Status PackedWeights::matmul(std::span<const float> x, std::span<float> out, size_t n_tokens,
                             int n_threads) const try {
  if (n_tokens == 0 || x.size() / n_tokens != depth() || x.size() % n_tokens)
    return Status(Code::kInvalidArgument, "[matmul] x, got " + num(x.size()) + " elements for " +
                                              num(n_tokens) + " rows, expected rows of depth " +
                                              num(depth()));
  if (out.size() != n_tokens * rows())
    return Status(Code::kInvalidArgument,
                  "[matmul] out, got " + num(out.size()) + " elements, expected " + num(n_tokens * rows()));
  Impl& m = *impl_;
  const std::lock_guard lock(m.mutex);
  if (!m.pool || m.pool->size() != n_threads) {
    STERNA_ASSIGN(m.pool, ThreadPool::create(n_threads));
  }
  const cpu::Weight* weights[] = {&m.weight};
  if (m.acts_tokens < n_tokens) {
    m.acts_tokens = 0;
    STERNA_RETURN_IF_ERROR(m.acts.reserve(n_tokens, depth(), weights));
    m.acts_tokens = n_tokens;
  }
  m.acts.begin(depth(), weights);
  m.pool->run(n_tokens, [&](size_t t) {
    std::memcpy(m.acts.row(t), x.data() + t * depth(), depth() * sizeof(float));
    m.acts.quantize(t);
  });
  const cpu::Product product{&m.weight, out.data(), rows()};
  cpu::matmul(*m.pool, m.acts, 0, n_tokens, {&product, 1});
  return {};
} catch (const std::bad_alloc&) {
  return Status(Code::kOutOfMemory, "[matmul] no memory");
}

size_t PackedWeights::rows() const { return impl_->weight.rows; }
size_t PackedWeights::depth() const { return impl_->weight.depth; }
int PackedWeights::bits() const { return impl_->weight.layout.spec.bits; }
size_t PackedWeights::bytes() const { return impl_->weight.bytes(); }
const char* PackedWeights::kernel() const { return impl_->weight.kernel.c_str(); }

Status dequantize(const char* format, std::span<const uint8_t> data, size_t row_elems, std::span<float> out) {
  const formats::Format* f = formats::by_name(format);
  if (!f) return Status(Code::kUnsupported, std::string("[dequantize] unknown format '") + format + "'");
  if (row_elems == 0 || row_elems % f->block_elems || out.size() % row_elems)
    return Status(Code::kInvalidArgument,
                  "[dequantize] row of " + num(row_elems) + " elements and output of " + num(out.size()) +
                      ", expected whole rows of a multiple of " + num(f->block_elems));
  const size_t rows = out.size() / row_elems;
  uint64_t bytes;
  if (!formats::tensor_bytes(*f, row_elems, rows, &bytes) || bytes != data.size())
    return Status(Code::kInvalidArgument,
                  "[dequantize] data, got " + num(data.size()) + " bytes for " + num(rows) + " rows");
  const float scale = formats::tensor_scale(*f, data.data(), row_elems, rows);
  for (size_t r = 0; r < rows; r++)
    f->decode(data.data() + r * formats::row_bytes(*f, row_elems), row_elems, scale,
              out.data() + r * row_elems);
  return {};
}

}  // namespace sterna
