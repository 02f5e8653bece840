// The public raw matmul: checks everything once, then packs and multiplies through the CPU backend.
#include "sterna/matmul.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "backends/cpu/linear.h"
#include "base/checked_math.h"
#include "base/public_call.h"
#include "threads/turn.h"

namespace sterna {
namespace {

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[pack] " + what); }
std::string num(size_t n) { return std::to_string(n); }

}  // namespace

struct PackedWeights::Impl {
  // One, or the planes of pack_bcq(), whose products are added in order.
  std::vector<cpu::PackedLayout> layouts;
  std::vector<Buffer> panels;
  std::array<uint8_t, 16> codebook{};
  int bits = 0;
  std::string kernel;
  Turn turn;
  std::optional<Threads> own;  ///< Threads of the last call, for calls that bring none.
  /// With activations of 4, 8 and 16 bits; their memory is kept for the next call of the same size.
  struct Layer {
    cpu::Linear linear;
    cpu::Activations acts;
    size_t n_rows = 0;
  } layers[3];

  /// Packs one matrix of checked codes and scales.
  Status add(std::span<const uint8_t> codes, std::span<const float> scales, size_t rows, size_t depth,
             const formats::CodeSpec& spec) {
    const size_t n_blocks = spec.block ? depth / spec.block : 1;
    const cpu::PackedLayout layout = cpu::packed_layout(spec, rows, depth);
    Buffer packed = Buffer::allocate(layout.bytes()), panel_codes = Buffer::allocate(16 * depth),
           panel_scales = Buffer::allocate(16 * n_blocks * sizeof(float));
    if (packed.empty() || panel_codes.empty() || panel_scales.empty())
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
                      packed.data() + p * layout.panel_bytes);
    }
    STERNA_ASSIGN(const std::unique_ptr<cpu::Term> term, cpu::codes_term(layout, packed.data()));
    kernel = term->kernel;
    layouts.push_back(layout);
    panels.push_back(std::move(packed));
    return {};
  }

  size_t rows() const { return layouts[0].rows; }
  size_t depth() const { return layouts[0].depth; }

  /// With room for n_rows rows.
  Result<Layer*> layer(int act_bits, size_t n_rows);
  Status check(std::span<const float> x, std::span<const float> out, size_t n_tokens, int act_bits) const;
  Status matmul(std::span<const float> x, std::span<float> out, size_t n_tokens, ThreadPool& pool,
                int act_bits);
};

PackedWeights::PackedWeights(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedWeights::PackedWeights(PackedWeights&&) noexcept = default;
PackedWeights& PackedWeights::operator=(PackedWeights&&) noexcept = default;
PackedWeights::~PackedWeights() = default;

namespace {

/// What pack() and pack_bcq() ask of `n_planes` matrices.
Status check_matrices(std::span<const uint8_t> codes, std::span<const float> scales, size_t n_planes,
                      size_t rows, size_t depth, size_t block, int n_codes) {
  uint64_t n, n_scales;
  if (rows == 0 || depth == 0 || !checked_mul(rows, depth, &n) || !checked_mul(n, n_planes, &n))
    return bad("rows and depth, got " + num(rows) + " x " + num(depth) + ", expected at least 1 x 1");
  if (codes.size() != n) return bad("codes, got " + num(codes.size()) + " elements, expected " + num(n));
  if (block % 32 || block > 65504 || (block && depth % block))
    return bad("block, got " + num(block) +
               ", expected 0 or a multiple of 32 (at most 65504) that divides depth = " + num(depth));
  // |mul*code - zero| * 128 * (elements per exact integer sum) must stay below 2^31.
  if ((block ? block : depth) > (1u << 31) / (256 * 128))
    return bad("depth, got " + num(depth) + ", expected at most 65536 elements per scale (int32 sums)");
  n_scales = n_planes * rows * (block ? depth / block : 1);
  if (scales.size() != n_scales)
    return bad("scales, got " + num(scales.size()) + " elements, expected " + num(n_scales));
  for (size_t i = 0; i < scales.size(); i++)
    if (!std::isfinite(scales[i])) return bad("scales[" + num(i) + "] is not finite");
  for (size_t i = 0; i < codes.size(); i++)
    if (codes[i] >= n_codes)
      return bad("codes[" + num(i / depth) + "][" + num(i % depth) + "], got " + std::to_string(codes[i]) +
                 ", expected at most " + std::to_string(n_codes - 1));
  return {};
}

formats::CodeSpec binary_spec(size_t block) {
  formats::CodeSpec spec;
  spec.fold = block ? Fold::kBlock : Fold::kRow;
  spec.bits = 1, spec.mul = 2, spec.zero = 1, spec.block = uint16_t(block);
  spec.f32_scales = block != 0;
  return spec;
}

}  // namespace

Result<PackedWeights> PackedWeights::pack(std::span<const uint8_t> codes, std::span<const float> scales,
                                          size_t rows, size_t depth, const PackOptions& o) {
  return public_call("pack", [&](FloatEnvironment&) -> Result<PackedWeights> {
    if (o.bits < 1 || o.bits > 8) return bad("bits, got " + std::to_string(o.bits) + ", expected 1 to 8");
    if (o.zero < 0 || o.zero > 255) return bad("zero, got " + std::to_string(o.zero) + ", expected 0 to 255");
    if (!o.codebook.empty() && (o.bits > 4 || o.codebook.size() != size_t(1) << o.bits))
      return bad("codebook, got " + num(o.codebook.size()) + " values for " + std::to_string(o.bits) +
                 " bits, expected 2^bits values and at most 4 bits");
    STERNA_RETURN_IF_ERROR(check_matrices(codes, scales, 1, rows, depth, o.block, 1 << o.bits));
    auto impl = std::make_unique<Impl>();
    impl->bits = o.bits;
    formats::CodeSpec spec = binary_spec(o.block);
    if (!o.codebook.empty()) {  // kernels take unsigned values
      for (size_t i = 0; i < o.codebook.size(); i++) impl->codebook[i] = uint8_t(o.codebook[i] + 128);
      spec.bits = 4, spec.mul = 1, spec.zero = 128, spec.codebook = impl->codebook.data();
    } else if (o.bits > 1) {
      spec.bits = uint8_t(o.bits == 7 ? 8 : o.bits), spec.mul = 1, spec.zero = int16_t(o.zero);
    }
    STERNA_RETURN_IF_ERROR(impl->add(codes, scales, rows, depth, spec));
    return PackedWeights(std::move(impl));
  });
}

Result<PackedWeights> PackedWeights::pack_bcq(std::span<const uint8_t> codes, std::span<const float> scales,
                                              size_t n_planes, size_t rows, size_t depth, size_t block) {
  return public_call("pack", [&](FloatEnvironment&) -> Result<PackedWeights> {
    if (n_planes < 1 || n_planes > 8) return bad("planes, got " + num(n_planes) + ", expected 1 to 8");
    STERNA_RETURN_IF_ERROR(check_matrices(codes, scales, n_planes, rows, depth, block, 2));
    auto impl = std::make_unique<Impl>();
    impl->bits = int(n_planes);
    for (size_t p = 0; p < n_planes; p++) {
      const size_t n = codes.size() / n_planes, n_scales = scales.size() / n_planes;
      STERNA_RETURN_IF_ERROR(impl->add(codes.subspan(p * n, n), scales.subspan(p * n_scales, n_scales), rows,
                                       depth, binary_spec(block)));
    }
    return PackedWeights(std::move(impl));
  });
}

Result<PackedWeights::Impl::Layer*> PackedWeights::Impl::layer(int act_bits, size_t n_rows) {
  Layer& l = layers[act_bits / 8];
  if (l.n_rows >= n_rows) return &l;
  l = {};  // so that it is as new if one of these fails
  l.linear.rows = rows(), l.linear.depth = depth();
  for (size_t i = 0; i < layouts.size(); i++) {
    STERNA_ASSIGN(std::unique_ptr<cpu::Term> term, cpu::codes_term(layouts[i], panels[i].data(), act_bits));
    l.linear.terms.push_back(std::move(term));
  }
  STERNA_RETURN_IF_ERROR(l.linear.bind(l.acts, n_rows));
  STERNA_RETURN_IF_ERROR(l.acts.reserve());
  l.n_rows = n_rows;
  return &l;
}

/// What PackedWeights::matmul() does with checked arguments when it has its turn.
Status PackedWeights::Impl::matmul(std::span<const float> x, std::span<float> out, size_t n_tokens,
                                   ThreadPool& pool, int act_bits) {
  if (n_tokens == 0) return {};
  STERNA_ASSIGN(Layer* const l, layer(act_bits, n_tokens));
  const cpu::Linear* const reader[] = {&l->linear};
  cpu::begin(l->acts, reader);
  pool.run(n_tokens, [&](size_t t) {
    std::memcpy(l->acts.row(t), x.data() + t * depth(), depth() * sizeof(float));
    l->acts.quantize(t);
  });
  const cpu::Product product = cpu::Product::whole(l->linear, 0, n_tokens, out.data());
  cpu::matmul(pool, l->acts, {&product, 1});
  return {};
}

Status PackedWeights::Impl::check(std::span<const float> x, std::span<const float> out, size_t n_tokens,
                                  int act_bits) const {
  const auto wrong = [](const std::string& what) {
    return Status(Code::kInvalidArgument, "[matmul] " + what);
  };
  if ((n_tokens == 0) != x.empty() || (n_tokens && (x.size() / n_tokens != depth() || x.size() % n_tokens)))
    return wrong("x, got " + num(x.size()) + " elements for " + num(n_tokens) +
                 " rows, expected rows of depth " + num(depth()));
  if (out.size() != n_tokens * rows())
    return wrong("out, got " + num(out.size()) + " elements, expected " + num(n_tokens * rows()));
  if (act_bits != 4 && act_bits != 8 && act_bits != 16)
    return wrong("act_bits, got " + std::to_string(act_bits) + ", expected 4, 8 or 16");
  return {};
}

Status PackedWeights::matmul(std::span<const float> x, std::span<float> out, size_t n_tokens, int n_threads,
                             int act_bits) const {
  return public_call("matmul", [&](FloatEnvironment&) -> Status {
    STERNA_RETURN_IF_ERROR(impl_->check(x, out, n_tokens, act_bits));
    return in_turn(impl_->turn, "matmul", [&]() -> Status {
      if (!impl_->own || impl_->own->size() != n_threads) {
        STERNA_ASSIGN(impl_->own, Threads::create(n_threads));
      }
      return impl_->matmul(x, out, n_tokens, *impl_->own->pool(), act_bits);
    });
  });
}

Status PackedWeights::matmul(std::span<const float> x, std::span<float> out, size_t n_tokens,
                             const Threads& threads, int act_bits) const {
  return public_call("matmul", [&](FloatEnvironment&) -> Status {
    STERNA_RETURN_IF_ERROR(impl_->check(x, out, n_tokens, act_bits));
    return in_turn(impl_->turn, "matmul",
                   [&] { return impl_->matmul(x, out, n_tokens, *threads.pool(), act_bits); });
  });
}

size_t PackedWeights::rows() const { return impl_->rows(); }
size_t PackedWeights::depth() const { return impl_->depth(); }
int PackedWeights::bits() const { return impl_->bits; }
size_t PackedWeights::bytes() const { return impl_->layouts.size() * impl_->layouts[0].bytes(); }
const char* PackedWeights::kernel() const { return impl_->kernel.c_str(); }

Status dequantize(const char* format, std::span<const uint8_t> data, size_t row_elems, std::span<float> out) {
  return public_call("dequantize", [&](FloatEnvironment&) -> Status {
    if (!format) format = "";
    const formats::Format* f = formats::by_name(format);
    if (!f) return Status(Code::kUnsupported, std::string("[dequantize] unknown format '") + format + "'");
    if (row_elems == 0 || row_elems % f->block_elems || out.size() % row_elems)
      return Status(Code::kInvalidArgument,
                    "[dequantize] row of " + num(row_elems) + " elements and output of " + num(out.size()) +
                        ", expected whole rows of a multiple of " + num(f->block_elems));
    const size_t rows = out.size() / row_elems;
    if (rows == 0 && data.empty()) return {};
    uint64_t bytes;
    if (!formats::tensor_bytes(*f, row_elems, rows, &bytes) || bytes != data.size())
      return Status(Code::kInvalidArgument,
                    "[dequantize] data, got " + num(data.size()) + " bytes for " + num(rows) + " rows");
    const float scale = formats::tensor_scale(*f, data.data(), row_elems, rows);
    for (size_t r = 0; r < rows; r++)
      f->decode(data.data() + r * formats::row_bytes(*f, row_elems), row_elems, scale,
                out.data() + r * row_elems);
    return {};
  });
}

}  // namespace sterna
