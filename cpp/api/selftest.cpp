// The public list of kernels and their self-test.
#include "sterna/selftest.h"

#include "base/public_call.h"
#include "kernels/registry.h"
#include "kernels/selftest/selftest.h"

namespace sterna {

Status list_kernels(const std::function<void(const KernelInfo&)>& visit) {
  return public_call("list_kernels", [&](FloatEnvironment& env) -> Status {
    const auto callback = env.outside(visit);
    for (const kernels::Isa& isa : kernels::isas())
      for (const kernels::Kernel* k : isa.kernels)
        callback({kernels::full_name(*k), kernels::family_name(k->family), k->variant, k->isa,
                  isa.supported(), kernels::find(k->family, k->variant) == k});
    return {};
  });
}

Status selftest_kernels(const std::function<void(const std::string&)>& report) {
  return public_call("selftest",
                     [&](FloatEnvironment& env) { return kernels::compare_kernels(env.outside(report)); });
}

}  // namespace sterna
