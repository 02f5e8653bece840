// The sampling chain; probabilities in double, sums in increasing order of rank.
#include "llm/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/detmath.h"

namespace sterna::engine {

cpu::Query Sampler::query(size_t rows) const {
  const GenerateOptions& o = options_;
  cpu::Query q{rows};
  if (penalized()) return q;
  if (o.temperature <= 0) {
    q.gap = 0;
    return q;
  }
  if (o.top_k > 0) q.top_k = size_t(o.top_k);
  // Only without top_p, which needs the sum over all that top_k left. The margin covers exp and log.
  if (o.min_p > 0 && o.top_p >= 1) q.gap = 1e-6 - detmath::log(double(o.min_p));
  return q;
}

int32_t Sampler::sample(std::span<cpu::Candidate> c, std::span<const int32_t> history) {
  const GenerateOptions& o = options_;
  for (cpu::Candidate& x : c)
    if (std::isnan(x.logit)) x.logit = -std::numeric_limits<float>::infinity();  // comes last, not anywhere
  if (penalized()) {
    const size_t n = o.repeat_last_n < 0 ? history.size() : std::min(history.size(), size_t(o.repeat_last_n));
    std::vector<int32_t> recent(history.end() - ptrdiff_t(n), history.end());
    std::sort(recent.begin(), recent.end());
    recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
    for (int32_t id : recent) {
      const auto at =
          std::lower_bound(c.begin(), c.end(), id, [](const auto& x, int32_t i) { return x.id < i; });
      if (at == c.end() || at->id != id) continue;
      at->logit = at->logit > 0 ? at->logit / o.repeat_penalty : at->logit * o.repeat_penalty;
    }
  }
  const auto better = [](const cpu::Candidate& a, const cpu::Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  if (o.temperature <= 0) return std::min_element(c.begin(), c.end(), better)->id;

  const size_t k = o.top_k > 0 ? std::min(c.size(), size_t(o.top_k)) : c.size();
  std::partial_sort(c.begin(), c.begin() + ptrdiff_t(k), c.end(), better);
  std::vector<double>& w = weights_;
  w.resize(k);
  const auto weigh = [&](double temperature) {  // returns the sum
    double sum = 0;
    for (size_t i = 0; i < w.size(); i++)
      // Equal ones first: a difference of infinities, which a tiny repeat_penalty can make, is not a number.
      sum += w[i] = c[i].logit == c[0].logit
                        ? 1
                        : detmath::exp((double(c[i].logit) - double(c[0].logit)) / temperature);
    return sum;
  };
  const double sum = weigh(1);
  if (o.top_p < 1) {  // the fewest whose probabilities reach top_p, at least one
    double reached = 0;
    size_t n = 0;
    while (n < w.size() && (n == 0 || reached < double(o.top_p))) reached += w[n++] / sum;
    w.resize(n);
  }
  // Weights are compared, not probabilities: the sum would depend on hopeless tokens.
  if (o.min_p > 0)
    while (w.size() > 1 && w.back() < double(o.min_p) * w[0]) w.pop_back();
  const double kept = weigh(double(o.temperature));
  double u = random_.uniform();
  for (size_t i = 0; i < w.size(); i++)
    if ((u -= w[i] / kept) < 0) return c[i].id;
  return c[w.size() - 1].id;
}

}  // namespace sterna::engine
