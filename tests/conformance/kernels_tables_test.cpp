// Conformance of the tables for matmul by lookup: equal to reference/tables.h for every kind of activations.
#include <cstring>

#include "conformance/kernel_cases.h"
#include "kernels/contract/tables.h"
#include "reference/tables.h"

namespace sterna::testing {
namespace {

/// Activations of every size: at most `top`, or all of them `top` in one sign or in both.
std::vector<std::vector<int8_t>> rows(size_t n) {
  std::vector<std::vector<int8_t>> all;
  Random random(n);
  for (int top : {0, 1, 20, 60, 64, 90, 127}) {
    std::vector<int8_t> x(n), same(n, int8_t(top)), mixed(n);
    for (size_t k = 0; k < n; ++k) {
      x[k] = int8_t(random.between(-top, top));
      mixed[k] = int8_t(random.between(0, 1) ? top : -top);
    }
    all.push_back(x), all.push_back(same), all.push_back(mixed);
  }
  std::vector<int8_t> x(n), lowest(n, int8_t(-128)), edge(n);
  for (size_t k = 0; k < n; ++k) {
    x[k] = int8_t(random.between(-128, 127));
    edge[k] = int8_t(k % 4 == 0 ? 62 + int(k / 32 % 4) : 64);  // sums of 254 to 257
  }
  all.push_back(x), all.push_back(lowest), all.push_back(edge);
  return all;
}

TEST_SUITE_BEGIN("kernels");

TEST_CASE("kernels: tables equal the reference") {
  KernelsOf<kernels::Family::tables> all;
  for (const std::string& variant : all.variants()) {
    const int bits = kernels::tables_variant(variant)->bits;
    for (size_t n : {32, 64, 96, 256, 2560}) {
      size_t i = 0;
      for (const std::vector<int8_t>& row : rows(n)) {
        const reference::LookupTables want = reference::lookup_tables(row.data(), n, bits);
        Guarded<int8_t> act(n);
        const size_t bytes = kernels::table_bytes(n / 32, bits);
        Guarded<uint8_t> tables(bytes);
        all.run(variant, "row " + std::to_string(i++) + " of " + std::to_string(n),
                [&](const kernels::Kernel& k) -> std::string {
                  kernels::TablesArgs args{act.fit(row.data(), n), n / 32, {}};
                  args.to = kernels::tables_at(tables.fit(bytes), n / 32, bits);
                  kernels::as<kernels::TablesFn>(k)(args);
                  if (!act.intact() || !tables.intact()) return "wrote outside a buffer";
                  std::string error = compare_ints("low", args.to.low, want.low.data(), want.low.size());
                  if (error.empty())
                    error = compare_ints("wide", args.to.wide, want.wide.data(), want.wide.size());
                  if (error.empty())
                    error = compare_ints("least", args.to.least, want.least.data(), want.least.size());
                  for (size_t v = 0; error.empty() && v < want.wide.size(); ++v)
                    if (want.wide[v])
                      error = compare_ints("high", args.to.high + 64 * v, &want.high[64 * v], 64);
                  return error;
                });
      }
    }
  }
  all.check_covered();
}

TEST_SUITE_END();

}  // namespace
}  // namespace sterna::testing
