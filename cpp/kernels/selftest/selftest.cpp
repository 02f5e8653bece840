// The self-test of the kernels: fixed inputs, every supported kernel against scalar byte for byte, scalar
// against digests recorded at release (digests.inc). A difference to the record means this machine, a
// difference to scalar means this kernel.
#include "kernels/selftest/selftest.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include "kernels/registry.h"
#include "kernels/selftest/families.h"

namespace sterna::kernels {
namespace {

std::vector<float> run(const Kernel& k) {
#define STERNA_FAMILY(name, function, what) \
  if (k.family == Family::name) return selftest::name(as<function>(k), k.variant);
#include "kernels/contract/families.inc"
#undef STERNA_FAMILY
  return {};  // no test: equals no digest
}

/// FNV-1a, 64 bits.
uint64_t digest(const std::vector<float>& v) {
  uint64_t h = 0xcbf29ce484222325;
  std::vector<uint8_t> b(v.size() * sizeof(float));
  std::memcpy(b.data(), v.data(), b.size());
  for (uint8_t x : b) h = (h ^ x) * 0x100000001b3;
  return h;
}

}  // namespace

Status compare_kernels(const std::function<void(const std::string&)>& report) {
#define STERNA_DIGEST(name, value) {name, value},
  const std::map<std::string, uint64_t> recorded = {
#include "kernels/selftest/digests.inc"
  };
#undef STERNA_DIGEST
  std::map<std::string, std::vector<float>> scalar;
  std::string wrong_machine, wrong_kernels;
  const std::span<const Isa> isas = kernels::isas();
  for (size_t i = isas.size(); i-- > 0;) {  // scalar is last in the list and first here
    if (!isas[i].supported()) continue;
    for (const Kernel* k : isas[i].kernels) {
      const std::vector<float> got = run(*k);
      const std::string base = base_name(*k), full = full_name(*k);
      const bool is_scalar = i + 1 == isas.size();
      if (is_scalar) scalar[base] = got;
      const auto record = recorded.find(base);
      char hex[20];
      std::snprintf(hex, sizeof hex, "0x%016llx", static_cast<unsigned long long>(digest(got)));
      if (is_scalar && (record == recorded.end() || record->second != digest(got))) {
        wrong_machine += (wrong_machine.empty() ? "" : ", ") + base;
        report(full + " FAILED: digest " + hex + " is not the recorded one");
      } else if (std::memcmp(got.data(), scalar[base].data(), got.size() * sizeof(float)) != 0) {
        wrong_kernels += (wrong_kernels.empty() ? "" : ", ") + full;
        report(full + " FAILED: differs from scalar");
      } else {
        report(full + " ok");
      }
    }
  }
  if (!wrong_machine.empty())
    return Status(
        Code::kCorrupt,
        "[selftest] this machine (or this build): plain scalar code gives other results than recorded: " +
            wrong_machine);
  if (!wrong_kernels.empty())
    return Status(Code::kCorrupt,
                  "[selftest] this kernel: " + wrong_kernels + "; force another instruction set");
  return {};
}

}  // namespace sterna::kernels
