// The product of chosen rows: as many inputs as tokens, four of five of them with a neighbour.
#include <memory>

#include "kernels/contract/rows.h"
#include "work.h"

namespace sterna::bench {

Work work_rows(const kernels::Kernel& kernel, const Case& c) {
  struct Rows {
    std::vector<float> x, w, acc;
    std::vector<int32_t> input, row;
  };
  const size_t n_panels = 4, depth = std::min<size_t>(c.shape.depth, 256);
  const auto v = std::make_shared<Rows>();
  for (size_t t = 0; t < std::max<size_t>(c.tokens, 1); t++) {
    if (t % 5 == 4) continue;
    v->input.push_back(int32_t(t));
    v->row.push_back(int32_t(t));
  }
  const size_t n = size_t(v->row.back()) + 1;
  v->x = noise_floats(n * depth), v->w = noise_floats(16 * n_panels * depth);
  v->acc.assign(n * 16 * n_panels, 0.0f);
  const auto fn = kernels::as<kernels::RowsFn>(kernel);
  const double macs = double(v->row.size()) * double(16 * n_panels * depth);
  return {macs, 4.0 * double(v->w.size()), [=](size_t) {
            fn({v->x.data(), depth, depth, v->w.data(), n_panels, v->input.data(), v->row.data(),
                v->row.size(), 0, v->acc.data(), 16 * n_panels});
          }};
}

}  // namespace sterna::bench
