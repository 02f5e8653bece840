// The weight formats: known bytes give known values (data/<format>.txt), codes and values agree on any bytes,
// and the questions about ids, names and sizes have the right answers.
#include <doctest/doctest.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/fold.h"
#include "base/half.h"
#include "formats/format.h"

TEST_SUITE_BEGIN("formats");

namespace {

using namespace sterna;
using formats::CodeSpec;
using formats::Format;

struct Case {
  std::string name;
  size_t elems = 0;
  std::map<size_t, uint8_t> bytes;
  std::map<size_t, float> expect;
  bool has_rest = false;
  float rest = 0;
};

// Grammar: see data/f32.txt. An unknown word is a failure, so that a typing error cannot switch a check off.
std::vector<Case> read_cases(const std::string& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), "cannot read " << path);
  std::string line, word;
  while (std::getline(file, line)) {
    std::istringstream in(line);
    if (!(in >> word) || word[0] == '#') continue;
    if (word == "case") cases.emplace_back().name = line;
    REQUIRE_MESSAGE(!cases.empty(), path << ": '" << line << "' before the first case");
    Case& c = cases.back();
    if (word == "elems") {
      in >> c.elems;
    } else if (word == "bytes") {
      in >> word;
      size_t at = std::stoul(word);
      while (in >> word) c.bytes[at++] = uint8_t(std::stoul(word, nullptr, 16));
    } else if (word == "expect") {
      while (in >> word) {
        const size_t eq = word.find('='), dots = word.find("..");
        REQUIRE_MESSAGE(eq != std::string::npos, path << ": " << word);
        const size_t first = std::stoul(word), last = dots < eq ? std::stoul(word.substr(dots + 2)) : first;
        for (size_t i = first; i <= last; ++i) c.expect[i] = std::strtof(word.c_str() + eq + 1, nullptr);
      }
    } else if (word == "rest") {
      in >> word;
      c.has_rest = true;
      c.rest = std::strtof(word.c_str(), nullptr);
    } else {
      REQUIRE_MESSAGE(word == "case", path << ": unknown word '" << word << "'");
    }
  }
  return cases;
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// An allocation of exactly n items: one byte too far is seen by a sanitizer or valgrind.
template <class T>
std::unique_ptr<T[]> exact(size_t n) {
  return std::unique_ptr<T[]>(new T[n]());
}

std::vector<float> decode(const Format& f, const std::vector<uint8_t>& tensor, size_t n) {
  auto row = exact<uint8_t>(row_bytes(f, n));
  std::memcpy(row.get(), tensor.data(), row_bytes(f, n));
  auto out = exact<float>(n);
  f.decode(row.get(), n, tensor_scale(f, tensor.data(), n, 1), out.get());
  return {out.get(), out.get() + n};
}

// The value of every element from its codes, in double, by the formulas of format.h.
//
// Tolerance: none. In f32, d and m have 11 significant bits, |sc * code| and mn at most 12 (Q6_K: 7 + 5), so
// products are exact; where m exists, one rounded addition follows. In double, d*sc*code and m*mn are
// multiples of 2^-24 below 2^28, so their sum is exact and the conversion to float is that one rounding.
// Infinities and NaNs follow the same operations.
std::vector<float> values_from_codes(const Format& f, const uint8_t* row, size_t n, float scale) {
  const CodeSpec& s = f.codes;
  const bool per_sub = s.fold == Fold::kBlock && s.sub;  // scales
  const size_t span = per_sub ? s.sub : s.block, scales = span ? n / span : 0;
  const size_t subs = s.fold == Fold::kSuper ? n / s.sub : 0;
  auto codes = exact<uint8_t>(n);
  auto d = exact<uint16_t>(scales), m = exact<uint16_t>(s.has_min ? scales : 0);
  auto sc = exact<int8_t>(subs);
  auto mn = exact<uint8_t>(s.has_min ? subs : 0);
  auto d32 = exact<float>(s.f32_scales ? scales : 0);
  f.unpack(row, n,
           {codes.get(), scales && !s.f32_scales ? d.get() : nullptr, s.has_min ? m.get() : nullptr,
            subs ? sc.get() : nullptr, mn.get(), s.f32_scales ? d32.get() : nullptr});
  std::vector<float> out(n);
  bool in_range = true;
  for (size_t e = 0; e < n; ++e) {
    in_range &= codes[e] < (1u << s.bits);
    if (s.fold == Fold::kRow) in_range &= codes[e] <= 2;
    const int seen = s.codebook ? s.codebook[codes[e]] : codes[e];
    double v = s.fold == Fold::kRow ? scale : s.f32_scales ? d32[e / span] : f16_to_f32(d[e / span]);
    if (s.fold == Fold::kSuper) v *= sc[e / s.sub];
    v *= s.mul * seen - s.zero;
    if (s.has_min && s.fold == Fold::kBlock) v += f16_to_f32(m[e / span]);
    if (s.has_min && s.fold == Fold::kSuper) v -= double(f16_to_f32(m[e / span])) * mn[e / s.sub];
    out[e] = float(v);
  }
  CHECK_MESSAGE(in_range, f.name << ": a code is too large");
  return out;
}

TEST_CASE("formats: worked bytes") {
  for (const Format* f : formats::all()) {
    std::string file = f->name;
    for (char& c : file) c = char(std::tolower(static_cast<unsigned char>(c)));
    const auto cases = read_cases(std::string(STERNA_TEST_DATA_DIR) + "/conformance/data/" + file + ".txt");
    CHECK_MESSAGE(!cases.empty(), f->name);
    for (const Case& c : cases) {
      CAPTURE(f->name);
      CAPTURE(c.name);
      uint64_t size = 0;
      REQUIRE(tensor_bytes(*f, c.elems, 1, &size));
      std::vector<uint8_t> tensor(size);
      for (const auto& [at, byte] : c.bytes) {
        REQUIRE(at < size);
        tensor[at] = byte;
      }
      const std::vector<float> got = decode(*f, tensor, c.elems);
      REQUIRE(!c.expect.empty());
      CHECK(c.expect.rbegin()->first < c.elems);
      for (size_t e = 0; e < c.elems; ++e) {
        const auto it = c.expect.find(e);
        if (it == c.expect.end() && !c.has_rest) continue;
        const float want = it == c.expect.end() ? c.rest : it->second;
        CHECK_MESSAGE(same(got[e], want), "element " << e << ": got " << got[e] << ", expected " << want);
      }
    }
  }
}

TEST_CASE("formats: values equal codes times scales, for any bytes and row length") {
  std::mt19937 rng(7);
  for (const Format* f : formats::all()) {
    if (!f->unpack) continue;
    CAPTURE(f->name);
    for (int round = 0; round < 60; ++round) {
      const size_t blocks = size_t(1 + round % 5), n = blocks * f->block_elems, bytes = row_bytes(*f, n);
      auto row = exact<uint8_t>(bytes);
      // Random bytes hold every code, NaN and infinite scales; then constant rows, illegal codes among them.
      for (size_t i = 0; i < bytes; ++i) row[i] = uint8_t(rng());
      if (round >= 56) std::memset(row.get(), (round - 56) * 0x55, bytes);
      const float scale = round % 7 ? 0.37f : std::numeric_limits<float>::quiet_NaN();
      auto out = exact<float>(n);
      f->decode(row.get(), n, scale, out.get());
      const std::vector<float> want = values_from_codes(*f, row.get(), n, scale);
      size_t wrong = 0;
      for (size_t e = 0; e < n; ++e) wrong += !same(out[e], want[e]);
      CHECK(wrong == 0);
      // A row is its blocks one after another.
      auto block = exact<float>(f->block_elems);
      for (size_t b = 0; b < blocks; ++b) {
        f->decode(row.get() + b * f->block_bytes, f->block_elems, scale, block.get());
        for (size_t e = 0; e < f->block_elems; ++e) wrong += !same(block[e], out[b * f->block_elems + e]);
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("formats: codes of a grid are its patterns, for any bytes") {
  std::mt19937 rng(9);
  size_t checked = 0;
  for (const Format* f : formats::all()) {
    const CodeSpec& s = f->codes;
    if (!s.grid) continue;
    CAPTURE(f->name);
    REQUIRE((s.bits == 3 && s.codebook && s.f32_scales));
    std::map<std::vector<int>, size_t> numbers;  // of the patterns' magnitudes
    for (size_t i = 0; i < s.grid->size; ++i) {
      std::vector<int> magnitudes(s.grid->magnitudes + 8 * i, s.grid->magnitudes + 8 * i + 8);
      for (size_t j = 0; j < 8; ++j)
        CHECK(magnitudes[j] == s.codebook[s.grid->patterns[i] >> 2 * j & 3] - s.zero);
      numbers[magnitudes] = i;
    }
    CHECK(numbers.size() == s.grid->size);
    std::set<size_t> seen;
    for (int round = 0; round < 200; ++round) {
      const size_t n = f->block_elems;
      auto row = exact<uint8_t>(f->block_bytes);
      for (size_t i = 0; i < f->block_bytes; ++i) row[i] = uint8_t(rng());
      auto codes = exact<uint8_t>(n);
      auto sc = exact<int8_t>(n / s.sub);
      auto d = exact<float>(1);
      f->unpack(row.get(), n, {codes.get(), nullptr, nullptr, sc.get(), nullptr, d.get()});
      for (size_t i = 0; i < n / s.sub; ++i) CHECK((sc[i] % 2 == 1 && sc[i] > 0 && sc[i] < 32));
      for (size_t k = 0; k < n; k += 8) {
        std::vector<int> magnitudes;
        for (size_t j = 0; j < 8; ++j) {
          const int value = s.codebook[codes[k + j]] - s.zero;
          magnitudes.push_back(std::abs(value));
          CHECK((value < 0) == (codes[k + j] >= 4));
        }
        REQUIRE(numbers.count(magnitudes) == 1);
        seen.insert(numbers[magnitudes]);
      }
    }
    CHECK(seen.size() > s.grid->size / 2);
    ++checked;
  }
  CHECK(checked == 3);
}

TEST_CASE("formats: blocks, ids and names as in GGUF") {
  struct Row {
    const char* name;
    int32_t id;
    uint32_t elems, bytes;
  };
  const Row rows[] = {
      {"F32", 0, 1, 4},         {"F16", 1, 1, 2},
      {"BF16", 30, 1, 2},       {"Q4_0", 2, 32, 18},
      {"Q4_1", 3, 32, 20},      {"Q5_0", 6, 32, 22},
      {"Q5_1", 7, 32, 24},      {"Q8_0", 8, 32, 34},
      {"Q2_K", 10, 256, 84},    {"Q3_K", 11, 256, 110},
      {"Q4_K", 12, 256, 144},   {"Q5_K", 13, 256, 176},
      {"Q6_K", 14, 256, 210},   {"IQ4_NL", 20, 32, 18},
      {"TQ1_0", 34, 256, 54},   {"TQ2_0", 35, 256, 66},
      {"I2_S", 36, 128, 32},    {"Q1_0", 41, 128, 18},
      {"Q2_0", 42, 64, 18},     {"Q2_0_G128", 142, 128, 34},
      {"IQ4_XS", 23, 256, 136}, {"MXFP4", 39, 32, 17},
      {"IQ2_XXS", 16, 256, 66}, {"IQ3_XXS", 18, 256, 98},
      {"IQ3_S", 21, 256, 110},  {"IQ2_XS", 17, 256, 74},
      {"IQ2_S", 22, 256, 82},   {"IQ1_S", 19, 256, 50},
      {"IQ1_M", 29, 256, 56},   {"NVFP4", 40, 64, 36},
  };
  for (const Row& r : rows) {
    CAPTURE(r.name);
    const Format* f = formats::by_name(r.name);
    REQUIRE(f);
    CHECK(formats::by_ggml_type(r.id) == f);
    CHECK(f->block_elems == r.elems);
    CHECK(f->block_bytes == r.bytes);
  }
  std::set<std::string> names;
  std::set<int32_t> ids;
  for (const Format* f : formats::all()) {
    CAPTURE(f->name);
    CHECK(names.insert(f->name).second);
    if (f->ggml_type >= 0) CHECK(ids.insert(f->ggml_type).second);
    CHECK(formats::by_name(f->name) == f);
    const CodeSpec& s = f->codes;
    CHECK((f->unpack == nullptr) == (s.fold == Fold::kFloat));
    const bool per_block = s.fold == Fold::kBlock || s.fold == Fold::kSuper;
    if (s.fold == Fold::kBlock && s.sub) {  // a scale per sub-block, none per block
      CHECK(s.block > 0);
      CHECK(f->block_elems % s.block == 0);
      CHECK(!s.has_min);
    } else {
      CHECK(s.block == (per_block ? f->block_elems : 0));
      CHECK((s.sub > 0) == (s.fold == Fold::kSuper));
    }
    CHECK(s.block % 32 == 0);
    if (s.sub) CHECK(s.block % s.sub == 0);
  }
  CHECK(names.size() == std::size(rows));
  CHECK(formats::by_name("q4_0") == nullptr);
  CHECK(formats::by_name("") == nullptr);
}

TEST_CASE("formats: refused ids say what to use instead, unknown ids say nothing") {
  const std::pair<int32_t, const char*> refused[] = {
      {4, "Q4_2"},           {5, "Q4_3"},     {9, "Q8_1"},           {15, "Q8_K"},          {24, "I8"},
      {27, "I64"},           {28, "F64"},     {31, "Q4_0_4_4"},      {33, "Q4_0_8_8"},      {37, "I8_S"},
      {38, "TL1"},           {43, "STQ1_0"},  {133, "ik_llama.cpp"}, {134, "IQ1_BN"},       {135, "IQ2_BN"},
      {141, "ik_llama.cpp"}, {143, "PTQ1_0"}, {335, "IQ2_BN_R4"},    {399, "ik_llama.cpp"},
  };
  for (const auto& [id, name] : refused) {
    CAPTURE(id);
    REQUIRE(formats::refusal(id));
    const std::string text = formats::refusal(id);
    CHECK(text.find(name) != std::string::npos);
    CHECK(formats::by_ggml_type(id) == nullptr);
    // Advice that someone with a downloaded file can follow.
    CHECK(text.find("download another file of the model: ") != std::string::npos);
    CHECK(text.find("convert") == std::string::npos);
  }
  for (int32_t id = -2; id < 500; ++id) {
    if (formats::by_ggml_type(id)) CHECK_MESSAGE(formats::refusal(id) == nullptr, "id " << id);
  }
  for (int32_t id :
       {-1, 44, 132, 159, 400, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()}) {
    CHECK(formats::by_ggml_type(id) == nullptr);
    CHECK(formats::refusal(id) == nullptr);
  }
}

TEST_CASE("formats: tensor sizes") {
  const auto size = [](const char* name, uint64_t n, uint64_t rows) -> int64_t {
    uint64_t bytes = 0;
    return tensor_bytes(*formats::by_name(name), n, rows, &bytes) ? int64_t(bytes) : -1;
  };
  CHECK(size("F32", 3, 5) == 60);
  CHECK(size("Q8_0", 96, 2) == 204);
  CHECK(size("Q4_K", 2560, 10) == 14400);
  CHECK(size("I2_S", 2560, 2) == 2560 * 2 / 4 + 32);
  CHECK(size("Q2_0", 192, 1) == 54);
  // Row lengths that do not fit the block.
  CHECK(size("Q8_0", 33, 1) == -1);
  CHECK(size("Q4_K", 3200, 1) == -1);
  CHECK(size("TQ1_0", 8640, 1) == -1);
  CHECK(size("I2_S", 64, 2) == -1);
  CHECK(size("Q2_0", 96, 1) == -1);
  CHECK(size("Q2_0_G128", 192, 1) == -1);
  // Overflow in the row, in the rows, in the tail.
  const uint64_t max = std::numeric_limits<uint64_t>::max();
  CHECK(size("F32", max / 2, 1) == -1);
  CHECK(size("Q8_0", (max / 32) * 32, 1) == -1);
  CHECK(size("Q8_0", 1ull << 40, 1ull << 40) == -1);
  CHECK(size("F16", 1, max) == -1);
  uint64_t bytes = 0;
  CHECK(tensor_bytes(*formats::by_name("I2_S"), 128, (max - 32) / 32, &bytes));
  CHECK(bytes == max - 31);
  CHECK(!tensor_bytes(*formats::by_name("I2_S"), 128, (max - 32) / 32 + 1, &bytes));
}

TEST_CASE("formats: the scale of a tensor") {
  const Format& i2_s = *formats::by_name("I2_S");
  std::vector<uint8_t> tensor(3 * 64 + 32, 0xff);
  const float scale = -1.75f;
  std::memcpy(&tensor[3 * 64], &scale, 4);  // offset n / 4 of n = 3 * 256
  CHECK(tensor_scale(i2_s, tensor.data(), 256, 3) == scale);
  CHECK(tensor_scale(*formats::by_name("Q8_0"), tensor.data(), 32, 1) == 1.0f);
}

}  // namespace

TEST_SUITE_END();
