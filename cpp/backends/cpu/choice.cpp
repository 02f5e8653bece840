// Measuring kernels of a variant against each other, and the file that remembers the result.
#include "backends/cpu/choice.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>

#include "base/checked_math.h"
#include "kernels/contract/tables.h"
#include "machine/cache_file.h"
#include "machine/cpus.h"
#include "machine/memory.h"
#include "packing/example.h"

namespace sterna::cpu {
namespace {

using kernels::Family;
using kernels::Kernel;
using Clock = std::chrono::steady_clock;

enum class Mode { kEnvironment, kMeasured, kFresh, kBuiltin };
std::atomic<Mode> set_mode{Mode::kEnvironment};

Result<Mode> mode_of(std::string_view name, const char* who) {
  if (name.empty() || name == "auto") return Mode::kEnvironment;
  if (name == "measured") return Mode::kMeasured;
  if (name == "fresh") return Mode::kFresh;
  if (name == "builtin") return Mode::kBuiltin;
  return Status(Code::kInvalidArgument, std::string("[") + who + "] got '" + std::string(name) +
                                            "', expected measured, fresh, builtin or auto");
}

Result<Mode> mode() {
  Mode m = set_mode;
  if (m == Mode::kEnvironment) {
    const char* env = std::getenv("STERNA_CHOICE");
    STERNA_ASSIGN(m, mode_of(env ? env : "", "STERNA_CHOICE"));
  }
  return m == Mode::kEnvironment ? Mode::kMeasured : m;
}

/// What a choice depends on besides the variant: the first lines of the file.
std::string key() {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a of the names of all kernels that this machine can run
  std::string isas;
  for (const kernels::Isa& isa : kernels::isas()) {
    if (!isa.supported()) continue;
    isas += std::string(" ") + isa.name;
    for (const Kernel* k : isa.kernels)
      for (const char c : kernels::full_name(*k) + "\n") hash = (hash ^ uint8_t(c)) * 0x100000001b3;
  }
  return "sterna " STERNA_VERSION " choice of kernels\ncpu " + std::string(machine::cpu_name()) + "\nisas" +
         isas + "\nlist " + std::to_string(hash) + "\n";
}

constexpr size_t kMaxFileBytes = 1 << 16;

// Time is bounded by rounds and by seconds; in a round every kernel multiplies the whole matrix.
constexpr int kRounds = 5;
constexpr double kSecondsPerCase = 0.04;
/// One token reads each weight once: its matrix is larger than most caches, like a model. With more tokens a
/// task works on some hundred rows that stay in cache.
constexpr size_t kStreamedBytes = 32 << 20, kCachedRows = 256, kDepth = 2560;
/// Rows per call: like the tasks of matmul().
constexpr size_t kRowsPerCall = 128;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Choice builtin(const Kernel* k, const char* why) {
  Choice c;
  c.kernel.fill(k);
  c.why = why;
  return c;
}

/// The choices in the text of a file, by variant; none if anything in it is wrong.
std::map<std::string, Choice> parse(const std::string& text) {
  const std::string head = key();
  if (!text.starts_with(head)) return {};
  std::istringstream lines(text.substr(head.size()));
  std::map<std::string, Choice> found;
  for (std::string line; std::getline(lines, line);) {  // "w2_row kernel kernel kernel kernel"
    std::istringstream words(line);
    std::string variant;
    words >> variant;
    Choice c;
    c.why = "cached";
    const auto few = plausible(variant);
    for (const Kernel*& k : c.kernel) {
      std::string name;
      words >> name;
      const auto is = [&](const Kernel* candidate) { return kernels::full_name(*candidate) == name; };
      const auto it = std::find_if(few.begin(), few.end(), is);
      if (it == few.end()) return {};
      k = *it;
    }
    if (words >> variant || !found.emplace(variant, c).second) return {};
  }
  return found;
}

/// Position of the instruction set of a packing's kernels among all; their number if it has none.
size_t rank(const Packing& p, const formats::CodeSpec& spec) {
  const Kernel* k = kernels::find(p.variant(spec));
  size_t i = 0;
  while (i < kernels::isas().size() && !(k && k->isa == std::string_view(kernels::isas()[i].name))) i++;
  return i;
}

}  // namespace

const Packing& choose_packing(const formats::CodeSpec& spec) {
  const Packing* best = nullptr;
  for (const Packing* p : packings())
    if (p->accepts(spec) && (!best || rank(*p, spec) < rank(*best, spec))) best = p;
  return best ? *best : packing::panels;
}

std::string Choice::names() const {
  std::string s = kernels::full_name(*kernel[0]);
  for (size_t i = 1; i < kTokenCases; i++)
    if (kernel[i] != kernel[i - 1])
      s += ", from " + std::to_string(kFrom[i]) + " tokens " + kernels::full_name(*kernel[i]);
  return s;
}

std::vector<const Kernel*> plausible(std::string_view variant) {
  std::vector<const Kernel*> all = kernels::candidates(Family::qgemm, variant), few;
  std::vector<std::string_view> isas;
  for (const Kernel* k : all) {
    if (isas.empty() || isas.back() != k->isa) isas.push_back(k->isa);
    if (isas.size() > 2 || (isas.size() == 2 && isas.back() == "scalar")) break;
    few.push_back(k);
  }
  return few;
}

void example_activations(int8_t* act, size_t n) {
  uint32_t state = 1;
  const auto uniform = [&] { return int32_t((state = state * 1664525 + 1013904223) >> 24) - 128; };
  for (size_t i = 0; i < n; i++) act[i] = int8_t((uniform() + uniform() + uniform()) / 3);
}

Result<std::vector<double>> measure(std::span<const Kernel* const> kernels, const PackedLayout& l,
                                    size_t n_tokens) {
  const formats::CodeSpec& spec = l.spec;
  const size_t rows = l.rows, depth = l.depth;
  const size_t n_blocks = spec.block ? depth / spec.block : 1,
               n_subs = spec.sub ? depth / spec.sub : n_blocks, act_stride = round_up(depth, 64);
  const Buffer panels = Buffer::allocate(l.bytes(), /*huge=*/true),
               act = Buffer::allocate(n_tokens * act_stride),
               source = Buffer::allocate(16 * (depth + 8 * n_blocks + 2 * n_subs)),
               out = Buffer::allocate(n_tokens * rows * sizeof(float));
  if (panels.empty() || act.empty() || source.empty() || out.empty())
    return Status(Code::kOutOfMemory,
                  "[choice] no memory to measure kernels on " + std::to_string(l.bytes()) + " bytes");
  // One panel of arbitrary codes with small scales, many times. Scales and sums of activations stay zero: no
  // kernel's time depends on their values.
  uint32_t state = 1;
  const auto arbitrary = [&] { return uint8_t((state = state * 1664525 + 1013904223) >> 24); };
  const int n_codes = spec.ternary ? 3 : 1 << spec.bits;
  uint8_t* const codes = source.data();
  for (size_t i = 0; i < 16 * depth; i++) codes[i] = uint8_t(arbitrary() % n_codes);
  if (spec.grid) to_patterns(spec, codes, 16 * depth);
  const uint8_t* const scales = codes + 16 * depth;
  pack_panel(l, {codes, scales, scales, reinterpret_cast<const int8_t*>(scales), scales}, panels.data());
  for (size_t p = 1; p < l.n_panels; p++)
    std::memcpy(panels.data() + p * l.panel_bytes, panels.data(), l.panel_bytes);
  example_activations(act.as<int8_t>(), act.bytes());
  const Buffer zeros = Buffer::allocate(n_tokens * n_subs * sizeof(float));
  if (zeros.empty()) return Status(Code::kOutOfMemory, "[choice] no memory to measure kernels");

  const size_t table_bytes = spec.bits <= 2 ? kernels::table_bytes(l.n_chunks, spec.bits) : 0;
  const Buffer tables = Buffer::allocate(n_tokens * table_bytes);
  if (table_bytes) {
    if (tables.empty()) return Status(Code::kOutOfMemory, "[choice] no memory to measure kernels");
    for (size_t t = 0; t < n_tokens; t++)
      kernels::make_tables(act.as<int8_t>() + t * act_stride, l.n_chunks, spec.bits,
                           tables.data() + t * table_bytes);
  }

  // The best time of each call, added up: an interruption spoils one of many short calls in one round.
  const size_t n_calls = ceil_div(rows, kRowsPerCall);
  std::vector<double> best(kernels.size() * n_calls, std::numeric_limits<double>::infinity()), total;
  const auto start = Clock::now();
  for (int round = 0; round < kRounds; round++) {
    for (size_t i = 0; i < best.size(); i++) {
      const size_t row = i % n_calls * kRowsPerCall;
      const kernels::QGemmArgs args =
          l.args(panels.data() + row / 16 * l.panel_bytes,
                 {act.as<int8_t>(), act_stride, zeros.as<float>(), n_blocks, zeros.as<int32_t>(), n_subs,
                  n_tokens, tables.data(), table_bytes},
                 {out.as<float>() + row, rows, std::min(kRowsPerCall, rows - row), kStreams});
      const auto begin = Clock::now();
      kernels::as<kernels::QGemmFn> (*kernels[i / n_calls])(args);
      best[i] = std::min(best[i], seconds_since(begin));
    }
    if (round > 0 && seconds_since(start) > kSecondsPerCase) break;
  }
  for (size_t i = 0; i < kernels.size(); i++)
    total.push_back(std::accumulate(&best[i * n_calls], &best[i * n_calls] + n_calls, 0.0));
  return total;
}

size_t winner(std::span<const double> seconds) {
  const size_t best = size_t(std::min_element(seconds.begin(), seconds.end()) - seconds.begin());
  return seconds[best] < 0.95 * seconds[0] ? best : 0;
}

struct ChoiceTable::Entry {
  std::string variant;
  Choice choice;
  const Entry* next;
};

ChoiceTable::~ChoiceTable() {
  for (const Entry* e = entries_; e;) delete std::exchange(e, e->next);
}

/// `fresh`: what the file said does not count.
const ChoiceTable::Entry* ChoiceTable::find(std::string_view variant, bool fresh) const {
  for (const Entry* e = entries_; e; e = e->next)
    if (e->variant == variant && !(fresh && std::string_view(e->choice.why) == "cached")) return e;
  return nullptr;
}

/// Unless another thread was faster: its choice holds for both.
Choice ChoiceTable::add(const std::string& variant, const Choice& choice, bool fresh) {
  auto entry = std::make_unique<Entry>(Entry{variant, choice, entries_});
  do {
    if (const Entry* known = find(variant, fresh)) return known->choice;
  } while (!entries_.compare_exchange_weak(entry->next, entry.get()));
  return entry.release()->choice;
}

Result<Choice> ChoiceTable::choose(const PackedLayout& like, bool fresh) {
  const formats::CodeSpec& spec = like.spec;
  const std::string variant = kernels::name_of(like.variant());
  const std::vector<const Kernel*> few = plausible(variant);
  if (few.size() == 1) return builtin(few[0], "builtin");
  if (!fresh && !read_)
    for (const auto& [name, choice] : parse(machine::read_small_file(path_, kMaxFileBytes)))
      add(name, choice, false);
  read_ = true;
  if (const Entry* known = find(variant, fresh)) return known->choice;

  Choice c;
  c.why = "measured";
  const size_t depth = spec.block ? std::max<size_t>(1, kDepth / spec.block) * spec.block : kDepth;
  const auto layout = [&](size_t rows) { return like.packing->layout(spec, rows, depth); };
  for (size_t i = 0; i < kTokenCases; i++) {
    const size_t rows = i == 0 ? std::max<size_t>(1, kStreamedBytes / layout(16).bytes()) * 16 : kCachedRows;
    const auto seconds = measure(few, layout(rows), kMeasured[i]);
    if (!seconds.ok()) return builtin(few[0], "builtin");  // no memory: the caller needs it more
    c.kernel[i] = few[winner(seconds.value())];
  }
  c = add(variant, c, fresh);
  write();
  return c;
}

/// What another process has measured meanwhile stays in the file.
void ChoiceTable::write() const {
  if (path_.empty()) return;
  std::map<std::string, Choice> all;
  for (const Entry* e = entries_; e; e = e->next) all.emplace(e->variant, e->choice);
  all.merge(parse(machine::read_small_file(path_, kMaxFileBytes)));
  std::string text = key();
  for (const auto& [variant, choice] : all) {
    text += variant;
    for (const Kernel* k : choice.kernel) text += " " + kernels::full_name(*k);
    text += "\n";
  }
  machine::replace_file(path_, text);
}

namespace {

/// One for the process, never taken away: other threads may use it until the very end. Not a static object of
/// a function: making one takes a lock, which a forked process would find taken.
ChoiceTable& shared_table() {
  static constinit std::atomic<ChoiceTable*> shared = nullptr;
  ChoiceTable* table = shared;
  if (table) return *table;
  auto made = std::make_unique<ChoiceTable>(machine::cache_file());
  return shared.compare_exchange_strong(table, made.get()) ? *made.release() : *table;
}

}  // namespace

Result<Choice> choose(const PackedLayout& like) {
  STERNA_RETURN_IF_ERROR(kernels::first_active_isa().status());
  STERNA_ASSIGN(const Mode m, mode());
  const Kernel* first = kernels::find(like.variant());
  if (!first)
    return Status(Code::kUnsupported,
                  "no kernel for weights of " + std::to_string(like.spec.bits) + " bits with such scales");
  if (kernels::isa_is_forced()) return builtin(first, "forced");
  if (m == Mode::kBuiltin) return builtin(first, "builtin");
  return shared_table().choose(like, m == Mode::kFresh);
}

Status set_choice_mode(std::string_view name) {
  STERNA_ASSIGN(set_mode, mode_of(name, "set_kernel_choice"));
  return {};
}

}  // namespace sterna::cpu
