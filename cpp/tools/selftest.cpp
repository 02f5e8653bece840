// sterna-run selftest: the kernels against the record, and, with a model, a load and a few tokens.
#include "sterna/selftest.h"

#include <cstdio>

#include "options.h"
#include "sterna/cpu.h"

namespace sterna::tools::commands {

int selftest(const Options& o) {
  std::printf("CPU: %s, %d usable\n", cpu_name(), usable_cpus());
  for (const IsaInfo& isa : isas())
    std::printf("%s: %s (needs %s)\n", isa.name.data(),
                !isa.supported ? "not on this machine"
                : isa.active() ? "in use"
                               : "forced off",
                isa.requires_.data());
  const Status status = selftest_kernels([](const std::string& line) { std::printf("%s\n", line.c_str()); });
  if (!status.ok()) return fail(status);

  if (!o.model.empty()) {
    auto model = load(o);
    if (!model.ok()) return fail(model.status());
    GenerateOptions greedy;
    greedy.temperature = 0;
    greedy.max_tokens = 8;
    greedy.ignore_eos = true;
    const auto result = model.value().generate("The", greedy, [](const Token&) { return !interrupted(); });
    if (!result.ok()) return fail(result.status());
    std::printf("model: 'The' continues with '%s'; tokens", result.value().text.c_str());
    for (const int32_t token : result.value().tokens) std::printf(" %d", token);
    std::printf("\n");
  }
  if (interrupted()) return kInterrupted;
  std::printf("selftest passed\n");
  return kSuccess;
}

}  // namespace sterna::tools::commands
