// Conformance of the low-bit matmul kernels: bit-equal to reference/qgemm.h for every variant, shape, kind of
// data and sub-rectangle, reading and writing nothing outside what the contract names.
#include <algorithm>
#include <cstring>

#include "conformance/qgemm_cases.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "reference/tables.h"

namespace sterna::testing {
namespace {

constexpr size_t kRows = 80, kTokens = 41;  // of the whole matrices; 5 panels

/// A sub-rectangle, and how its rows of memory are spaced.
struct Cut {
  size_t panel, n_rows, token, n_tokens;
  size_t pad;  ///< Added to each stride.
  Side side;
};

std::string describe(const Cut& c) {
  return "panel " + std::to_string(c.panel) + " rows " + std::to_string(c.n_rows) + ", token " +
         std::to_string(c.token) + " + " + std::to_string(c.n_tokens) + ", stride padding " +
         std::to_string(c.pad) + (c.side == Side::kEnd ? ", before a guard page" : ", after a guard page");
}

/// One matrix with activations in guarded buffers, its oracle, and the call of a kernel on a part of it.
class Case {
 public:
  Case(const reference::QMatrix& w, const reference::QActivations& x, bool f32_scales, size_t gap)
      : w_(w),
        x_(x),
        f32_scales_(f32_scales),
        packed_(reference::pack(w, f32_scales, gap)),
        want_(reference::qgemm(w, x)),
        panels_(packed_.bytes.size()),
        codebook_(16),
        grid_(8 * w.patterns.size()),
        act_(x.tokens * (packed_.n_chunks * 32 + kMaxPad)),
        a_scale_(x.tokens * (w.n_blocks() + kMaxPad)),
        a_sum_(x.tokens * (n_sums() + kMaxPad)),
        tables_(x.tokens * (table_bytes() + kMaxPad * 64)),
        out_(x.tokens * (w.rows + kMaxPad)) {
    codebook_.fit(w.codebook.data(), w.codebook.size());
    std::vector<uint8_t> magnitudes;
    for (const uint16_t pattern : w.patterns)
      for (int j = 0; j < 8; ++j) magnitudes.push_back(uint8_t(w.codebook[pattern >> 2 * j & 3] - w.zero));
    grid_.fit(magnitudes.data(), magnitudes.size());
  }

  static constexpr size_t kMaxPad = 67;

  size_t rows() const { return w_.rows; }
  size_t tokens() const { return x_.tokens; }

  std::string run(const kernels::Kernel& kernel, const Cut& c) {
    place(c.side, c.pad);
    kernels::QGemmArgs args{};
    args.panels = panels_.data() + c.panel * packed_.panel_bytes;
    args.panel_bytes = packed_.panel_bytes;
    args.group_blocks = packed_.group_blocks;
    args.group_bytes = packed_.group_bytes;
    args.codes_offset = packed_.codes_offset;
    args.n_chunks = packed_.n_chunks;
    args.block_chunks = w_.block / 32;
    args.zero = w_.zero;
    args.codebook = w_.codebook.empty() ? nullptr : codebook_.data();
    args.grid = w_.index ? grid_.data() : nullptr;
    args.f32_scales = f32_scales_;
    args.act_stride = packed_.n_chunks * 32 + c.pad;
    args.act = act_.data() + c.token * args.act_stride;
    args.a_scale_stride = w_.n_blocks() + c.pad;
    args.a_scale = a_scale_.data() + c.token * args.a_scale_stride;
    args.a_sum_stride = n_sums() + c.pad;
    args.a_sum = a_sum_.data() + c.token * args.a_sum_stride;
    args.n_rows = c.n_rows;
    args.n_tokens = c.n_tokens;
    args.out_stride = c.n_rows + c.pad;
    args.out = out_.prepare(c.n_rows, c.n_tokens, args.out_stride, c.side);
    const bool looks_up = kernels::looks_up(kernel);
    if (looks_up) {
      args.table_bytes = table_bytes() + c.pad * 64;
      args.tables = place_tables(c, args.table_bytes);
    }
    for (size_t streams : {2, 4}) {
      args.n_streams = streams;
      kernels::as<kernels::QGemmFn>(kernel)(args);
      const std::string error =
          out_.verify([&](size_t t, size_t r) { return want_[(c.token + t) * w_.rows + 16 * c.panel + r]; });
      if (!error.empty()) return describe(c) + ", " + std::to_string(streams) + " streams: " + error;
      if (c.n_tokens > 1 && !looks_up) break;
      if (c.n_tokens > 1) args.tables = nullptr;  // and once without them
      out_.prepare(c.n_rows, c.n_tokens, args.out_stride, c.side);
    }
    return "";
  }

 private:
  size_t n_sums() const { return w_.depth / w_.sum_span(); }

  /// Lays the inputs out against a guard page, with canaries between the rows that no kernel may use.
  void place(Side side, size_t pad) {
    if (placed_ && side == side_ && pad == pad_) return;
    placed_ = true, side_ = side, pad_ = pad;
    panels_.fit(packed_.bytes.data(), packed_.bytes.size(), side);
    const size_t padded = packed_.n_chunks * 32, n = x_.tokens;
    int8_t* act = act_.fit((n - 1) * (padded + pad) + padded, side);
    float* scale = a_scale_.fit((n - 1) * (w_.n_blocks() + pad) + w_.n_blocks(), side);
    int32_t* sum = a_sum_.fit((n - 1) * (n_sums() + pad) + n_sums(), side);
    for (size_t t = 0; t < n; ++t) {
      int8_t* const row = act + t * (padded + pad);
      std::memset(row, 0, padded);
      std::memcpy(row, &x_.codes[t * w_.depth], w_.depth);
      std::copy_n(&x_.scale[t * w_.n_blocks()], w_.n_blocks(), scale + t * (w_.n_blocks() + pad));
      for (size_t i = 0; i < n_sums(); ++i) {
        sum[t * (n_sums() + pad) + i] = int32_t(
            reference::activation_sum(&x_.codes[t * w_.depth], i * w_.sum_span(), (i + 1) * w_.sum_span()));
      }
    }
  }

  size_t table_bytes() const { return w_.bits <= 2 ? kernels::table_bytes(packed_.n_chunks, w_.bits) : 0; }

  /// The tables of the cut's tokens; high bytes that need not be read are canaries.
  const uint8_t* place_tables(const Cut& c, size_t stride) {
    uint8_t* const base = tables_.fit((c.n_tokens - 1) * stride + table_bytes(), c.side);
    for (size_t t = 0; t < c.n_tokens; ++t) {
      std::vector<int8_t> row(packed_.n_chunks * 32);
      std::memcpy(row.data(), &x_.codes[(c.token + t) * w_.depth], w_.depth);
      const auto from = reference::lookup_tables(row.data(), row.size(), w_.bits);
      const kernels::Tables to = kernels::tables_at(base + t * stride, packed_.n_chunks, w_.bits);
      std::memcpy(to.low, from.low.data(), from.low.size());
      std::memcpy(to.least, from.least.data(), from.least.size() * sizeof(int32_t));
      std::memcpy(to.wide, from.wide.data(), from.wide.size());
      for (size_t v = 0; v < from.wide.size(); ++v)
        if (from.wide[v]) std::memcpy(to.high + 64 * v, &from.high[64 * v], 64);
    }
    return base;
  }

  const reference::QMatrix& w_;
  const reference::QActivations& x_;
  const bool f32_scales_;
  const reference::Packed packed_;
  const std::vector<float> want_;
  Guarded<uint8_t> panels_, codebook_, grid_;
  Guarded<int8_t> act_;
  Guarded<float> a_scale_;
  Guarded<int32_t> a_sum_;
  Guarded<uint8_t> tables_;
  OutputRectangle out_;
  bool placed_ = false;
  Side side_{};
  size_t pad_ = 0;
};

/// The part of `rows` x `tokens` that touches the end of every buffer, or the start.
Cut corner(const Case& c, size_t rows, size_t tokens, size_t pad, Side side) {
  if (side == Side::kStart) return {0, rows, 0, tokens, pad, side};
  return {(c.rows() + 15) / 16 - (rows + 15) / 16, rows, c.tokens() - tokens, tokens, pad, side};
}

std::vector<Cut> few_cuts(const Case& c) {
  return {
      corner(c, 80, 1, 0, Side::kEnd),    corner(c, 80, 4, 3, Side::kEnd),  corner(c, 33, 2, 0, Side::kEnd),
      corner(c, 17, 3, 64, Side::kStart), corner(c, 1, 1, 0, Side::kEnd),   corner(c, 5, 17, 1, Side::kEnd),
      corner(c, 69, 7, 1, Side::kStart),  corner(c, 48, 33, 0, Side::kEnd), corner(c, 80, 16, 0, Side::kEnd),
      corner(c, 30, 41, 0, Side::kEnd),   {1, 30, 2, 9, 5, Side::kEnd},     {2, 16, 3, 1, 67, Side::kEnd}};
}

std::vector<Cut> every_cut(const Case& c) {
  std::vector<Cut> cuts;
  std::vector<size_t> row_counts{31, 32, 33, 47, 48, 64, 69, 80},
      token_counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 41};
  for (size_t r = 1; r <= 17; ++r) row_counts.push_back(r);
  for (size_t pad : {0, 1}) {
    for (size_t rows : row_counts) {
      for (size_t tokens : token_counts) {
        if (fast() && (rows + tokens + pad) % 4 != 0) continue;
        cuts.push_back(corner(c, rows, tokens, pad, pad ? Side::kStart : Side::kEnd));
      }
    }
  }
  for (size_t panel = 0; panel < 5; ++panel) {
    for (size_t token : {0, 1, 5})
      cuts.push_back({panel, std::min<size_t>(29, 80 - 16 * panel), token, 6, 2, Side::kEnd});
  }
  return cuts;
}

void run_cuts(Kernels& all, const std::string& variant, const std::string& what, Case& c,
              const std::vector<Cut>& cuts) {
  all.run(variant, what, [&](const kernels::Kernel& k) -> std::string {
    for (const Cut& cut : cuts) {
      if (std::string error = c.run(k, cut); !error.empty()) return error;
    }
    return "";
  });
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: qgemm equals the reference") {
  KernelsOf<kernels::Family::qgemm> all;
  for (const std::string& variant : all.variants()) {
    const QGemmVariant* v = kernels::qgemm_variant(variant);
    REQUIRE(v);
    const std::vector<QShape> shapes = qgemm_shapes(*v);
    size_t n = 0;
    for (const QShape& s : shapes) {
      for (const QData& data : kQData) {
        const bool thorough = &data == &kQData[0] && (&s == &shapes[0] || &s == &shapes[2]),
                   large = s.depth >= 2000;
        ++n;
        if (large && &data != &kQData[0] && &data != &kQData[1] && &data != &kQData[3]) continue;
        if (fast() && !thorough && n % 3 != 0) continue;
        const auto w = make_matrix(*v, s, data, kRows, n);
        const auto x = make_activations(w, data, kTokens, n);
        Case c(w, x, s.f32_scales, n % 2 ? 0 : 64);
        run_cuts(all, variant, describe(s, data), c, thorough ? every_cut(c) : few_cuts(c));
      }
    }
    // A matrix that ends inside a panel: the missing rows are zero bytes, scales included.
    const QShape shape = shapes[0];
    for (size_t rows : {1, 2, 7, 15, 17, 37}) {
      const auto w = make_matrix(*v, shape, kQData[0], rows, rows);
      const auto x = make_activations(w, kQData[0], 5, rows);
      Case c(w, x, false, 0);
      run_cuts(all, variant, "matrix of " + std::to_string(rows) + " rows", c,
               {corner(c, rows, 5, 0, Side::kEnd), corner(c, rows, 1, 1, Side::kStart)});
    }
    // More tokens than any blocking of them.
    const auto w = make_matrix(*v, shape, kQData[0], 23, 1);
    const auto x = make_activations(w, kQData[0], fast() ? 70 : 530, 1);
    Case c(w, x, false, 0);
    run_cuts(all, variant, "many tokens", c, {corner(c, 23, x.tokens, 0, Side::kEnd)});
  }
  all.check_covered();
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
