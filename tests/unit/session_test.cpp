// Sessions: whatever runs beside a sequence, in whatever cuts and threads, it has the bits that it has alone.
#include "sterna/session.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "fast.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

const std::string kData = std::string(STERNA_TEST_DATA_DIR) + "/data/models/";

Model load(const std::string& name, int n_threads, int n_batch, const std::string& kv_type = "f16") {
  LoadOptions o;
  o.n_threads = n_threads, o.n_batch = n_batch, o.kv_type = kv_type, o.n_ctx = 1024;
  auto model = Model::load(kData + name, o);
  REQUIRE_MESSAGE(model.ok(), model.status().message());
  return std::move(model.value());
}

std::vector<int32_t> arbitrary(const Model& m, size_t n, uint64_t seed) {
  Random r(seed);
  std::vector<int32_t> ids(n);
  for (int32_t& id : ids) id = int32_t(r.next() % m.info().n_vocab);
  return ids;
}

GenerateOptions options(uint64_t seed, int max_tokens) {
  GenerateOptions o;
  o.seed = seed, o.max_tokens = max_tokens, o.ignore_eos = true, o.temperature = 1.5f;
  return o;
}

struct Files {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "sterna_session_test";
  Files() { std::filesystem::create_directories(path); }
  ~Files() { std::filesystem::remove_all(path); }
  std::string operator/(const char* name) const { return (path / name).string(); }
};

std::vector<float> logits_of_last(Session& s, const Model& m, std::span<const int32_t> ids) {
  std::vector<float> out(ids.size() * m.info().n_vocab);
  REQUIRE(s.forward(ids, out, {}).ok());
  return {out.end() - ptrdiff_t(m.info().n_vocab), out.end()};
}

}  // namespace

TEST_SUITE("golden") {
  TEST_CASE(
      "interleaved sequences have the bits that each has alone, at any batch size and number of threads") {
    for (const std::string name :
         {"mini-bitnet-i2_s.gguf", "mini-qwen3-q1_0.gguf", "mini-qwen3moe.gguf", "mini-gemma3.gguf",
          "mini-mistral3.gguf", "mini-gemma2.gguf"}) {
      if (testing::fast() && name.find("mini-qwen3-") == 0) continue;
      if (testing::fast() && (name.find("mini-gemma3") == 0 || name.find("mini-mistral3") == 0)) continue;
      for (const char* kv_type : {"f16", "int8"}) {
        // Short and long prompts, some that begin alike for more than a page, drafts in one of them.
        std::vector<GenerateRequest> requests;
        std::vector<GenerateResult> alone;
        {
          const Model m = load(name, 1, 512, kv_type);
          const std::vector<int32_t> common = arbitrary(m, 300, 7);
          for (uint64_t i = 0; i < 5; i++) {
            std::vector<int32_t> prompt = arbitrary(m, i == 4 ? 3 : 40 + 90 * i, i);
            if (i == 1 || i == 2) prompt.insert(prompt.begin(), common.begin(), common.end());
            GenerateOptions o = options(i, 12 + 5 * int(i));
            if (i == 3) o.lookup = 8, o.temperature = 0;
            requests.push_back({std::move(prompt), o});
          }
        }
        for (const GenerateRequest& r : requests) {
          Model fresh = load(name, 1, 512, kv_type);
          auto result = fresh.generate(std::span<const int32_t>(r.prompt), r.options, {});
          REQUIRE(result.ok());
          CHECK(result.value().tokens.size() == size_t(r.options.max_tokens));
          alone.push_back(std::move(result.value()));
        }
        for (const int n_threads : {1, 2, 3})
          for (const int n_batch : {1, 7, 512})
            for (const size_t n : {size_t(1), size_t(2), size_t(5)}) {
              if (testing::fast() && (n_threads == 3 || n != 5)) continue;
              CAPTURE(name);
              CAPTURE(kv_type);
              CAPTURE(n_threads);
              CAPTURE(n_batch);
              CAPTURE(n);
              Model m = load(name, n_threads, n_batch, kv_type);
              size_t told = 0;
              const auto on_token = [&](size_t, const Token&) { return ++told > 0; };
              const auto together = m.generate(std::span(requests).first(n), on_token, {});
              REQUIRE_MESSAGE(together.ok(), together.status().message());
              for (size_t i = 0; i < n; i++) {
                CHECK(together.value()[i].tokens == alone[i].tokens);
                CHECK(together.value()[i].text == alone[i].text);
              }
              CHECK(told > 0);
              // One of the two that begin alike took a page of the other (with one row they run one after the
              // other), unless that had left the page behind its window.
              if (n == 5 && n_batch > 1 && name.find("mini-gemma") != 0)
                CHECK(together.value()[1].n_reused + together.value()[2].n_reused == 256);
            }
      }
    }
  }

  TEST_CASE("forks, truncated and reloaded sessions have the bits of a fresh one") {
    const Files files;
    for (const char* kv_type : {"f16", "int8"}) {
      const Model m = load("mini-bitnet-i2_s.gguf", 2, 7, kv_type);
      const std::vector<int32_t> begin = arbitrary(m, 300, 1), a = arbitrary(m, 20, 2),
                                 b = arbitrary(m, 20, 3);
      const auto expected = [&](std::span<const int32_t> tail) {
        const Model fresh = load("mini-bitnet-i2_s.gguf", 1, 512, kv_type);
        Session s = std::move(fresh.session().value());
        logits_of_last(s, fresh, begin);
        return logits_of_last(s, fresh, tail);
      };
      const std::vector<float> after_a = expected(a), after_b = expected(b);
      Session s = std::move(m.session().value());
      logits_of_last(s, m, begin);
      CHECK(s.tokens() == begin);
      Session fork = std::move(s.fork().value());
      REQUIRE(s.save(files / "begin").ok());
      CHECK(logits_of_last(s, m, a) == after_a);  // on pages that the fork has, too
      CHECK(logits_of_last(fork, m, b) == after_b);
      REQUIRE(s.truncate(begin.size()).ok());
      CHECK(logits_of_last(s, m, b) == after_b);
      const Model other = load("mini-bitnet-i2_s.gguf", 3, 512, kv_type);
      Session loaded = std::move(other.load_session(files / "begin").value());
      CHECK(loaded.tokens() == begin);
      CHECK(logits_of_last(loaded, other, a) == after_a);
      // A session outlives its model, and what is saved does not depend on what was there before.
      REQUIRE(s.truncate(begin.size()).ok());
      REQUIRE(s.save(files / "again").ok());
      const auto bytes = [&](const char* name) {
        std::ifstream f(files / name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(f), {});
      };
      CHECK(bytes("begin") == bytes("again"));
      CHECK(!bytes("begin").empty());
    }
  }

  TEST_CASE("sessions generate, together and one after the other") {
    Model m = load("mini-bitnet-i2_s.gguf", 2, 16);
    const std::vector<int32_t> prompt = arbitrary(m, 30, 5);
    const auto whole = m.generate(std::span<const int32_t>(prompt), options(1, 20), {});
    Session a = std::move(m.session().value()), b = std::move(m.session().value());
    const GenerateRequest requests[] = {{prompt, options(1, 20), &a}, {prompt, options(2, 9), &b}};
    const auto results = m.generate(requests, {}, {});
    REQUIRE(results.ok());
    CHECK(results.value()[0].tokens == whole.value().tokens);
    CHECK(a.tokens().size() == 30 + 20 - 1);  // the last one was not run
    CHECK(std::equal(prompt.begin(), prompt.end(), a.tokens().begin()));
    const auto again = b.generate(std::span<const int32_t>(prompt), options(1, 20), {});
    CHECK(again.value().tokens == whole.value().tokens);
    CHECK(again.value().n_reused == prompt.size() - 1);
  }
}

TEST_SUITE("unit") {
  TEST_CASE("what is wrong with sessions") {
    const Files files;
    Model m = load("mini-bitnet-i2_s.gguf", 1, 16), other = load("mini-qwen3-q1_0.gguf", 1, 16);
    Session s = std::move(m.session().value()), foreign = std::move(other.session().value());
    const std::vector<int32_t> ids = arbitrary(m, 5, 1);
    std::vector<float> out(5 * m.info().n_vocab);
    REQUIRE(s.forward(ids, out, {}).ok());
    CHECK(s.truncate(6).message() == "[truncate] got 6, expected at most the 5 tokens there are");
    CHECK(s.forward(ids, std::span(out).first(1), {}).code() == Code::kInvalidArgument);
    const std::vector<int32_t> too_many(1020, 1);
    std::vector<float> room(1020 * m.info().n_vocab);
    CHECK(s.forward(too_many, room, {}).message() ==
          "[forward] got 1020 tokens after 5, expected at most the context of 1024");
    CHECK(s.forward(ids, out, [] { return false; }).code() == Code::kCancelled);
    CHECK(s.tokens() == ids);  // as before

    const GenerateOptions o = options(1, 3);
    const GenerateRequest wrong[][2] = {{{ids, o, &s}, {ids, o, &s}}, {{ids, o, &foreign}, {ids, o}}};
    for (const auto& requests : wrong)
      CHECK(m.generate(requests, {}, {}).status().code() == Code::kInvalidArgument);
    const GenerateRequest bad[] = {{ids, o}, {{}, o}};
    CHECK(m.generate(bad, {}, {}).status().message() ==
          "[generate] the sequence is empty, expected at least one token (prompt 1)");
    CHECK(m.generate(std::span<const GenerateRequest>(), {}, {}).value().empty());

    REQUIRE(s.save(files / "s").ok());
    CHECK(s.save(files / "no/folder").code() == Code::kIo);
    CHECK(m.load_session(files / "none").status().code() == Code::kNotFound);
    CHECK(other.load_session(files / "s").status().code() == Code::kUnsupported);
    std::ifstream in(files / "s", std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    const auto loaded = [&](const std::string& content) {
      std::ofstream(files / "damaged", std::ios::binary) << content;
      return m.load_session(files / "damaged").status();
    };
    CHECK(loaded(bytes).ok());
    for (size_t cut = 0; cut < bytes.size(); cut += cut < 60 ? 1 : 100003)
      CHECK(loaded(bytes.substr(0, cut)).code() == Code::kCorrupt);
    CHECK(loaded(bytes + "x").code() == Code::kCorrupt);
    for (size_t at = 0; at < bytes.size(); at += at < 60 ? 1 : 50021) {
      std::string changed = bytes;
      changed[at] ^= 0x40;
      CAPTURE(at);
      CHECK(!loaded(changed).ok());
    }
  }

  TEST_CASE("a callback that says stop is not called again") {
    Model m = load("mini-bitnet-i2_s.gguf", 1, 16);
    const std::vector<int32_t> prompt = arbitrary(m, 4, 1);
    size_t held_back = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
      size_t calls = 0;
      const auto stop = [&](const Token&) { return ++calls == 0; };
      const auto result = m.generate(std::span<const int32_t>(prompt), options(seed, 5), stop);
      CHECK(calls == 1);
      CHECK(result.value().tokens.size() == 1);
      calls = 0;
      const auto go_on = [&](const Token&) { return ++calls > 0; };
      REQUIRE(m.generate(std::span<const int32_t>(prompt), options(seed, 1), go_on).ok());
      held_back += calls == 2;
    }
    CHECK(held_back > 0);  // some of them end within a character
  }

  TEST_CASE("each of many texts ends for its own reason") {
    Model m = load("mini-bitnet-i2_s.gguf", 2, 4);  // fewer rows than texts
    std::vector<GenerateRequest> requests;
    for (uint64_t i = 0; i < 70; i++)
      requests.push_back({arbitrary(m, 1 + i % 9, i), options(i, int(i % 5))});
    std::vector<size_t> told(requests.size());
    const auto results =
        m.generate(requests, [&](size_t i, const Token&) { return ++told[i] != 2 || i != 33; }, {});
    REQUIRE(results.ok());
    for (size_t i = 0; i < requests.size(); i++) {
      const GenerateResult& r = results.value()[i];
      CHECK(r.n_prompt == requests[i].prompt.size());
      CHECK(r.tokens.size() == (i == 33 ? 2 : i % 5));
      CHECK(r.stop == (i == 33 ? GenerateResult::Stop::kCallback : GenerateResult::Stop::kLength));
    }
    size_t asked = 0;
    const auto cancelled = m.generate(requests, {}, [&] { return ++asked < 40; });
    REQUIRE(cancelled.ok());
    for (const GenerateResult& r : cancelled.value())
      CHECK((r.stop == GenerateResult::Stop::kCallback || r.stop == GenerateResult::Stop::kLength));
    CHECK(cancelled.value().back().stop == GenerateResult::Stop::kCallback);
  }

  TEST_CASE("models share threads") {
    const Threads threads = std::move(Threads::create(2).value());
    LoadOptions o;
    o.threads = threads;
    auto a = Model::load(kData + "mini-bitnet-i2_s.gguf", o),
         b = Model::load(kData + "mini-qwen3-q1_0.gguf", o);
    REQUIRE(a.ok());
    REQUIRE(b.ok());
    CHECK(a.value().info().n_threads == 2);
    const std::vector<int32_t> prompt = {1, 2, 3, 4};
    const auto expected = b.value().generate(std::span<const int32_t>(prompt), options(3, 10), {});
    // From two threads at once, and one from a callback of the other.
    std::vector<int32_t> inner;
    bool same = true;
    std::thread beside([&] {
      for (int i = 0; i < 20; i++)
        same &= b.value().generate(std::span<const int32_t>(prompt), options(3, 10), {}).value().tokens ==
                expected.value().tokens;
    });
    for (int i = 0; i < 20; i++)
      REQUIRE(a.value().generate(std::span<const int32_t>(prompt), options(1, 10), {}).ok());
    beside.join();
    CHECK(same);
    const auto on_token = [&](const Token&) {
      inner = b.value().generate(std::span<const int32_t>(prompt), options(3, 10), {}).value().tokens;
      return true;
    };
    REQUIRE(a.value().generate(std::span<const int32_t>(prompt), options(1, 2), on_token).ok());
    CHECK(inner == expected.value().tokens);
    CHECK(Threads::create(0).status().code() == Code::kInvalidArgument);
    o.n_threads = 3;
    CHECK(Model::load(kData + "mini-bitnet-i2_s.gguf", o).status().code() == Code::kInvalidArgument);
  }
}

}  // namespace sterna
