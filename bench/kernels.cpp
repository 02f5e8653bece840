// The kernel microbenchmark: the limits of this machine (limits.h), then every kernel of every supported
// instruction set on the matrices of bench/shapes/*.txt, one thread, median of the calls that fit into
// --min-time. Prints a table; --json writes google-benchmark's format. Matrices are cycled through copies
// that exceed the caches (--cold-mb), as the weights of a real model are.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/registry.h"
#include "limits.h"
#include "report.h"
#include "sterna/cpu.h"
#include "work.h"

namespace {

using namespace sterna;
using namespace sterna::bench;
using kernels::Family;
using kernels::Kernel;

struct Options {
  std::string filter, json;
  std::vector<Shape> shapes;
  std::vector<size_t> tokens{1, 4, 16, 128, 512};
  double min_time = 0.2;
  size_t cold_mb = 256, streams = 2;
};

constexpr char kUsage[] =
    "usage: sterna-bench-kernels [--filter TEXT] [--shapes FILE] [--tokens 1,4,16] [--min-time SECONDS]\n"
    "                            [--cold-mb MB] [--streams 2|4] [--json FILE]\n"
    "  --filter   only benchmarks whose name family/variant/isa/shape/tokens contains TEXT,\n"
    "             or one of several TEXT,TEXT,...\n"
    "  --shapes   lines `name rows depth`, # comments; default: square 2560 2560\n"
    "  --cold-mb  copies of a matrix are cycled through until they take this much; 0 = one copy, warm "
    "caches\n";

Work work_of(const Kernel& k, const Case& c) {
#define STERNA_FAMILY(name, function, what) \
  if (k.family == Family::name) return work_##name(k, c);
#include "kernels/contract/families.inc"
#undef STERNA_FAMILY
  return {};
}

Row measure(std::string name, const Work& work, double min_time) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  const auto warm = Clock::now();
  work.run(0);
  // Short calls are timed in groups of at least 10 us, or the clock would be measured.
  const size_t group = size_t(std::clamp(1e-5 / std::max(seconds(warm), 1e-9), 1.0, 1000.0));
  std::vector<double> times;
  size_t call = 1;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    for (size_t i = 0; i < group; ++i) work.run(call++);
    times.push_back(seconds(start) / double(group));
  } while (seconds(begin) < min_time);
  std::sort(times.begin(), times.end());
  return {std::move(name), times.size() * group, times[times.size() / 2], times[0], work.macs, work.bytes};
}

/// The lines of a shapes file; false and a message if it cannot be read.
bool read_shapes(const char* path, std::vector<Shape>* shapes) {
  std::FILE* f = std::fopen(path, "r");
  if (!f) return std::fprintf(stderr, "cannot open %s\n", path), false;
  char line[512], name[128];
  bool ok = true;
  for (int number = 1; ok && std::fgets(line, sizeof line, f); ++number) {
    size_t rows, depth;
    const char* text = line + std::strspn(line, " \t\r\n");
    if (!*text || *text == '#') continue;
    ok = std::sscanf(text, "%127s %zu %zu", name, &rows, &depth) == 3 && rows > 0 && depth > 0;
    if (ok)
      shapes->push_back({name, rows, depth});
    else
      std::fprintf(stderr, "%s:%d: expected `name rows depth`\n", path, number);
  }
  std::fclose(f);
  return ok;
}

bool parse(int argc, char** argv, Options* o) {
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    if (i + 1 == argc) return false;
    const char* value = argv[i + 1];
    if (flag == "--filter")
      o->filter = value;
    else if (flag == "--json")
      o->json = value;
    else if (flag == "--min-time")
      o->min_time = std::atof(value);
    else if (flag == "--cold-mb")
      o->cold_mb = std::strtoul(value, nullptr, 10);
    else if (flag == "--streams")
      o->streams = std::strtoul(value, nullptr, 10);
    else if (flag == "--shapes") {
      if (!read_shapes(value, &o->shapes)) return false;
    } else if (flag == "--tokens") {
      o->tokens.clear();
      for (const char* p = value; *p;) {
        char* end;
        const size_t n = std::strtoul(p, &end, 10);
        if (n == 0 || (*end && *end != ',')) return false;
        o->tokens.push_back(n);
        p = *end ? end + 1 : end;
      }
    } else {
      return false;
    }
  }
  if (o->shapes.empty()) o->shapes.push_back({"square", 2560, 2560});
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, &o)) return std::fputs(kUsage, stderr), 2;
  std::printf("%s, %d CPUs, one thread\n%-58s %12s %10s %10s\n", cpu_name(), usable_cpus(), "benchmark",
              "median us", "GMAC/s", "GB/s");
  Weights weights;
  std::vector<Row> rows;
  const auto wanted = [&](const std::string& name) {
    for (size_t begin = 0, end; begin <= o.filter.size(); begin = end + 1) {
      end = std::min(o.filter.find(',', begin), o.filter.size());
      if (name.find(o.filter.substr(begin, end - begin)) != std::string::npos) return true;
    }
    return false;
  };
  const auto report = [&](const std::string& name, const Work& work) {
    rows.push_back(measure(name, work, o.min_time));
    const Row& r = rows.back();
    std::printf("%-58s %12.2f %10.2f %10.2f\n", name.c_str(), r.median * 1e6, work.macs / r.median * 1e-9,
                work.bytes / r.median * 1e-9);
    std::fflush(stdout);
  };
  const auto limit = [&](const std::string& name, const Work& work, double seconds) {
    if (!wanted(name)) return;
    rows.push_back({name, 1, seconds, seconds, work.macs, work.bytes});
    std::printf("%-58s %12.2f %10.2f %10.2f\n", name.c_str(), seconds * 1e6, work.macs / seconds * 1e-9,
                work.bytes / seconds * 1e-9);
  };
  if (wanted("limit/")) {
    weights.resize(std::max<size_t>(o.cold_mb, 1) << 20, 0);
    fill_noise(weights.copy(0), weights.bytes());
    for (int streams : {1, 2, 4, 8})
      limit("limit/read/" + std::to_string(streams), {0, double(weights.bytes()), nullptr},
            double(weights.bytes()) / read_rate(weights.copy(0), weights.bytes(), streams));
    for (const Peak& p : integer_peaks()) limit("limit/" + p.name + "/" + p.isa, {p.macs, 0, nullptr}, 1);
  }
  for (const kernels::Isa& isa : kernels::isas()) {
    if (!isa.supported()) continue;
    for (const Kernel* k : isa.kernels) {
      const std::string head = std::string(kernels::family_name(k->family)) + "/" + k->variant + "/" +
                               (*k->algorithm ? std::string(k->algorithm) + "_" : "") + k->isa + "/";
      const bool matmul = k->family == Family::qgemm || k->family == Family::fgemm;
      for (const Shape& s : o.shapes)
        for (const size_t tokens : matmul ? o.tokens : std::vector<size_t>{1}) {
          const std::string name = head + s.name + (matmul ? "/" + std::to_string(tokens) : "");
          if (!wanted(name)) continue;
          const Work work = work_of(*k, {s, tokens, o.cold_mb, o.streams, weights});
          if (work.run) report(name, work);
        }
    }
  }
  if (rows.empty()) return std::fprintf(stderr, "no benchmark matches --filter %s\n", o.filter.c_str()), 1;
  return o.json.empty() || write_json(o.json, o.min_time, o.cold_mb, rows) ? 0 : 1;
}
