// Conformance of the attention kernels: bit-equal to reference/attention.h.
#include <cmath>

#include "base/half.h"
#include "conformance/kernel_cases.h"
#include "kernels/contract/attention.h"
#include "reference/attention.h"

namespace sterna::testing {
namespace {

/// How the scores are spread: flat ones exercise the sums, steep ones the maxima and the rescaling between
/// chunks.
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

void run_case(Kernels& all, const std::string& variant, size_t positions, size_t head_dim, size_t heads,
              Data data, size_t pad) {
  const Side side = (positions + head_dim) % 2 ? Side::kStart : Side::kEnd;
  const Cache cache = make_cache(data, positions, head_dim);
  const size_t stride = head_dim + pad;
  std::vector<float> q = floats(Floats::kRandom, (heads - 1) * stride + head_dim, positions + head_dim);
  if (data == Data::kRising) {
    for (float& x : q) x = std::fabs(x);
  }
  const float scale = 1.0f / std::sqrt(float(head_dim));
  std::vector<float> want(heads * head_dim);
  for (size_t h = 0; h < heads; ++h) {
    reference::attention(&q[h * stride], cache.k.data(), cache.v.data(), head_dim, positions, scale,
                         &want[h * head_dim]);
  }
  Guarded<float> gq(q.size());
  Guarded<uint16_t> gk(cache.k.size()), gv(cache.v.size());
  OutputRectangle out(heads * (head_dim + 2 * pad));
  const std::string what = "positions " + std::to_string(positions) + ", head_dim " +
                           std::to_string(head_dim) + ", heads " + std::to_string(heads) + ", padding " +
                           std::to_string(pad) + ", data " + std::to_string(int(data));
  all.run(variant, what, [&](const kernels::Kernel& k) {
    kernels::AttentionArgs args{};
    args.q = gq.fit(q.data(), q.size(), side);
    args.q_stride = stride;
    args.n_heads = heads;
    args.k = gk.fit(cache.k.data(), cache.k.size(), side);
    args.v = gv.fit(cache.v.data(), cache.v.size(), side);
    args.head_dim = head_dim;
    args.n_positions = positions;
    args.scale = scale;
    args.out_stride = head_dim + 2 * pad;
    args.out = out.prepare(head_dim, heads, args.out_stride, side);
    kernels::as<kernels::AttentionFn>(k)(args);
    return out.verify([&](size_t h, size_t d) { return want[h * head_dim + d]; });
  });
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: attention equals the reference") {
  Kernels all(kernels::Family::attention);
  for (const std::string& variant : all.variants()) {
    REQUIRE_MESSAGE(variant == "f16", "no conformance test for attention " << variant);
    for (size_t positions : {1, 2, 15, 16, 17, 255, 256, 257, 511, 513, 1000}) {
      for (size_t head_dim : {1, 2, 7, 16, 24, 33, 64, 80, 128, 256, 512}) {
        for (size_t heads : {1, 2, 3, 4, 5, 7, 8}) {
          const bool large = positions * head_dim * heads > (fast() ? 20000 : 200000);
          if (large && heads != 3 && heads != 1) continue;
          if (fast() && large && positions * head_dim > 100000) continue;
          const Data data = Data((positions + head_dim + heads) % 4);
          run_case(all, variant, positions, head_dim, heads, data, heads % 3 * 5);
          if (!large && heads == 2) {
            for (int d = 0; d < 4; ++d) run_case(all, variant, positions, head_dim, heads, Data(d), 0);
          }
        }
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
