// The choice of kernels: what is compared, what wins, what the file may say; and no result depends on it.
#include "backends/cpu/choice.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "backends/cpu/linear.h"
#include "machine/cache_file.h"
#include "packing/example.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

namespace fs = std::filesystem;

/// A folder that is removed again.
struct Folder {
  fs::path path = fs::temp_directory_path() /
                  ("sterna-choice-test-" + std::to_string(getpid()) + "-" + std::to_string(std::rand()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

cpu::PackedLayout layout(const char* variant, size_t rows, size_t depth) {
  const kernels::QGemmVariant* v = kernels::qgemm_variant(variant);
  return cpu::packing_of(*v).layout(cpu::example_spec(*v), rows, depth);
}
cpu::PackedLayout like() { return layout("w8_row", 16, 32); }

std::string why(cpu::ChoiceTable& table, bool fresh = false) {
  const auto c = table.choose(like(), fresh);
  return c.ok() ? c.value().why : c.status().message();
}

/// Exit code of a forked child that runs `work`; 99 if it takes longer than 20 seconds.
template <class F>
int in_child(F work) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGALRM, [](int) { _exit(99); });
    alarm(20);
    _exit(work());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("cases by number of tokens") {
    for (const auto& [n, want] :
         {std::pair<size_t, size_t>{1, 0}, {2, 1}, {7, 1}, {8, 2}, {31, 2}, {32, 3}, {9999, 3}})
      CHECK(cpu::token_case(n) == want);
    for (size_t i = 0; i < cpu::kTokenCases; i++) CHECK(cpu::token_case(cpu::kMeasured[i]) == i);
  }

  TEST_CASE("a kernel must be 5 % faster to displace the built-in one") {
    const auto winner = [](std::vector<double> s) { return cpu::winner(s); };
    CHECK(winner({1}) == 0);
    CHECK(winner({1, 0.96, 2}) == 0);
    CHECK(winner({1, 0.94, 0.93}) == 2);
    CHECK(winner({1, 2, 0.5, 0.5}) == 2);
  }

  TEST_CASE("what is compared") {
    for (const kernels::Kernel* k : kernels::isas().back().kernels) {
      if (k->family != kernels::Family::qgemm) continue;
      const auto few = cpu::plausible(k->variant);
      REQUIRE(!few.empty());
      CHECK(few[0] == kernels::find(k->family, k->variant));
      std::vector<std::string> isas;
      for (const kernels::Kernel* f : few)
        if (isas.empty() || isas.back() != f->isa) isas.push_back(f->isa);
      CHECK(isas.size() <= 2);
      CHECK((isas.size() == 1 || isas.back() != "scalar"));
      const auto seconds = cpu::measure(few, layout(k->variant, 48, 512), 3);
      REQUIRE(seconds.ok());
      REQUIRE(seconds.value().size() == few.size());
      for (const double s : seconds.value()) CHECK((s > 0 && s < 60));
    }
    CHECK(cpu::plausible("w2_column").empty());
  }

  /// Whether, of the sets from `forced` on, the first that has one of two variants of qgemm has the first.
  static bool is_reached_first(const kernels::Isa& forced, std::string_view first, std::string_view other) {
    bool reached = false;
    for (const kernels::Isa& isa : kernels::isas()) {
      reached |= &isa == &forced;
      if (!reached || !isa.supported()) continue;
      bool has_first = false, has_other = false;
      for (const kernels::Kernel* k : isa.kernels) {
        if (k->family != kernels::Family::qgemm) continue;
        has_first |= k->variant == first, has_other |= k->variant == other;
      }
      if (has_first || has_other) return has_first;
    }
    return false;
  }

  TEST_CASE("which packing a matrix gets: that of the best instruction set, the first listed of equals") {
    const formats::CodeSpec ternary = cpu::example_spec(*kernels::qgemm_variant("t5_row"));
    for (const kernels::Isa& forced : kernels::isas()) {
      if (!forced.supported()) continue;
      REQUIRE(force_isa(forced.name).ok());
      CAPTURE(forced.name);
      const bool trits = is_reached_first(forced, "t5_row", "w2_row");
      CHECK((&cpu::choose_packing(ternary) == &cpu::packing::trits) == trits);
      formats::CodeSpec plain = ternary;
      plain.ternary = false;
      CHECK(&cpu::choose_packing(plain) == &cpu::packing::panels);
      const bool grid = is_reached_first(forced, "g10s_super16", "w3s_super16");
      for (const char* name : {"IQ2_XS", "IQ2_S"})
        CHECK((&cpu::choose_packing(formats::by_name(name)->codes) == &cpu::packing::grid) == grid);
    }
    REQUIRE(force_isa("auto").ok());
  }

  TEST_CASE("patterns of a grid take at most 1.15 times what their files do") {
    for (const char* name : {"IQ2_XXS", "IQ2_XS", "IQ2_S"}) {
      const formats::Format& f = *formats::by_name(name);
      REQUIRE(cpu::packing::grid.accepts(f.codes));
      const cpu::PackedLayout l = cpu::packing::grid.layout(f.codes, 4096, 4096);
      CHECK_MESSAGE(double(l.bytes()) <= 1.15 * double(4096 * formats::row_bytes(f, 4096)), name);
    }
  }

  TEST_CASE("names of a choice") {
    const auto& list = kernels::isas().back().kernels;
    REQUIRE(list.size() > 2);
    const std::string a = kernels::full_name(*list[0]), b = kernels::full_name(*list[1]);
    CHECK(cpu::Choice{{list[0], list[0], list[0], list[0]}, ""}.names() == a);
    CHECK(cpu::Choice{{list[0], list[0], list[1], list[0]}, ""}.names() ==
          a + ", from 8 tokens " + b + ", from 32 tokens " + a);
  }

  TEST_CASE("the file of choices") {
    const auto few = cpu::plausible("w8_row");
    if (few.size() < 2) return;  // nothing to choose from on this machine
    const Folder folder;
    const fs::path file = folder.path / "deep" / "kernels.txt";
    const auto choose = [&](bool fresh = false) {
      auto c = cpu::ChoiceTable(file).choose(like(), fresh);
      REQUIRE(c.ok());
      return c.value();
    };
    const cpu::Choice measured = choose();
    CHECK(std::string(measured.why) == "measured");
    const std::string text = read(file);
    const size_t line = text.find("w8_row ");
    REQUIRE(line != std::string::npos);
    CHECK(std::distance(fs::directory_iterator(file.parent_path()), fs::directory_iterator()) == 1);
    const cpu::Choice cached = choose();
    CHECK(std::string(cached.why) == "cached");
    CHECK(cached.kernel == measured.kernel);

    const std::string head = text.substr(0, line), a = kernels::full_name(*few.front()),
                      b = kernels::full_name(*few.back());
    const std::string chosen = "w8_row " + b + " " + a + " " + b + " " + b + "\n";
    write(file, head + chosen);  // the file decides
    CHECK(choose().names() == b + ", from 2 tokens " + a + ", from 8 tokens " + b);
    CHECK(std::string(choose(true).why) == "measured");
    cpu::ChoiceTable table(file);
    write(file, head + chosen);
    REQUIRE(table.choose(like(), false).ok());
    CHECK(std::string(table.choose(like(), false).value().why) == "cached");
    CHECK(std::string(table.choose(like(), true).value().why) == "measured");  // once
    CHECK(std::string(table.choose(like(), false).value().why) == "measured");

    const std::string bad[] = {"",
                               "\n",
                               std::string(1000, '\0'),
                               std::string(1 << 20, 'x'),
                               text.substr(1),
                               chosen,
                               head.substr(0, head.size() - 2) + "\n" + chosen,
                               head + "w8_row " + a + " " + a + " " + a + "\n",
                               head + "w8_row " + a + " " + a + " " + a + " qgemm_w2_row_scalar\n",
                               head + "w8_row " + a + " " + a + " " + a + " " + a + " " + a + "\n",
                               head + chosen + chosen,
                               head + "w9_row " + a + "\n"};
    for (const std::string& content : bad) {
      write(file, content);
      CHECK(std::string(choose().why) == "measured");
      CHECK(std::string(choose().why) == "cached");  // it was written anew
    }
    write(folder.path / "plain", "");
    for (const fs::path& nowhere : {folder.path / "plain" / "kernels.txt", fs::path(), folder.path})
      CHECK(std::string(cpu::ChoiceTable(nowhere).choose(like(), false).value().why) == "measured");
  }

  TEST_CASE("the file of choices: other things in its place") {
    if (cpu::plausible("w8_row").size() < 2) return;  // nothing is written
    const Folder folder;
    const fs::path file = folder.path / "kernels.txt", victim = folder.path / "victim";
    const auto becomes_a_file = [&] {
      cpu::ChoiceTable table(file);
      CHECK(why(table) == "measured");
      CHECK(fs::is_regular_file(fs::symlink_status(file)));
      fs::remove(file);
    };
    SUBCASE("a named pipe, which would wait for a writer") {
      REQUIRE(mkfifo(file.c_str(), 0600) == 0);
      REQUIRE(in_child([&] {
                cpu::ChoiceTable table(file);
                return why(table) == "measured" ? 0 : 1;
              }) == 0);
      fs::remove(file);
      REQUIRE(mkfifo(file.c_str(), 0600) == 0);
      becomes_a_file();
    }
    SUBCASE("links are not followed, under no name that can be foreseen") {
      write(victim, "precious");
      for (const std::string& suffix : {std::string(), std::string(".tmp"), "." + std::to_string(getpid())})
        fs::create_symlink(victim, file.string() + suffix);
      becomes_a_file();
      fs::create_symlink(folder.path / "nowhere", file);
      becomes_a_file();
      CHECK(read(victim) == "precious");
      CHECK(!fs::exists(folder.path / "nowhere"));
    }
    SUBCASE("a link to a valid file is not read") {
      cpu::ChoiceTable table(victim);
      CHECK(why(table) == "measured");
      CHECK(!machine::read_small_file(victim, 1 << 16).empty());
      fs::create_symlink(victim, file);
      CHECK(machine::read_small_file(file, 1 << 16).empty());
      becomes_a_file();
    }
    SUBCASE("folders, devices and large files are not read") {
      write(victim, std::string(100, 'x'));
      CHECK(machine::read_small_file(victim, 100).size() == 100);
      for (const fs::path& path : {folder.path, fs::path("/dev/zero"), fs::path(), victim})
        CHECK(machine::read_small_file(path, 99).empty());
      fs::create_directory(file);
      cpu::ChoiceTable table(file);
      CHECK(why(table) == "measured");
      CHECK(fs::is_directory(file));
    }
    SUBCASE("no space: nothing is left, and no signal ends the process") {
      REQUIRE(in_child([&] {
                const rlimit none{16, 16};
                setrlimit(RLIMIT_FSIZE, &none);
                cpu::ChoiceTable table(file);
                return why(table) == "measured" ? 0 : 1;
              }) == 0);
      CHECK(fs::directory_iterator(folder.path) == fs::directory_iterator());
    }
  }

  TEST_CASE("the file of choices: what another process wrote meanwhile stays") {
    if (cpu::plausible("w8_row").size() < 2 || cpu::plausible("w4_row").size() < 2) return;
    const Folder folder;
    const fs::path file = folder.path / "kernels.txt";
    cpu::ChoiceTable one(file), two(file);
    CHECK(why(one) == "measured");
    REQUIRE(two.choose(layout("w4_row", 16, 32), true).ok());  // does not know of w8_row
    const std::string text = read(file);
    CHECK(text.find("\nw8_row ") != std::string::npos);
    CHECK(text.find("\nw4_row ") != std::string::npos);
    cpu::ChoiceTable three(file);
    CHECK(why(three) == "cached");
  }

  TEST_CASE("threads that choose at once agree, and a process forked meanwhile chooses, too") {
    const Folder folder;
    cpu::ChoiceTable table(folder.path / "kernels.txt");
    std::vector<cpu::Choice> chosen(4);
    std::atomic<bool> started = false;
    std::vector<std::thread> threads;
    for (cpu::Choice& c : chosen)
      threads.emplace_back([&] {
        started = true;
        c = table.choose(like(), true).value();
      });
    while (!started) std::this_thread::yield();
    for (int i = 0; i < 3; i++) CHECK(in_child([&] { return table.choose(like(), true).ok() ? 0 : 1; }) == 0);
    for (std::thread& t : threads) t.join();
    for (const cpu::Choice& c : chosen) CHECK(c.kernel == chosen[0].kernel);
  }

  TEST_CASE("where the file lies") {
    const char* names[] = {"XDG_CACHE_HOME", "HOME"};
    std::string before[2];
    for (int i = 0; i < 2; i++)
      if (const char* value = std::getenv(names[i])) before[i] = value;
    const auto file = [&](const char* cache, const char* home) {
      cache ? setenv(names[0], cache, 1) : unsetenv(names[0]);
      home ? setenv(names[1], home, 1) : unsetenv(names[1]);
      return machine::cache_file();
    };
    CHECK(file("/c", "/h") == "/c/sterna/kernels.txt");
    for (const char* no : {static_cast<const char*>(nullptr), "", "relative", "~/.cache", "./c"}) {
      CHECK(file(no, "/h") == "/h/.cache/sterna/kernels.txt");
      CHECK(file(no, no).empty());
    }
    for (int i = 0; i < 2; i++)
      before[i].empty() ? unsetenv(names[i]) : setenv(names[i], before[i].c_str(), 1);
  }

  TEST_CASE("how the choice is set, and that no result depends on it") {
    const Folder folder;
    REQUIRE(setenv("XDG_CACHE_HOME", folder.path.c_str(), 1) == 0);
    CHECK(machine::cache_file() == folder.path.string() + "/sterna/kernels.txt");
    const auto why = [] {
      auto c = cpu::choose(like());
      REQUIRE_MESSAGE(c.ok(), c.status().message());
      return std::string(c.value().why);
    };
    constexpr size_t kRows = 70, kDepth = 200, kTokens = 60;
    std::vector<uint8_t> codes(kRows * kDepth);
    for (size_t i = 0; i < codes.size(); i++) codes[i] = uint8_t(i * 7 + i / 11);
    std::vector<float> scales(kRows, 0.1f), x(kTokens * kDepth);
    for (size_t i = 0; i < x.size(); i++) x[i] = float(int(i * 37 % 101)) - 50;
    const auto product = [&](size_t n) {
      PackOptions o;
      o.bits = 8;
      auto w = PackedWeights::pack(codes, scales, kRows, kDepth, o);
      REQUIRE_MESSAGE(w.ok(), w.status().message());
      std::vector<float> out(n * kRows);
      REQUIRE(w.value().matmul(std::span(x).first(n * kDepth), out, n, 1).ok());
      return out;
    };
    const bool several = cpu::plausible("w8_row").size() > 1;
    CHECK(why() == "builtin");  // tests/main.cpp
    for (const size_t n : {1, 3, 20, 60}) {
      REQUIRE(set_kernel_choice("builtin").ok());
      const std::vector<float> want = product(n);
      REQUIRE(set_kernel_choice("measured").ok());
      CHECK(why() == (several ? "measured" : "builtin"));
      CHECK(product(n) == want);
    }
    CHECK(fs::exists(machine::cache_file()) == several);

    REQUIRE(force_isa(kernels::isas().back().name).ok());
    CHECK(why() == "forced");
    CHECK(cpu::choose(like()).value().names().ends_with("_scalar"));
    REQUIRE(force_isa("auto").ok());
    CHECK(set_kernel_choice("best").code() == Code::kInvalidArgument);
    REQUIRE(set_kernel_choice("auto").ok());
    const std::string before = std::getenv("STERNA_CHOICE");
    REQUIRE(setenv("STERNA_CHOICE", "best", 1) == 0);
    const Status s = PackedWeights::pack(codes, scales, kRows, kDepth, {.bits = 8}).status();
    CHECK(s.code() == Code::kInvalidArgument);
    CHECK(s.message().find("[STERNA_CHOICE] got 'best'") != std::string::npos);
    REQUIRE(setenv("STERNA_CHOICE", before.c_str(), 1) == 0);
    CHECK(why() == before);
    unsetenv("XDG_CACHE_HOME");
  }

  TEST_CASE("kernels are explained") {
    const size_t tokens[] = {1, 5};
    for (const char* variant : {"w2_row", "w1_block", "w4m_super32", "t5_row"}) {
      auto e = explain_kernels(variant, 33, 512, tokens);
      REQUIRE_MESSAGE(e.ok(), e.status().message());
      CHECK(e.value().why == "builtin");
      CHECK(e.value().timings.size() == 2 * cpu::plausible(variant).size());
      for (const size_t n : tokens)
        CHECK(1 == std::count_if(e.value().timings.begin(), e.value().timings.end(),
                                 [&](const KernelTiming& t) { return t.n_tokens == n && t.chosen; }));
      const KernelTiming& t = e.value().timings[0];
      CHECK(t.gmac_per_s == doctest::Approx(33 * 512 / t.seconds / 1e9));
      CHECK(t.gb_per_s > 0);
    }
    const auto code = [&](const char* variant, size_t rows, size_t depth, size_t n) {
      return explain_kernels(variant, rows, depth, {&n, 1}).status().code();
    };
    CHECK(code("w2_row", 3, 5, 1) == Code::kOk);
    CHECK(code("w2_rows", 3, 5, 1) == Code::kUnsupported);
    CHECK(code("w2_row", 0, 5, 1) == Code::kInvalidArgument);
    CHECK(code("w2_row", 3, 5, 0) == Code::kInvalidArgument);
    CHECK(code("w2_row", 3, 5, 4097) == Code::kInvalidArgument);
    CHECK(code("w2_row", 3, 65537, 1) == Code::kInvalidArgument);
    CHECK(code("w2_block", 1 << 20, 1 << 20, 1) == Code::kInvalidArgument);
    CHECK(code("w2_block", 3, 96, 1) == Code::kInvalidArgument);
    CHECK(code("w4m_super32", 3, 128, 1) == Code::kInvalidArgument);
  }
}

}  // namespace sterna
