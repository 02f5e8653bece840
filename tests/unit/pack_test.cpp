// The raw matmul on small matrices.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "sterna/sterna.h"

namespace sterna {

TEST_SUITE("unit") {
  TEST_CASE("the raw matmul gives the same values as plain loops over the quantized activations") {
    for (int bits : {1, 2, 4, 8}) {
      for (size_t block : {size_t(0), size_t(32), size_t(64)}) {
        const size_t rows = 21, depth = block ? 192 : 101, n_tokens = 5, n_scales = block ? depth / block : 1;
        Random r(uint64_t(bits) * 100 + block);
        std::vector<uint8_t> codes(rows * depth);
        for (uint8_t& c : codes) c = uint8_t(r.next() & ((1u << bits) - 1));
        std::vector<float> scales(rows * n_scales), x(n_tokens * depth), out(n_tokens * rows);
        for (float& s : scales) s = float(r.uniform() - 0.5);
        for (float& v : x) v = float(r.uniform() * 4 - 2);
        PackOptions o;
        o.bits = bits, o.block = block, o.zero = bits == 1 ? 1 : 3;
        auto w = PackedWeights::pack(codes, scales, rows, depth, o);
        REQUIRE_MESSAGE(w.ok(), w.status().message());
        REQUIRE(w.value().matmul(x, out, n_tokens, 2).ok());
        const size_t step = block ? block : depth;
        for (size_t t = 0; t < n_tokens; t++)
          for (size_t row = 0; row < rows; row++) {
            float y = 0;
            for (size_t b = 0; b < n_scales; b++) {
              const float* v = x.data() + t * depth + b * step;
              float amax = 0;
              for (size_t k = 0; k < step; k++) amax = std::max(amax, std::abs(v[k]));
              int dot = 0;
              for (size_t k = 0; k < step; k++)
                dot += int(std::nearbyint(v[k] * (127.0f / amax))) *
                       ((bits == 1 ? 2 : 1) * codes[row * depth + b * step + k] - o.zero);
              const float scale = scales[row * n_scales + b] * (amax / 127.0f);
              y = block ? std::fma(float(dot), scale, y) : float(dot) * scale;
            }
            CHECK(out[t * rows + row] == y);
          }
      }
    }
  }

  TEST_CASE("pack refuses what it cannot represent") {
    const std::vector<uint8_t> codes(64, 1);
    const std::vector<float> scales(2, 1.0f);
    const auto code = [&](size_t rows, size_t depth, PackOptions o, std::vector<uint8_t> c,
                          std::vector<float> s) {
      return PackedWeights::pack(c, s, rows, depth, o).status().code();
    };
    CHECK(code(2, 32, {}, codes, scales) == Code::kOk);
    CHECK(code(2, 33, {}, codes, scales) == Code::kInvalidArgument);
    CHECK(code(0, 0, {}, {}, {}) == Code::kInvalidArgument);
    CHECK(code(2, 32, {}, std::vector<uint8_t>(64, 4), scales) == Code::kInvalidArgument);
    CHECK(code(2, 32, {}, codes, {1.0f, NAN}) == Code::kInvalidArgument);
    CHECK(code(2, 32, {.bits = 0}, codes, scales) == Code::kInvalidArgument);
    CHECK(code(2, 32, {.bits = 9}, codes, scales) == Code::kInvalidArgument);
    CHECK(code(2, 32, {.block = 48}, codes, scales) == Code::kInvalidArgument);
  }
}

}  // namespace sterna
