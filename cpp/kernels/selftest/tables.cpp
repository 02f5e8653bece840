// The self-test of the tables for matmul by lookup: large activations and small ones.
#include "kernels/names.h"
#include "kernels/selftest/families.h"

namespace sterna::kernels::selftest {

std::vector<float> tables(TablesFn* fn, std::string_view variant) {
  const TablesVariant* typed = tables_variant(variant);
  if (!typed) return {};
  Random r(5);
  const int bits = typed->bits;
  const size_t n_chunks = kDepth / 32, n_vectors = n_chunks * 2 * size_t(bits);
  auto act = bytes<int8_t>(r, kDepth, 255);
  for (size_t i = 0; i < kDepth / 2; i++) act[i] /= 4;  // small ones, which need no high bytes
  std::vector<Line> lines(table_bytes(n_chunks, bits) / 64);
  const Tables t = tables_at(lines[0].bytes, n_chunks, bits);
  fn({act.data(), n_chunks, t});
  std::vector<float> digested(t.low, t.low + 64 * n_vectors);
  for (size_t v = 0; v < n_vectors; v++) {
    digested.push_back(t.wide[v]);
    if (t.wide[v]) digested.insert(digested.end(), t.high + 64 * v, t.high + 64 * (v + 1));
  }
  for (size_t c = 0; c < n_chunks; c++) digested.push_back(float(t.least[c]));
  return digested;
}

}  // namespace sterna::kernels::selftest
