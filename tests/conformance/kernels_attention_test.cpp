// Conformance of the attention kernels: bit-equal to reference/attention.h.
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "conformance/kernel_cases.h"
#include "kernels/contract/attention.h"
#include "reference/attention.h"

namespace sterna::testing {
namespace {

/// How the scores are spread: flat ones exercise the sums, steep ones the maxima and the merging of chunks.
enum class Data { kFlat, kSteep, kRising, kTiny };

struct Cache {
  std::vector<uint16_t> k, v;
};

Cache make_cache(Data data, size_t n, size_t head_dim) {
  Random rng(n * 1000 + head_dim);
  Cache c;
  for (size_t i = 0; i < n * head_dim; ++i) {
    const float position = float(i / head_dim), u = rng.uniform(-1, 1), v = rng.uniform(-2, 2);
    const float k = data == Data::kSteep ? 6 * u : data == Data::kRising ? 0.01f * position : u;
    c.k.push_back(data == Data::kTiny ? uint16_t(rng.next() & 0x83ff)
                                      : f32_to_f16(k));  // 0x83ff: f16 denormals
    c.v.push_back(data == Data::kTiny ? uint16_t(rng.next() & 0x83ff) : f32_to_f16(v));
  }
  return c;
}

/// `tokens` tokens of `heads` heads; the first one's own position is the last of `positions`, of which it
/// sees what is in the chunk and in the window.
void run_case(Kernels& all, size_t positions, size_t head_dim, size_t tokens, size_t heads, Data data,
              size_t pad, size_t window = SIZE_MAX, float cap = 0) {
  const Side side = (positions + head_dim) % 2 ? Side::kStart : Side::kEnd;
  const auto seen = [&](size_t t) { return std::min<size_t>(positions + t, 256); };
  const auto hidden = [&](size_t t) { return positions + t > window ? positions + t - window : 0; };
  const Cache cache = make_cache(data, seen(tokens - 1), head_dim);
  const size_t q_stride = heads * head_dim + pad, row = kernels::partial_floats(head_dim), stride = row + pad;
  std::vector<float> q =
      floats(Floats::kRandom, (tokens - 1) * q_stride + heads * head_dim, positions + head_dim);
  if (data == Data::kRising) {
    for (float& x : q) x = std::fabs(x);
  }
  const float scale = 1.0f / std::sqrt(float(head_dim));
  std::vector<reference::Partial> want;
  for (size_t i = 0; i < tokens * heads; ++i) {
    const size_t from = hidden(i / heads);
    want.push_back(reference::attention_chunk(&q[i / heads * q_stride + i % heads * head_dim],
                                              &cache.k[from * head_dim], &cache.v[from * head_dim], head_dim,
                                              seen(i / heads) - from, scale, cap));
  }
  Guarded<float> gq(q.size());
  Guarded<uint16_t> gk(cache.k.size()), gv(cache.v.size());
  OutputRectangle out(tokens * heads * stride);
  const std::string what = "positions " + std::to_string(positions) + ", head_dim " +
                           std::to_string(head_dim) + ", tokens " + std::to_string(tokens) + ", heads " +
                           std::to_string(heads) + ", padding " + std::to_string(pad) + ", data " +
                           std::to_string(int(data)) + ", window " + std::to_string(window) +
                           ", cap " + std::to_string(cap);
  all.run("f16", what, [&](const kernels::Kernel& k) {
    kernels::AttentionArgs args{};
    args.q = gq.fit(q.data(), q.size(), side);
    args.token_stride = q_stride;
    args.k = gk.fit(cache.k.data(), cache.k.size(), side);
    args.v = gv.fit(cache.v.data(), cache.v.size(), side);
    args.n_tokens = tokens;
    args.n_heads = heads;
    args.head_dim = head_dim;
    args.n_positions = positions;
    args.scale = scale;
    args.partial_stride = stride;
    args.window = window;
    args.cap = cap;
    args.partials = out.prepare(row, tokens * heads, stride, side);
    kernels::as<kernels::AttentionFn>(k)(args);
    const float* got = args.partials;
    return out.verify([&](size_t i, size_t d) {
      if (d < head_dim) return want[i].a[d];
      if (d == kernels::partial_m(head_dim)) return want[i].m;
      if (d == kernels::partial_l(head_dim)) return want[i].l;
      return got[i * stride + d];  // anything
    });
  });
}

reference::Partial random_partial(size_t head_dim, uint64_t seed) {
  Random rng(seed);
  reference::Partial p;
  p.m = rng.uniform(-30, 30), p.l = rng.uniform(1, 256);
  p.a = floats(Floats::kRandom, head_dim, seed);
  return p;
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: attention equals the reference") {
  KernelsOf<kernels::Family::attention> all;
  REQUIRE(all.variants() == std::vector<std::string>{"f16"});
  for (size_t positions : {1, 2, 3, 15, 16, 17, 100, 254, 255, 256}) {
    for (size_t head_dim : {1, 2, 7, 16, 24, 33, 64, 80, 128, 256, 512}) {
      for (size_t heads : {1, 2, 3, 4, 5, 7, 8}) {
        for (size_t tokens : {1, 2, 5}) {
          const bool large = positions * head_dim * heads * tokens > (fast() ? 20000 : 200000);
          if (large && (heads != 3 || (fast() && tokens == 5))) continue;
          const Data data = Data((positions + head_dim + heads + tokens) % 4);
          run_case(all, positions, head_dim, tokens, heads, data, heads % 3 * 5);
          if (!large && heads == 2) {
            for (int d = 0; d < 4; ++d) run_case(all, positions, head_dim, tokens, heads, Data(d), 0);
          }
        }
      }
    }
  }
  // Windows that hide what all tokens of a tile, or some, would see; tokens behind the chunk.
  for (size_t positions : {1, 3, 40, 250, 256, 260, 300})
    for (size_t window : {1, 2, 3, 16, 37, 255, 256, 299})
      for (size_t tokens : {1, 2, 5})
        for (size_t heads : {1, 2, 4})
          if (positions + tokens - 1 < 256 + window)
            run_case(all, positions, 24, tokens, heads, Data((positions + window) % 4), heads % 3, window);
  for (size_t positions : {1, 17, 100, 256})
    for (size_t tokens : {1, 5})
      for (size_t window : {size_t(40), SIZE_MAX})
        for (float cap : {0.25f, 50.0f})
          for (int d = 0; d < 4; ++d) run_case(all, positions, 24, tokens, 3, Data(d), 0, window, cap);
  all.check_covered();
}

TEST_CASE("kernels: merge equals the reference") {
  KernelsOf<kernels::Family::merge> all;
  REQUIRE(all.variants() == std::vector<std::string>{"f32"});
  for (size_t head_dim : {1, 7, 16, 33, 128, 512}) {
    for (size_t n : {1, 2, 3, 9}) {
      const size_t stride = kernels::partial_floats(head_dim) + n % 2 * 3;
      std::vector<float> rows(n * stride);
      reference::Partial want;
      for (size_t i = 0; i < n; ++i) {
        const reference::Partial p = random_partial(head_dim, head_dim * 100 + i);
        std::copy(p.a.begin(), p.a.end(), &rows[i * stride]);
        rows[i * stride + kernels::partial_m(head_dim)] = p.m;
        rows[i * stride + kernels::partial_l(head_dim)] = p.l;
        if (i == 0)
          want = p;
        else
          reference::merge(want, p);
      }
      const std::vector<float> want_out = reference::result(want);
      for (bool finish : {false, true}) {
        const std::string what = "head_dim " + std::to_string(head_dim) + ", partials " + std::to_string(n);
        Guarded<float> g(rows.size()), out(head_dim);
        all.run("f32", what, [&](const kernels::Kernel& k) {
          const float* got = g.fit(rows.data(), rows.size());
          float* got_out = finish ? out.fit(head_dim) : nullptr;
          kernels::as<kernels::MergeFn>(k)(g.data(), stride, n, head_dim, got_out);
          std::string error = compare(got, want.a.data(), head_dim);
          if (error.empty()) error = compare(got + kernels::partial_m(head_dim), &want.m, 1);
          if (error.empty()) error = compare(got + kernels::partial_l(head_dim), &want.l, 1);
          if (error.empty() && finish) error = compare(got_out, want_out.data(), head_dim);
          return !error.empty() || (g.intact() && out.intact()) ? error : "wrote outside its buffers";
        });
      }
    }
  }
  all.check_covered();
}

TEST_CASE("kernels: weigh equals the reference") {
  KernelsOf<kernels::Family::weigh> all;
  REQUIRE(all.variants() == std::vector<std::string>{"f32"});
  for (Floats kind : {Floats::kRandom, Floats::kZeros, Floats::kDenormals, Floats::kMixed}) {
    for (size_t n : {1, 2, 15, 16, 17, 40, 255, 256}) {
      const std::vector<float> x = floats(kind, n, n), w = floats(Floats::kRandom, n, n + 1);
      Guarded<float> gx(n), gw(n), gy(n), ml(2);
      for (int way = 0; way < 4; ++way) {
        const bool in_place = way % 2;
        const float cap = way < 2 ? 0.0f : 1.5f;
        std::vector<float> capped = x, want;
        for (float& v : capped) v = cap != 0 ? reference::softcap(v, cap) : v;
        const reference::Partial p = reference::weights(capped, &want);
        for (size_t i = 0; i < n; ++i) want[i] *= w[i];
        const std::string what = name(kind) + ", n " + std::to_string(n) + ", cap " + std::to_string(cap);
        all.run("f32", what, [&](const kernels::Kernel& k) {
          const float* from = gx.fit(x.data(), n);
          gw.fit(w.data(), n), gy.fit(n), ml.fit(2);
          float* y = in_place ? gx.data() : gy.data();
          kernels::as<kernels::WeighFn>(k)(from, gw.data(), n, cap, y, ml.data(), ml.data() + 1);
          std::string error = compare(y, want.data(), n);
          if (error.empty()) error = compare(ml.data(), &p.m, 1);
          if (error.empty()) error = compare(ml.data() + 1, &p.l, 1);
          return !error.empty() || (gx.intact() && gw.intact() && gy.intact() && ml.intact())
                     ? error
                     : "wrote outside its buffers";
        });
      }
    }
  }
  all.check_covered();
}

TEST_CASE("reference attention is softmax(q K / sqrt(d)) V") {
  const size_t head_dim = 24, positions = 700;
  for (Data data : {Data::kFlat, Data::kSteep, Data::kRising}) {
    const Cache c = make_cache(data, positions, head_dim);
    const std::vector<float> q = floats(Floats::kRandom, head_dim, 3);
    std::vector<float> got(head_dim);
    reference::attention(q.data(), c.k.data(), c.v.data(), head_dim, positions, 0.25f, got.data());
    std::vector<double> s(positions), want(head_dim);
    double max = -1e300, sum = 0;
    for (size_t i = 0; i < positions; ++i) {
      for (size_t d = 0; d < head_dim; ++d)
        s[i] += 0.25 * double(q[d]) * double(f16_to_f32(c.k[i * head_dim + d]));
      max = std::fmax(max, s[i]);
    }
    for (size_t i = 0; i < positions; ++i) sum += std::exp(s[i] - max);
    for (size_t i = 0; i < positions; ++i) {
      for (size_t d = 0; d < head_dim; ++d) {
        want[d] += std::exp(s[i] - max) / sum * double(f16_to_f32(c.v[i * head_dim + d]));
      }
    }
    // |score| < 600 carries up to 600 * 2^-21 of absolute error into the exponent; |v| <= 2.
    for (size_t d = 0; d < head_dim; ++d) CHECK(std::fabs(double(got[d]) - want[d]) < 2e-3);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
