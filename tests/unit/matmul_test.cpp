// The raw matmul with all precisions of weights and activations equals plain loops, on all instruction sets.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "backends/cpu/linear.h"
#include "base/random.h"
#include "reference/act_bits.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

struct Input {
  size_t rows = 21, depth, block, n_tokens = 5;
  std::vector<uint8_t> codes;
  std::vector<float> scales, x;
};

Input make_input(int bits, size_t block, uint64_t seed, size_t n_planes = 1, size_t n_tokens = 5) {
  Input in;
  in.depth = block ? 192 : 101, in.block = block, in.n_tokens = n_tokens;
  Random r(seed);
  const size_t n_scales = n_planes * in.rows * (block ? in.depth / block : 1);
  for (size_t i = 0; i < n_planes * in.rows * in.depth; i++)
    in.codes.push_back(uint8_t(r.next() & ((1u << bits) - 1)));
  for (size_t i = 0; i < n_scales; i++) in.scales.push_back(float(r.uniform() - 0.5));
  for (size_t i = 0; i < in.n_tokens * in.depth; i++) in.x.push_back(float(r.uniform() * 4 - 2));
  // A token of zeros, one that is tiny, one whose largest elements are the limits of the planes.
  for (size_t k = 0; k < in.depth; k++) {
    in.x[k] = 0;
    in.x[in.depth + k] *= 0x1p-116f;
    in.x[2 * in.depth + k] = float(k % 2 ? 1 : -1) * (k % 5 ? 1.0f : 0.4980239f);
  }
  return in;
}

reference::QMatrix matrix(const Input& in, int bits, int zero) {
  reference::QMatrix w;
  w.fold = in.block ? Fold::kBlock : Fold::kRow;
  w.bits = bits, w.zero = zero, w.rows = in.rows, w.depth = in.depth, w.block = in.block;
  w.codes = in.codes, w.d = in.scales;
  return w;
}

std::vector<float> run(const PackedWeights& w, const Input& in, int act_bits, int n_threads = 1) {
  std::vector<float> out(in.n_tokens * in.rows);
  const Status s = w.matmul(in.x, out, in.n_tokens, n_threads, act_bits);
  REQUIRE_MESSAGE(s.ok(), s.message());
  std::vector<float> one(in.rows);  // token by token
  for (size_t t = 0; t < in.n_tokens; t++) {
    REQUIRE(w.matmul(std::span(in.x).subspan(t * in.depth, in.depth), one, 1, 1, act_bits).ok());
    for (size_t r = 0; r < in.rows; r++) CHECK(one[r] == out[t * in.rows + r]);
  }
  return out;
}

template <class F>
void on_every_isa(F f) {
  for (const IsaInfo& isa : isas()) {
    if (!isa.supported) continue;
    CAPTURE(isa.name);
    REQUIRE(force_isa(isa.name).ok());
    f();
  }
  REQUIRE(force_isa("auto").ok());
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("raw matmul by threads that are shared") {
    const std::vector<uint8_t> codes(40 * 64, 3);
    const std::vector<float> scales(40, 0.5f), x(3 * 64, 1.25f);
    const auto weights = PackedWeights::pack(codes, scales, 40, 64, {.bits = 2, .zero = 1});
    const auto threads = Threads::create(2);
    REQUIRE(weights.ok());
    std::vector<float> own(3 * 40), shared(3 * 40);
    CHECK(weights.value().matmul(x, own, 3, 2).ok());
    CHECK(weights.value().matmul(x, shared, 3, threads.value()).ok());
    CHECK(own == shared);
    CHECK(own[0] > 0);
    CHECK(weights.value().matmul({}, {}, 0, threads.value()).ok());
    CHECK(weights.value().matmul(x, own, 2, threads.value()).code() == Code::kInvalidArgument);
  }

  TEST_CASE("raw matmul: every width of weights and activations") {
    on_every_isa([] {
      for (int bits = 1; bits <= 8; bits++) {
        for (const size_t block : {0, 32, 64}) {
          const Input in = make_input(bits, block, uint64_t(bits) * 100 + block);
          PackOptions o;
          o.bits = bits, o.block = block, o.zero = (1 << bits) / 3;
          auto w = PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, o);
          REQUIRE_MESSAGE(w.ok(), w.status().message());
          CHECK(w.value().bits() == bits);
          for (const int act_bits : {4, 8, 16}) {
            CAPTURE(bits);
            CAPTURE(block);
            CAPTURE(act_bits);
            CHECK(run(w.value(), in, act_bits, 1 + bits % 3) ==
                  reference::matmul(matrix(in, bits, bits == 1 ? 1 : o.zero), in.x, act_bits));
          }
        }
      }
    });
  }

  // The backend takes 128 tokens at a time where kernels look up tables, also if the rest chooses otherwise.
  TEST_CASE("raw matmul: many tokens") {
    on_every_isa([] {
      for (int bits = 1; bits <= 2; bits++)
        for (const size_t block : {0, 64})
          for (const size_t n_tokens : {127, 129, 130, 259}) {
            const Input in = make_input(bits, block, n_tokens, 1, n_tokens);
            PackOptions o;
            o.bits = bits, o.block = block;
            const auto w = PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, o);
            REQUIRE(w.ok());
            CAPTURE(bits);
            CAPTURE(block);
            CAPTURE(n_tokens);
            for (const int act_bits : {8, 16})
              CHECK(run(w.value(), in, act_bits, 2) ==
                    reference::matmul(matrix(in, bits, 1), in.x, act_bits));
          }
    });
  }

  TEST_CASE("raw matmul: a token that is not finite gives NaN, and the others what they give without it") {
    on_every_isa([] {
      for (const int bits : {1, 2, 4, 8})
        for (const size_t block : {0, 32, 64})
          for (const int act_bits : {4, 8, 16}) {
            CAPTURE(bits);
            CAPTURE(block);
            CAPTURE(act_bits);
            const std::vector<int8_t> values(size_t(1) << bits, 3);
            Input in = make_input(bits == 1 ? 1 : bits, block, 9, bits == 1 ? 2 : 1, 19);
            PackOptions o;
            o.bits = bits, o.block = block;
            if (bits == 4) o.codebook = values;
            auto w = bits == 1 ? PackedWeights::pack_bcq(in.codes, in.scales, 2, in.rows, in.depth, block)
                               : PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, o);
            REQUIRE_MESSAGE(w.ok(), w.status().message());
            std::vector<float> before(in.n_tokens * in.rows), after = before, one(in.rows);
            REQUIRE(w.value().matmul(in.x, before, in.n_tokens, 2, act_bits).ok());
            const auto damage = [&](size_t token, size_t at, float value) {
              in.x[token * in.depth + at] = value;
              REQUIRE(w.value().matmul({&in.x[token * in.depth], in.depth}, one, 1, 1, act_bits).ok());
              CHECK(std::all_of(one.begin(), one.end(), [](float y) { return std::isnan(y); }));
            };
            damage(0, 0, NAN);  // among zeros
            damage(3, in.depth / 2, -NAN);
            damage(5, in.depth - 1, INFINITY);
            damage(18, 31, -INFINITY);
            REQUIRE(w.value().matmul(in.x, after, in.n_tokens, 2, act_bits).ok());
            for (size_t i = 0; i < after.size(); i++) {
              const size_t t = i / in.rows;
              const bool damaged = t == 0 || t == 3 || t == 5 || t == 18;
              CHECK((damaged ? std::isnan(after[i]) : after[i] == before[i]));
            }
          }
    });
  }

  TEST_CASE("raw matmul: tiny activations lose nothing") {
    on_every_isa([] {
      for (const size_t block : {0, 64})
        for (const int act_bits : {4, 8, 16}) {
          const Input in = make_input(2, block, 4);
          PackOptions o;
          o.block = block;
          auto w = PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, o);
          REQUIRE(w.ok());
          std::vector<float> y(in.rows), tiny(in.rows),
              x(in.x.begin() + ptrdiff_t(3 * in.depth), in.x.begin() + ptrdiff_t(4 * in.depth));
          REQUIRE(w.value().matmul(x, y, 1, 1, act_bits).ok());
          for (float& v : x) v *= 0x1p-70f;
          REQUIRE(w.value().matmul(x, tiny, 1, 1, act_bits).ok());
          for (float& v : y) v *= 0x1p-70f;
          CHECK(tiny == y);
          CHECK(y[0] != 0);
        }
    });
  }

  TEST_CASE("the floor of BitNet's rows holds for I2_S and for no other format") {
    const auto pool = ThreadPool::create(1);
    for (const formats::Format* f : formats::all()) {
      if (f->codes.fold == Fold::kFloat) continue;
      CAPTURE(f->name);
      const size_t rows = 16, depth = 256;
      std::vector<uint8_t> file(rows * formats::row_bytes(*f, depth) + f->tail_bytes);
      const cpu::TensorRows source{f, file.data(), rows, depth, f};
      Buffer panels = Buffer::allocate(cpu::terms::codes.bytes({&source, 1}));
      const auto term = cpu::terms::codes.make({&source, 1}, panels.data(), *pool.value());
      REQUIRE_MESSAGE(term.ok(), term.status().message());
      cpu::Activations acts;
      REQUIRE(term.value()->bind(acts, 1).ok());
      REQUIRE(acts.reserve().ok());
      acts.begin(depth);
      acts.read(term.value()->form());
      std::fill_n(acts.row(0), depth, 127e-8f);
      acts.quantize(0);
      const cpu::Activations::Form& form = acts.form(term.value()->form());
      const bool bitnet = f->name == std::string("I2_S");
      CHECK(form.scales.as<float>()[0] == (bitnet ? 1e-5f : 127e-8f) / 127.0f);
      CHECK(form.codes.as<int8_t>()[0] == (bitnet ? 16 : 127));
    }
  }

  TEST_CASE("raw matmul: more bits of activations come closer to the product") {
    for (const size_t block : {0, 64}) {
      const Input in = make_input(2, block, 1);
      PackOptions o;
      o.block = block;
      const auto w = PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, o);
      REQUIRE(w.ok());
      double last = 1e30;
      for (const int act_bits : {4, 8, 16}) {
        const std::vector<float> y = run(w.value(), in, act_bits);
        double error = 0, norm = 0;
        for (size_t t = 0; t < in.n_tokens; t++) {
          for (size_t r = 0; r < in.rows; r++) {
            double want = 0;
            for (size_t k = 0; k < in.depth; k++) {
              const size_t s = block ? r * (in.depth / block) + k / block : r;
              want +=
                  double(in.scales[s]) * (in.codes[r * in.depth + k] - 1) * double(in.x[t * in.depth + k]);
            }
            error += std::pow(y[t * in.rows + r] - want, 2), norm += want * want;
          }
        }
        error = std::sqrt(error / norm);
        // Rounding to L steps of amax is off by about amax / L / sqrt(12); x is within a few times its rms.
        CHECK(error < 1.5 / (act_bits == 4 ? 7 : act_bits == 8 ? 127 : 32639));
        CHECK(error < last / 8);
        last = error;
      }
    }
  }

  TEST_CASE("raw matmul: sums at the bound do not overflow") {
    const size_t rows = 3, depth = 65536;
    const std::vector<float> scales(rows, 1);
    std::vector<uint8_t> codes(rows * depth, 255);
    for (size_t k = 0; k < depth; k++) codes[depth + k] = 0;
    for (const float sign : {1.0f, -1.0f}) {
      const std::vector<float> x(depth, sign);
      for (const int zero : {0, 255}) {
        PackOptions o;
        o.bits = 8, o.zero = zero;
        auto w = PackedWeights::pack(codes, scales, rows, depth, o);
        REQUIRE(w.ok());
        for (const int act_bits : {4, 8, 16}) {
          std::vector<float> y(rows);
          REQUIRE(w.value().matmul(x, y, 1, 1, act_bits).ok());
          for (size_t r = 0; r < rows; r++)
            CHECK(y[r] ==
                  doctest::Approx(double(sign) * (int(codes[r * depth]) - zero) * depth).epsilon(1e-6));
        }
      }
    }
    const std::vector<uint8_t> more(depth + 1);
    CHECK(PackedWeights::pack(more, {scales.data(), 1}, 1, depth + 1, {}).status().code() ==
          Code::kInvalidArgument);
  }

  TEST_CASE("raw matmul: codebooks") {
    on_every_isa([] {
      for (int bits = 1; bits <= 4; bits++) {
        for (const size_t block : {0, 64}) {
          const Input in = make_input(bits, block, uint64_t(bits) + block);
          const std::vector<int8_t> values = {-128, 127, 0,  -1, 5, 17, -100, 90,
                                              64,   -64, 33, 1,  2, 3,  -7,   99};
          PackOptions o;
          o.bits = bits, o.block = block;
          o.codebook = std::span(values).first(size_t(1) << bits);
          auto w = PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, o);
          REQUIRE_MESSAGE(w.ok(), w.status().message());
          reference::QMatrix m = matrix(in, 4, 128);
          for (const int8_t v : values) m.codebook.push_back(uint8_t(v + 128));
          for (const int act_bits : {4, 8, 16})
            CHECK(run(w.value(), in, act_bits) == reference::matmul(m, in.x, act_bits));
        }
      }
    });
    const std::vector<uint8_t> codes(64);
    const std::vector<float> scales(2, 1.0f);
    const std::vector<int8_t> five(5), thirty_two(32);
    CHECK(PackedWeights::pack(codes, scales, 2, 32, {.bits = 2, .codebook = five}).status().code() ==
          Code::kInvalidArgument);
    CHECK(PackedWeights::pack(codes, scales, 2, 32, {.bits = 5, .codebook = thirty_two}).status().code() ==
          Code::kInvalidArgument);
  }

  TEST_CASE("raw matmul: sums of binary planes") {
    on_every_isa([] {
      for (const size_t n_planes : {1, 2, 3, 8}) {
        for (const size_t block : {0, 32}) {
          const Input in = make_input(1, block, n_planes + block, n_planes);
          auto w = PackedWeights::pack_bcq(in.codes, in.scales, n_planes, in.rows, in.depth, block);
          REQUIRE_MESSAGE(w.ok(), w.status().message());
          CHECK(w.value().bits() == int(n_planes));
          for (const int act_bits : {4, 8, 16}) {
            std::vector<float> want;
            for (size_t p = 0; p < n_planes; p++) {
              Input plane = in;
              const size_t n = in.codes.size() / n_planes, n_scales = in.scales.size() / n_planes;
              plane.codes.assign(in.codes.begin() + ptrdiff_t(p * n),
                                 in.codes.begin() + ptrdiff_t((p + 1) * n));
              plane.scales.assign(in.scales.begin() + ptrdiff_t(p * n_scales),
                                  in.scales.begin() + ptrdiff_t((p + 1) * n_scales));
              const auto y = reference::matmul(matrix(plane, 1, 1), in.x, act_bits);
              if (p == 0) want = y;
              for (size_t i = 0; i < y.size() && p > 0; i++) want[i] += y[i];
            }
            CHECK(run(w.value(), in, act_bits, 2) == want);
          }
        }
      }
    });
    const std::vector<uint8_t> codes(64, 1), two(64, 2);
    const std::vector<float> scales(2, 1.0f);
    const auto code = [&](std::span<const uint8_t> c, size_t n_planes, size_t rows) {
      return PackedWeights::pack_bcq(c, scales, n_planes, rows, 32, 0).status().code();
    };
    CHECK(code(codes, 2, 1) == Code::kOk);
    CHECK(code(codes, 1, 2) == Code::kOk);
    CHECK(code(two, 2, 1) == Code::kInvalidArgument);
    CHECK(code(codes, 0, 2) == Code::kInvalidArgument);
    CHECK(code(codes, 9, 1) == Code::kInvalidArgument);
    CHECK(code(codes, 2, 2) == Code::kInvalidArgument);
  }

  TEST_CASE("raw matmul: other widths of activations are refused") {
    const Input in = make_input(2, 0, 1);
    const auto w = PackedWeights::pack(in.codes, in.scales, in.rows, in.depth, {});
    REQUIRE(w.ok());
    std::vector<float> out(in.n_tokens * in.rows);
    for (const int act_bits : {0, 1, 7, 32})
      CHECK(w.value().matmul(in.x, out, in.n_tokens, 1, act_bits).code() == Code::kInvalidArgument);
  }
}

}  // namespace sterna
