// Writes the report by hand: names here need no more than quotes escaped.
#include "report.h"

#include <cstdint>
#include <cstdio>
#include <ctime>

#include "sterna/cpu.h"

namespace sterna::bench {
namespace {

std::string escaped(const std::string& s) {
  std::string out;
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (uint8_t(c) >= 0x20) out += c;
  }
  return out;
}

}  // namespace

bool write_json(const std::string& path, double min_time, size_t cold_mb, const std::vector<Row>& rows) {
  std::FILE* f = std::fopen(path.c_str(), "w");
  if (!f) return std::fprintf(stderr, "cannot write %s\n", path.c_str()), false;
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  std::string isas;
  for (const IsaInfo& isa : sterna::isas()) {
    if (isa.supported) isas += (isas.empty() ? "\"" : ", \"") + std::string(isa.name) + "\"";
  }
  std::fprintf(f,
               "{\n  \"context\": {\"date\": \"%s\", \"cpu\": \"%s\", \"num_cpus\": %d, "
               "\"isas\": [%s], \"threads\": 1, \"compiler\": \"%s\", \"min_time\": %g, \"cold_mb\": %zu},\n"
               "  \"benchmarks\": [",
               date, escaped(cpu_name()).c_str(), usable_cpus(), isas.c_str(), escaped(__VERSION__).c_str(),
               min_time, cold_mb);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    std::fprintf(
        f,
        "%s\n    {\"name\": \"%s\", \"run_type\": \"aggregate\", \"aggregate_name\": \"median\", "
        "\"iterations\": %zu, "
        "\"real_time\": %.4f, \"best_time\": %.4f, \"time_unit\": \"us\", \"gmac_per_second\": %.4f, "
        "\"gbytes_per_second\": %.4f}",
        i ? "," : "", r.name.c_str(), r.iterations, r.median * 1e6, r.best * 1e6, r.macs / r.median * 1e-9,
        r.bytes / r.median * 1e-9);
  }
  std::fprintf(f, "\n  ]\n}\n");
  return std::fclose(f) == 0;
}

}  // namespace sterna::bench
