// What Linux tells of its CPUs in /proc and /sys; elsewhere only their number.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "machine/cpus.h"

namespace sterna::machine {
namespace {

/// "model name" of /proc/cpuinfo, read without C++ streams, which allocate.
struct Name {
  char text[128] = "unknown";
  Name() {
    std::FILE* info = std::fopen("/proc/cpuinfo", "re");
    if (!info) return;
    for (char line[256]; std::fgets(line, sizeof line, info);)
      if (std::sscanf(line, "model name : %127[^\n]", text) == 1) break;
    std::fclose(info);
  }
};

/// CPUs that the cgroup (v2, else v1) grants, rounded up; 0 if there is no limit.
int cgroup_cpus() {
  const auto scan = [](const char* path, const char* format, auto... numbers) {
    std::FILE* file = std::fopen(path, "re");
    if (!file) return -1;
    const int n = std::fscanf(file, format, numbers...);
    std::fclose(file);
    return n;
  };
  double quota = 0, period = 0;
  if (scan("/sys/fs/cgroup/cpu.max", "%lf %lf", &quota, &period) < 0) {  // there it may also be "max"
    scan("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "%lf", &quota);
    scan("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "%lf", &period);
  }
  return quota > 0 && period > 0 ? int(quota / period + 0.999) : 0;
}

}  // namespace

const char* cpu_name() {
  static const Name name;
  return name.text;
}

int usable_cpus() {
  int n = int(sysconf(_SC_NPROCESSORS_ONLN));
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
  if (const int quota = cgroup_cpus(); quota > 0) n = std::min(n, quota);
  return std::max(n, 1);
}

}  // namespace sterna::machine
