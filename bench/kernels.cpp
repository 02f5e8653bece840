// The kernel microbenchmark: the limits of this machine (limits.h), then every kernel of every supported
// instruction set on the matrices of bench/shapes/*.txt, one thread, median of the calls that fit into
// --min-time. Prints a table; --json writes google-benchmark's format. Matrices are cycled through copies
// that exceed the caches (--cold-mb), as the weights of a real model are.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/choice.h"
#include "base/half.h"
#include "kernels/contract/attention.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/fgemm.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"
#include "kernels/registry.h"
#include "limits.h"
#include "machine/memory.h"
#include "packing/panels.h"
#include "sterna/cpu.h"

namespace {

using namespace sterna;
using kernels::Family;
using kernels::Kernel;

struct Shape {
  std::string name;
  size_t rows, depth;
};

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

struct Work {
  double macs = 0;   ///< Per call.
  double bytes = 0;  ///< Of weights per call; of inputs and outputs for the small operations.
  std::function<void(size_t call)> run;
};

struct Row {
  std::string name;
  size_t iterations;
  double median, best;  ///< Seconds.
  Work work;
};

/// Bytes that are the same in every run (xorshift), too many for a branch or a prefetcher to learn.
const std::vector<uint8_t>& noise() {
  static const std::vector<uint8_t> bytes = [] {
    std::vector<uint8_t> b(65536);
    uint64_t x = 88172645463325252u;
    for (uint8_t& v : b) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      v = uint8_t(x >> 32);
    }
    return b;
  }();
  return bytes;
}

void fill_noise(uint8_t* p, size_t n) {
  for (size_t i = 0; i < n; i += noise().size())
    std::memcpy(p + i, noise().data(), std::min(noise().size(), n - i));
}

/// Numbers in [-1, 1).
float noise_float(size_t i) { return float(int(noise()[i * 7 % noise().size()]) - 128) / 128.0f; }

std::vector<float> noise_floats(size_t n) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = noise_float(i);
  return v;
}

/// Weights of a benchmark: `copies` times `bytes`, in huge pages as those of a model are. One buffer serves
/// all benchmarks in turn.
class Weights {
 public:
  uint8_t* resize(size_t bytes, size_t cold_mb) {
    bytes_ = (bytes + 63) / 64 * 64;
    copies_ = std::max<size_t>(1, (cold_mb << 20) / std::max<size_t>(bytes_, 1));
    if (buffer_.bytes() < bytes_ * copies_) buffer_ = Buffer::allocate(bytes_ * copies_, /*huge=*/true);
    return copy(0);
  }
  uint8_t* copy(size_t i) { return buffer_.data() + i % copies_ * bytes_; }
  size_t copies() const { return copies_; }
  size_t bytes() const { return bytes_; }  ///< Of one copy.

 private:
  Buffer buffer_;
  size_t bytes_ = 0, copies_ = 1;
};

/// Larger matrices are cut to this: the rates are the same and the memory of a small machine suffices.
constexpr size_t kMaxMatrixBytes = size_t(512) << 20;

Work qgemm_work(const Kernel& kernel, const Shape& shape, size_t tokens, size_t cold_mb, size_t streams,
                Weights& weights) {
  formats::CodeSpec spec = cpu::example_spec(kernel.variant);
  // The block sizes of the usual formats: Q1_0 128, TQ2_0 and the K formats 256, all others 32.
  if (spec.fold == Fold::kBlock) spec.block = spec.bits == 1 ? 128 : spec.bits == 2 ? 256 : 32;
  const size_t block = spec.block ? spec.block : 32, depth = std::max<size_t>(1, shape.depth / block) * block;
  const size_t n_blocks = spec.block ? depth / block : 1, n_sums = spec.sub ? depth / spec.sub : n_blocks;
  const size_t panel_bytes = cpu::packed_layout(spec, 16, depth, false, spec.ternary).panel_bytes;
  const size_t n_rows = std::min(shape.rows, kMaxMatrixBytes / panel_bytes * 16);
  const cpu::PackedLayout layout = cpu::packed_layout(spec, n_rows, depth, false, spec.ternary);

  weights.resize(layout.bytes(), cold_mb);
  for (size_t i = 0; i < weights.copies() * layout.n_panels; ++i) {
    uint8_t* panel = weights.copy(i / layout.n_panels) + i % layout.n_panels * panel_bytes;
    fill_noise(panel, panel_bytes);
    for (size_t b = 0; b < n_blocks; b++)  // ordinary scales as f16, f32 and int8 alike
      std::memset(panel + layout.meta_at(b), 0x2c, layout.meta_bytes);
  }
  struct Inputs {
    std::vector<int8_t> act;
    std::vector<float> a_scale, out;
    std::vector<int32_t> a_sum;
    Buffer tables;
  };
  auto in = std::make_shared<Inputs>();
  in->act.resize(tokens * depth);
  cpu::example_activations(in->act.data(), in->act.size());
  in->a_scale.assign(tokens * n_blocks, 0.01f);
  in->a_sum.assign(tokens * n_sums, 5);
  in->out.resize(tokens * n_rows);

  kernels::QGemmArgs a = layout.args(nullptr);
  a.act = in->act.data(), a.act_stride = depth;
  a.a_scale = in->a_scale.data(), a.a_scale_stride = n_blocks;
  a.a_sum = in->a_sum.data(), a.a_sum_stride = n_sums;
  a.out = in->out.data(), a.out_stride = n_rows, a.n_rows = n_rows, a.n_tokens = tokens;
  a.n_streams = streams;
  if (kernels::looks_up(kernel)) {  // made once for all matrices: not part of the time
    a.table_bytes = kernels::table_bytes(a.n_chunks, spec.bits);
    in->tables = Buffer::allocate(tokens * a.table_bytes);
    for (size_t t = 0; t < tokens; ++t)
      cpu::make_tables(in->act.data() + t * depth, a.n_chunks, spec.bits,
                       in->tables.data() + t * a.table_bytes);
    a.tables = in->tables.data();
  }
  const auto fn = kernels::as<kernels::QGemmFn>(kernel);
  return {double(n_rows) * double(depth) * double(tokens), double(layout.bytes()),
          [=, &weights](size_t call) mutable {
            a.panels = weights.copy(call);
            fn(a);
            (void)in;
          }};
}

Work fgemm_work(const Kernel& kernel, const Shape& shape, size_t tokens, size_t cold_mb, Weights& weights) {
  const bool f32 = std::strcmp(kernel.variant, "f32") == 0, f16 = std::strcmp(kernel.variant, "f16") == 0;
  const size_t row_bytes = shape.depth * (f32 ? 4 : 2),
               n_rows = std::min(shape.rows, kMaxMatrixBytes / row_bytes);
  std::vector<uint8_t> row(row_bytes);
  for (size_t k = 0; k < shape.depth; ++k) {
    const float v = noise_float(k);
    const uint16_t half = f16 ? f32_to_f16(v) : f32_to_bf16(v);
    if (f32)
      std::memcpy(&row[4 * k], &v, 4);
    else
      std::memcpy(&row[2 * k], &half, 2);
  }
  weights.resize(n_rows * row_bytes, cold_mb);
  for (size_t i = 0; i < weights.copies() * n_rows; ++i) {
    std::memcpy(weights.copy(i / n_rows) + i % n_rows * row_bytes, row.data(), row_bytes);
  }
  auto x = std::make_shared<std::vector<float>>(noise_floats(tokens * shape.depth));
  auto out = std::make_shared<std::vector<float>>(tokens * n_rows);
  kernels::FGemmArgs a{};
  a.row_bytes = row_bytes, a.depth = shape.depth, a.x = x->data(), a.x_stride = shape.depth;
  a.out = out->data(), a.out_stride = n_rows, a.n_rows = n_rows, a.n_tokens = tokens;
  const auto fn = kernels::as<kernels::FGemmFn>(kernel);
  return {double(n_rows) * double(shape.depth) * double(tokens), double(n_rows * row_bytes),
          [=, &weights](size_t call) mutable {
            a.weights = weights.copy(call);
            fn(a);
            (void)x, (void)out;
          }};
}

/// The small operations, on vectors of n elements; attention of 4 heads of 128 over n positions.
Work small_work(const Kernel& kernel, size_t n) {
  struct Buffers {
    std::vector<float> x, y, z;
    std::vector<int8_t> codes;
    std::vector<int32_t> sum;
    std::vector<uint16_t> kv;
  };
  auto b = std::make_shared<Buffers>();
  n = (n + 255) / 256 * 256;
  b->x = noise_floats(n), b->y = b->x, b->z = b->x;
  const double touched = double(n) * 4;
  switch (kernel.family) {
    case Family::quantize: {
      b->codes.resize(n), b->sum.resize(n / 16);
      const auto fn = kernels::as<kernels::QuantizeFn>(kernel);
      return {0, touched, [=](size_t) {
                fn({b->x.data(), n, 256, 16, b->codes.data(), b->y.data(), b->sum.data()});
              }};
    }
    case Family::rmsnorm: {
      const auto fn = kernels::as<kernels::RmsNormFn>(kernel);
      return {0, 3 * touched, [=](size_t) { fn(b->x.data(), b->y.data(), n, 1e-5f, b->z.data()); }};
    }
    case Family::rope: {  // heads of 128, rotated by (0.6, 0.8) so that repetition neither grows nor shrinks
                          // them
      b->y.assign(64, 0.6f), b->z.assign(64, 0.8f);
      const auto fn = kernels::as<kernels::RopeFn>(kernel);
      return {0, 2 * touched, [=](size_t) {
                for (size_t i = 0; i < n / 128; ++i) fn(&b->x[i * 128], b->y.data(), b->z.data(), 128);
              }};
    }
    case Family::softmax: {
      const auto fn = kernels::as<kernels::SoftmaxFn>(kernel);
      return {0, 2 * touched, [=](size_t) { fn(b->x.data(), n, b->y.data()); }};
    }
    case Family::glu: {
      const auto fn = kernels::as<kernels::GluFn>(kernel);
      return {0, 3 * touched, [=](size_t) { fn(b->x.data(), b->y.data(), n, b->z.data()); }};
    }
    case Family::add: {  // of zeros: the sum must not grow to infinity over the repetitions
      b->x.assign(n, 0.0f);
      const auto fn = kernels::as<kernels::AddFn>(kernel);
      return {0, 3 * touched, [=](size_t) { fn(b->x.data(), n, b->y.data()); }};
    }
    case Family::attention: {
      constexpr size_t kHeads = 4, kDim = 128, kRow = kernels::partial_floats(kDim);
      b->kv.resize(n * kDim);
      for (size_t i = 0; i < b->kv.size(); ++i) b->kv[i] = f32_to_f16(noise_float(i));
      b->x.resize(kHeads * kDim), b->y.resize(kHeads * kRow);
      const auto fn = kernels::as<kernels::AttentionFn>(kernel);
      return {2.0 * double(kHeads * kDim * n), 4.0 * double(n * kDim), [=](size_t) {
                for (size_t i = 0; i < n; i += 256) {
                  const uint16_t* kv = b->kv.data() + i * kDim;
                  fn({b->x.data(), 0, kv, kv, 1, kHeads, kDim, 256, 0.088f, b->y.data(), kRow});
                }
              }};
    }
    case Family::merge: {
      constexpr size_t kDim = 128, kRow = kernels::partial_floats(kDim);
      b->x.assign(n / 256 * kRow, 1.0f), b->y.resize(kDim);
      const auto fn = kernels::as<kernels::MergeFn>(kernel);
      return {0, double(n / 256 * kRow) * 4,
              [=](size_t) { fn(b->x.data(), kRow, n / 256, kDim, b->y.data()); }};
    }
    case Family::weigh: {
      const auto fn = kernels::as<kernels::WeighFn>(kernel);
      return {0, 3 * touched, [=](size_t) {
                for (size_t i = 0; i < n; i += 256) {
                  float m, l;
                  fn(b->x.data() + i, b->y.data() + i, 256, b->z.data() + i, &m, &l);
                }
              }};
    }
    default:
      return {};
  }
}

Row measure(std::string name, Work work, double min_time) {
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
  return {std::move(name), times.size() * group, times[times.size() / 2], times[0], std::move(work)};
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

std::string escaped(const std::string& s) {
  std::string out;
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (uint8_t(c) >= 0x20) out += c;
  }
  return out;
}

bool write_json(const Options& o, const std::vector<Row>& rows) {
  std::FILE* f = std::fopen(o.json.c_str(), "w");
  if (!f) return std::fprintf(stderr, "cannot write %s\n", o.json.c_str()), false;
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
               o.min_time, o.cold_mb);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    std::fprintf(
        f,
        "%s\n    {\"name\": \"%s\", \"run_type\": \"aggregate\", \"aggregate_name\": \"median\", "
        "\"iterations\": %zu, "
        "\"real_time\": %.4f, \"best_time\": %.4f, \"time_unit\": \"us\", \"gmac_per_second\": %.4f, "
        "\"gbytes_per_second\": %.4f}",
        i ? "," : "", r.name.c_str(), r.iterations, r.median * 1e6, r.best * 1e6,
        r.work.macs / r.median * 1e-9, r.work.bytes / r.median * 1e-9);
  }
  std::fprintf(f, "\n  ]\n}\n");
  return std::fclose(f) == 0;
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
    rows.back().work.run = nullptr;
  };
  const auto limit = [&](const std::string& name, const Work& work, double seconds) {
    if (!wanted(name)) return;
    rows.push_back({name, 1, seconds, seconds, work});
    std::printf("%-58s %12.2f %10.2f %10.2f\n", name.c_str(), seconds * 1e6, work.macs / seconds * 1e-9,
                work.bytes / seconds * 1e-9);
  };
  if (wanted("limit/")) {
    weights.resize(std::max<size_t>(o.cold_mb, 1) << 20, 0);
    fill_noise(weights.copy(0), weights.bytes());
    for (int streams : {1, 2, 4, 8})
      limit("limit/read/" + std::to_string(streams), {0, double(weights.bytes()), nullptr},
            double(weights.bytes()) / bench::read_rate(weights.copy(0), weights.bytes(), streams));
    for (const bench::Peak& p : bench::integer_peaks())
      limit("limit/" + p.name + "/" + p.isa, {p.macs, 0, nullptr}, 1);
  }
  for (const kernels::Isa& isa : kernels::isas()) {
    if (!isa.supported()) continue;
    for (const Kernel* k : isa.kernels) {
      const std::string head = std::string(k->family_name) + "/" + k->variant + "/" +
                               (*k->algorithm ? std::string(k->algorithm) + "_" : "") + k->isa + "/";
      const bool matmul = k->family == Family::qgemm || k->family == Family::fgemm;
      for (const Shape& s : o.shapes) {
        if (!matmul) {
          if (wanted(head + s.name)) report(head + s.name, small_work(*k, s.depth));
          continue;
        }
        for (size_t tokens : o.tokens) {
          const std::string name = head + s.name + "/" + std::to_string(tokens);
          if (!wanted(name)) continue;
          report(name, k->family == Family::qgemm ? qgemm_work(*k, s, tokens, o.cold_mb, o.streams, weights)
                                                  : fgemm_work(*k, s, tokens, o.cold_mb, weights));
        }
      }
    }
  }
  if (rows.empty()) return std::fprintf(stderr, "no benchmark matches --filter %s\n", o.filter.c_str()), 1;
  return o.json.empty() || write_json(o, rows) ? 0 : 1;
}
