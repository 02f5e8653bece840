// The sampling chain; probabilities in double, sums in increasing order of rank.
#include "runtime/sampler.h"

#include <algorithm>
#include <bit>

#include "base/detmath.h"

namespace sterna::runtime {

Random::Random(uint64_t seed) {
  for (uint64_t& s : s_) {
    uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    s = z ^ (z >> 31);
  }
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(s_[1] * 5, 7) * 9, t = s_[1] << 17;
  s_[2] ^= s_[0], s_[3] ^= s_[1], s_[1] ^= s_[2], s_[0] ^= s_[3];
  s_[2] ^= t, s_[3] = std::rotl(s_[3], 45);
  return result;
}

int32_t Sampler::sample(std::span<float> logits, std::span<const int32_t> history) {
  const GenerateOptions& o = options_;
  if (o.repeat_penalty != 1.0f && o.repeat_last_n != 0) {
    const size_t n = o.repeat_last_n < 0 ? history.size() : std::min(history.size(), size_t(o.repeat_last_n));
    std::vector<int32_t> recent(history.end() - ptrdiff_t(n), history.end());
    std::sort(recent.begin(), recent.end());
    recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
    for (int32_t id : recent) {
      float& l = logits[size_t(id)];
      l = l > 0 ? l / o.repeat_penalty : l * o.repeat_penalty;
    }
  }
  if (o.temperature <= 0) return int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());

  std::vector<Candidate>& c = candidates_;
  c.clear();
  for (size_t i = 0; i < logits.size(); i++) c.push_back({logits[i], int32_t(i), 0});
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  const size_t k = o.top_k > 0 ? std::min(c.size(), size_t(o.top_k)) : c.size();
  std::partial_sort(c.begin(), c.begin() + ptrdiff_t(k), c.end(), better);
  c.resize(k);
  const auto normalize = [&](double temperature) {
    double sum = 0;
    for (Candidate& x : c) sum += x.p = detmath::exp((double(x.logit) - double(c[0].logit)) / temperature);
    for (Candidate& x : c) x.p /= sum;
  };
  normalize(1);
  if (o.top_p < 1) {  // the fewest whose probabilities reach top_p, at least one
    double sum = 0;
    size_t n = 0;
    while (n < c.size() && (n == 0 || sum < double(o.top_p))) sum += c[n++].p;
    c.resize(n);
  }
  if (o.min_p > 0) {
    const double least = double(o.min_p) * c[0].p;
    while (c.size() > 1 && c.back().p < least) c.pop_back();
  }
  normalize(double(o.temperature));
  double u = random_.uniform();
  for (const Candidate& x : c)
    if ((u -= x.p) < 0) return x.id;
  return c.back().id;
}

}  // namespace sterna::runtime
