// Building the planes, and the search of a query's rows; the proof is in screen.h.
#include "backends/cpu/screen.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/checked_math.h"

namespace sterna::cpu {
namespace {

constexpr float kStep = 0.335f;         ///< Of plane 1 in rms of a row: the best for a normal distribution.
constexpr double kUnit = 0x1p-23;       ///< Covers one float rounding (2^-24) of each element of a vector.
constexpr double kSlack = 1 + 0x1p-20;  ///< Covers the double arithmetic of a bound.
constexpr size_t kMaxDepth = 65504;     ///< Integer sums of 15 * 128 * depth stay far below 2^31.
constexpr size_t kChunk = 4096;         ///< Rows per task of the searches.
constexpr size_t kPause = 64;           ///< Tokens without an attempt after one that did not pay.

const formats::Format& rest_format() {
  static const formats::Format& f = *formats::by_name("Q4_0");
  return f;
}

/// At least the Euclidean norm; not finite if an element is not.
double norm(const float* x, size_t n) {
  double s[4] = {};
  size_t k = 0;
  for (; k + 4 <= n; k += 4)
    for (size_t j = 0; j < 4; j++) s[j] += double(x[k + j]) * double(x[k + j]);
  for (; k < n; k++) s[0] += double(x[k]) * double(x[k]);
  return std::sqrt((s[0] + s[1]) + (s[2] + s[3])) * (1 + 0x1p-30);
}

float round_up_to_float(double x) {
  const float f = float(x);
  return double(f) < x ? std::nextafterf(f, std::numeric_limits<float>::infinity()) : f;
}

/// Splits a row into step * (code - 8) + rest; at least |step * (code - 8)|. The step has 12 significant
/// bits, so the products are exact.
double quantize_row(const float* w, size_t n, double norm_w, float* step, uint8_t* codes, float* rest) {
  const float rms = float(norm_w / std::sqrt(double(n)));
  float s = std::bit_cast<float>(std::bit_cast<uint32_t>(kStep * rms) & 0xfffff000u);
  if (!(s > 0x1p-100f && s < 0x1p100f)) s = 0;  // nothing may under- or overflow
  const float inverse = s == 0 ? 0 : 1 / s;
  int squares = 0;
  for (size_t k = 0; k < n; k++) {
    float q = (w[k] * inverse + 0x1.8p23f) - 0x1.8p23f;  // to the nearest even
    q = q < -8 ? -8 : q;
    q = q > 7 ? 7 : q;
    rest[k] = w[k] - s * q;
    codes[k] = uint8_t(int(q) + 8);
    squares += int(q) * int(q);
  }
  *step = s;
  return double(s) * std::sqrt(double(squares)) * (1 + 0x1p-30);
}

/// rest = x - what int8 row `token` of the form stands for, or just the latter.
void difference(const Activations::Form& f, size_t token, const float* x, size_t n, float* rest) {
  const int8_t* codes = f.codes.as<int8_t>() + token * f.code_stride;
  const float* scales = f.scales.as<float>() + token * f.scale_stride;
  const size_t block = f.spec.block ? f.spec.block : n;
  for (size_t k = 0; k < n; k++) rest[k] = float(double(x[k]) - double(scales[k / block]) * codes[k]);
}
void values(const Activations::Form& f, size_t token, size_t n, float* x) {
  const int8_t* codes = f.codes.as<int8_t>() + token * f.code_stride;
  const float* scales = f.scales.as<float>() + token * f.scale_stride;
  for (size_t k = 0; k < n; k++) x[k] = scales[k / f.spec.block] * float(codes[k]);
}

}  // namespace

std::string Screen::refusal(const TensorRows& rows, const Linear& head) {
  const formats::CodeSpec& s = rows.format->codes;
  if (s.fold == Fold::kRow || s.has_min)
    return std::string("screening of type ") + rows.format->name + " is not implemented";
  if (rows.depth % 32 || rows.depth > kMaxDepth)
    return "screening needs rows of a multiple of 32, at most " + std::to_string(kMaxDepth) + " elements";
  if (head.terms.size() != 1) return "screening of a sum of terms is not implemented";
  if (head.scale != 1.0f || head.bias) return "screening with a scale or bias is not implemented";
  return "";
}

Result<std::unique_ptr<Screen>> Screen::make(const TensorRows& rows, const Linear& head, ThreadPool& pool) {
  std::unique_ptr<Screen> s(new Screen(head, pool));
  STERNA_RETURN_IF_ERROR(s->build(rows));
  return s;
}

Status Screen::build(const TensorRows& rows) {
  const Status oom(Code::kOutOfMemory, "no memory to screen it");
  const size_t depth = rows.depth, n_blocks = depth / 32;
  const formats::Format& q4 = rest_format();
  const formats::CodeSpec specs[2] = {{.fold = Fold::kRow, .bits = 4, .zero = 8}, q4.codes};
  PackedLayout layouts[2];
  for (int i = 0; i < 2; i++) {
    layouts[i] = packed_layout(specs[i], rows.rows, depth);
    planes_[i].panels = Buffer::allocate(layouts[i].bytes(), /*huge=*/true);
    if (planes_[i].panels.empty()) return oom;
  }
  norms_.resize(rows.rows);
  const size_t n_panels = layouts[0].n_panels;
  const size_t group = std::max<size_t>(1, n_panels / (size_t(pool_.size()) * 8));
  std::atomic<bool> finite{true}, memory{true};
  pool_.run(ceil_div(n_panels, group), [&](size_t task) {
    Buffer floats = Buffer::allocate(2 * depth * sizeof(float));
    Buffer bytes = Buffer::allocate(32 * (depth + n_blocks) + formats::row_bytes(q4, depth));
    Buffer scratch = Buffer::allocate(std::max<size_t>(1, rows.scratch_bytes()));
    if (floats.empty() || bytes.empty() || scratch.empty()) {
      memory = false;
      return;
    }
    float *w = floats.as<float>(), *rest = w + depth, steps[16];
    uint16_t* const d = bytes.as<uint16_t>();
    uint8_t* const codes1 = bytes.data() + 32 * n_blocks;
    uint8_t *const codes2 = codes1 + 16 * depth, *const row2 = codes2 + 16 * depth;
    for (size_t p = task * group; p < std::min(n_panels, (task + 1) * group); p++) {
      const size_t n = std::min<size_t>(16, rows.rows - 16 * p);
      if (n < 16) {
        std::memset(bytes.data(), 0, bytes.bytes());
        std::memset(steps, 0, sizeof steps);
      }
      for (size_t r = 0; r < n; r++) {
        const uint8_t* row = rows.row(16 * p + r, scratch.data());
        if (row) rows.decode(row, w);
        const double whole = row ? norm(w, depth) : NAN;
        if (!std::isfinite(whole)) {
          finite = false;
          return;
        }
        const double code1 = quantize_row(w, depth, whole, &steps[r], codes1 + r * depth, rest);
        const double rest1 = norm(rest, depth);
        q4.encode(rest, depth, row2);
        q4.unpack(row2, depth, {codes2 + r * depth, d + r * n_blocks, nullptr, nullptr, nullptr});
        q4.decode(row2, depth, 1, w);
        for (size_t k = 0; k < depth; k++) w[k] = rest[k] - w[k];
        const double rest2 = norm(w, depth);
        norms_[16 * p + r] = {round_up_to_float(code1), round_up_to_float(rest1 * (1 + kUnit)),
                              round_up_to_float(rest2 * (1 + kUnit) + rest1 * kUnit)};
      }
      pack_panel(layouts[0], {codes1, steps, nullptr, nullptr, nullptr},
                 planes_[0].panels.data() + p * layouts[0].panel_bytes);
      pack_panel(layouts[1], {codes2, d, nullptr, nullptr, nullptr},
                 planes_[1].panels.data() + p * layouts[1].panel_bytes);
    }
  });
  if (!memory) return oom;
  if (!finite) return Status(Code::kCorrupt, "one of its elements is not a finite number");
  for (int i = 0; i < 2; i++) {
    STERNA_ASSIGN(std::unique_ptr<Term> term, codes_term(layouts[i], planes_[i].panels.data()));
    planes_[i].linear = Linear(std::move(term));
  }
  for (const RowNorms& r : norms_) largest_row_ = std::max(largest_row_, double(r.code1) + double(r.rest1));
  const double n = double(depth / 16 + 33) * 0x1p-24;
  g_ = n / (1 - n);
  fine_.resize(2 * rows.rows), logits_.resize(rows.rows);
  marks_.resize(rows.rows);
  x_.resize(depth), rest_.resize(depth);
  return {};
}

size_t Screen::bytes() const {
  return planes_[0].linear.bytes() + planes_[1].linear.bytes() + norms_.size() * sizeof(RowNorms);
}

bool Screen::worthwhile(size_t n) {
  const bool now = pause_ == 0;
  pause_ -= std::min(pause_, n);
  return now;
}

/// Gives a plane token i; returns |e| + g (|x8| + |y8|).
double Screen::quantize(Plane& p, size_t i, const float* x, double norm_x) {
  const size_t depth = p.linear.depth;
  const Activations::Form& form = p.acts.form(p.linear.terms[0]->form());
  float* const left = p.acts.row(2 * i + 1);
  std::memcpy(p.acts.row(2 * i), x, depth * sizeof(float));
  p.acts.quantize(2 * i);
  difference(form, 2 * i, x, depth, left);
  p.acts.quantize(2 * i + 1);
  difference(form, 2 * i + 1, left, depth, rest_.data());
  const double first = norm(left, depth), second = norm(rest_.data(), depth);
  return (second + kUnit * (first + second) + g_ * (norm_x + 2 * first + second)) * kSlack;
}

Status Screen::scan(const Activations& acts, size_t first, size_t n) {
  const size_t rows = head_.rows, depth = head_.depth;
  if (room_ < n) {
    room_ = 0;  // if one of these fails
    for (Plane& p : planes_) {
      STERNA_RETURN_IF_ERROR(p.linear.bind(p.acts, 2 * n));
      STERNA_RETURN_IF_ERROR(p.acts.reserve());
    }
    room_ = n;
  }
  for (Plane& p : planes_) {
    const Linear* const reader[] = {&p.linear};
    begin(p.acts, reader);
  }
  acts_ = &acts, first_ = first;
  tokens_.resize(n);
  coarse_.resize(std::max(coarse_.size(), 2 * n * rows));
  for (size_t i = 0; i < n; i++) {
    const float* x = acts.row(first + i);
    if (quantized()) {
      values(acts.form(head_.terms[0]->form()), first + i, depth, x_.data());
      x = x_.data();
    }
    const double norm_x = norm(x, depth);
    const double a1 = quantize(planes_[0], i, x, norm_x), a2 = quantize(planes_[1], i, x, norm_x);
    const double rounding = g_ * norm_x;
    tokens_[i] = {norm_x > 0x1p-60 && norm_x < 0x1p60 && norm_x * largest_row_ < 0x1p100,
                  a1 + rounding,
                  norm_x + rounding,
                  a1 + rounding,
                  a2 + rounding,
                  norm_x + a2};
  }
  const Product product = Product::whole(planes_[0].linear, 0, 2 * n, coarse_.data());
  matmul(pool_, planes_[0].acts, {&product, 1});
  return {};
}

Screen::Estimate Screen::coarse(size_t i, size_t row) const {
  const float* v = coarse_.data() + 2 * i * norms_.size() + row;
  const Token& t = tokens_[i];
  const RowNorms& r = norms_[row];
  return {double(v[0]) + double(v[norms_.size()]),
          (t.coarse_code1 * double(r.code1) + t.coarse_rest1 * double(r.rest1)) * kSlack + 0x1p-100};
}

Screen::Estimate Screen::fine(size_t i, size_t row) const {
  const Token& t = tokens_[i];
  const RowNorms& r = norms_[row];
  return {coarse(i, row).value + (double(fine_[row]) + double(fine_[norms_.size() + row])),
          (t.fine_code1 * double(r.code1) + t.fine_rest1 * double(r.rest1) + t.fine_rest2 * double(r.rest2)) *
                  kSlack +
              0x1p-100};
}

/// Fills fine_ of these (sorted) panels. Neighbours are multiplied together: a kernel reads several streams.
void Screen::refine(size_t i, std::span<const uint32_t> panels) {
  const Plane& p = planes_[1];
  constexpr size_t kGroup = 32;
  pool_.run(ceil_div(panels.size(), kGroup), [&](size_t task) {
    const size_t end = std::min(panels.size(), (task + 1) * kGroup);
    for (size_t j = task * kGroup, next; j < end; j = next) {
      for (next = j + 1; next < end && panels[next] == panels[next - 1] + 1;) next++;
      const size_t row = size_t(16) * panels[j];
      p.linear.multiply(p.acts, 2 * i, 2, row, std::min((next - j) * 16, norms_.size() - row),
                        fine_.data() + row, norms_.size());
    }
  });
}

/// Fills logits_ of these (sorted) rows; whole panels if the matrix is quantized.
uint64_t Screen::exact(size_t i, std::span<const uint32_t> rows) {
  const size_t unit = head_.unit();
  std::vector<uint32_t> units;
  for (const uint32_t r : rows)
    if (units.empty() || units.back() != r / unit) units.push_back(uint32_t(r / unit));
  constexpr size_t kGroup = 32;
  pool_.run(ceil_div(units.size(), kGroup), [&](size_t task) {
    const size_t end = std::min(units.size(), (task + 1) * kGroup);
    for (size_t j = task * kGroup, next; j < end; j = next) {
      for (next = j + 1; next < end && units[next] == units[next - 1] + 1;) next++;
      const size_t row = unit * units[j];
      head_.multiply(*acts_, first_ + i, 1, row, std::min((next - j) * unit, norms_.size() - row),
                     logits_.data() + row, norms_.size());
    }
  });
  return units.size() * unit * (head_.bytes() / norms_.size());
}

/// The indices below n that `keep` wants, in order. Each task has its own part of the memory, made before.
template <class Keep>
std::vector<uint32_t> Screen::select(size_t n, Keep keep) {
  std::vector<uint32_t> found(n);
  std::vector<size_t> counts(ceil_div(n, kChunk));
  pool_.run(counts.size(), [&](size_t task) {
    for (size_t j = task * kChunk; j < std::min(n, (task + 1) * kChunk); j++)
      if (keep(j)) found[task * kChunk + counts[task]++] = uint32_t(j);
  });
  auto end = found.begin();
  for (size_t task = 0; task < counts.size(); task++)
    end = std::copy_n(found.begin() + ptrdiff_t(task * kChunk), counts[task], end);
  found.erase(end, found.end());
  return found;
}

/// The n rows with the largest values after plane 1, in order of rows.
std::vector<uint32_t> Screen::best(size_t i, size_t rows, size_t n) {
  using Item = std::pair<double, uint32_t>;
  std::vector<std::vector<Item>> parts(ceil_div(rows, kChunk));
  for (std::vector<Item>& part : parts) part.reserve(std::min(n, kChunk));  // not by the tasks
  pool_.run(parts.size(), [&](size_t task) {
    std::vector<Item>& heap = parts[task];  // the smallest in front
    for (size_t r = task * kChunk; r < std::min(rows, (task + 1) * kChunk); r++) {
      const Item item{coarse(i, r).value, uint32_t(r)};
      if (heap.size() == n) {
        if (item <= heap.front()) continue;
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        heap.pop_back();
      }
      heap.push_back(item);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  });
  std::vector<Item> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  std::nth_element(all.begin(), all.begin() + ptrdiff_t(n - 1), all.end(), std::greater<>());
  std::vector<uint32_t> result;
  for (size_t j = 0; j < n; j++) result.push_back(all[j].second);
  std::sort(result.begin(), result.end());
  return result;
}

/// Marks of some rows while it lives, however the call ends.
class Screen::Marks {
 public:
  Marks(std::vector<uint8_t>& of, std::span<const uint32_t> units, uint32_t unit)
      : of_(of), units_(units), unit_(unit) {
    set(1);
  }
  ~Marks() { set(0); }
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;
  bool operator[](size_t row) const { return of_[row]; }

 private:
  void set(uint8_t mark) {
    for (const uint32_t u : units_) of_[size_t(unit_) * u] = mark;
  }
  std::vector<uint8_t>& of_;
  std::span<const uint32_t> units_;
  uint32_t unit_;
};

bool Screen::candidates(size_t i, const Query& q, std::vector<Candidate>& out, ScreenStats& stats) {
  const size_t k = std::max<size_t>(1, q.top_k);
  if (q.all() || k > q.rows / 8 || !tokens_[i].usable) return false;
  const uint64_t full = head_.bytes();
  uint64_t bytes = planes_[0].linear.bytes() / tokens_.size();

  std::vector<uint32_t> rows = best(i, q.rows, std::min(q.rows, 2 * k));
  bytes += exact(i, rows);
  std::vector<float> seeds;
  for (const uint32_t r : rows) seeds.push_back(logits_[r]);
  std::sort(seeds.begin(), seeds.end(), std::greater<>());
  const double threshold = q.threshold(seeds);
  const auto survives = [&](const Estimate& e) { return !(e.value + e.error < threshold); };

  const std::vector<uint32_t> after_4 = [&] {
    const Marks known(marks_, rows, 1);
    return select(q.rows, [&](size_t r) { return !known[r] && survives(coarse(i, r)); });
  }();

  // Panels where plane 2 is less to read than the rows themselves.
  std::vector<uint32_t> panels;
  const size_t unit = head_.unit();
  const uint64_t unit_bytes = head_.terms[0]->unit_bytes,
                 panel_bytes = planes_[1].linear.terms[0]->unit_bytes;
  for (size_t j = 0, next; j < after_4.size(); j = next) {
    for (next = j; next < after_4.size() && after_4[next] / 16 == after_4[j] / 16;) next++;
    if ((unit == 16 ? 1 : next - j) * unit_bytes > panel_bytes) panels.push_back(after_4[j] / 16);
  }
  bytes += panels.size() * panel_bytes;
  if (bytes >= full) {
    pause_ = kPause;
    return false;
  }
  refine(i, panels);
  const std::vector<uint32_t> kept = [&] {
    const Marks refined(marks_, panels, 16);  // the panels' first rows
    return select(after_4.size(), [&](size_t j) {
      const uint32_t r = after_4[j];
      return !refined[r & ~15u] || survives(fine(i, r));
    });
  }();
  std::vector<uint32_t> after_8;
  for (const uint32_t j : kept) after_8.push_back(after_4[j]);
  bytes += exact(i, after_8);

  const size_t n_seeds = rows.size();
  rows.insert(rows.end(), after_8.begin(), after_8.end());
  std::inplace_merge(rows.begin(), rows.begin() + ptrdiff_t(n_seeds), rows.end());
  out.clear();
  for (const uint32_t r : rows) out.push_back({int32_t(r), logits_[r]});
  stats.tokens++, stats.after_4 += n_seeds + after_4.size(), stats.after_8 += rows.size(),
      stats.bytes += bytes;
  if (bytes >= full) pause_ = kPause;
  return true;
}

}  // namespace sterna::cpu
