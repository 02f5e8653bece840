// Generation on the packaged model.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sterna/sterna.h"

namespace sterna {
namespace {

const std::string kTiny = std::string(STERNA_TEST_DATA_DIR) + "/../python/sterna/data/sterna-tiny.gguf";

Model tiny(LoadOptions options = {}) {
  auto m = Model::load(kTiny, options);
  REQUIRE_MESSAGE(m.ok(), m.status().message());
  return std::move(m.value());
}

GenerateOptions greedy(int n) {
  GenerateOptions o;
  o.temperature = 0;
  o.max_tokens = n;
  return o;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("generation: reuse of the prefix, stop texts, limits, cancelling") {
    Model m = tiny();
    const std::string prompt = "The ls command lists";
    auto first = m.generate(prompt, greedy(24), {});
    REQUIRE(first.ok());
    CHECK(first.value().tokens.size() == 24);
    CHECK(first.value().n_reused == 0);
    std::string streamed;
    auto again = m.generate(prompt, greedy(24), [&](const Token& t) { return streamed += t.text, true; });
    REQUIRE(again.ok());
    CHECK(again.value().tokens == first.value().tokens);
    CHECK(again.value().n_reused == again.value().n_prompt - 1);
    CHECK(streamed == first.value().text);

    GenerateOptions stop = greedy(24);
    const std::string word = first.value().text.substr(first.value().text.size() / 2, 4);
    stop.stop = {"never there", word};
    auto stopped = m.generate(prompt, stop, {});
    REQUIRE(stopped.ok());
    CHECK(stopped.value().stop == GenerateResult::Stop::kStopText);
    CHECK(stopped.value().text == first.value().text.substr(0, first.value().text.find(word)));

    int calls = 0;
    auto cut = m.generate(prompt, greedy(24), [&](const Token&) { return ++calls < 3; });
    REQUIRE(cut.ok());
    CHECK(cut.value().stop == GenerateResult::Stop::kCallback);
    CHECK(cut.value().tokens.size() == 3);
    GenerateOptions cancelled = greedy(24);
    cancelled.keep_going = [] { return false; };
    auto none = m.generate("Something else", cancelled, {});
    REQUIRE(none.ok());
    CHECK(none.value().stop == GenerateResult::Stop::kCallback);
    CHECK(none.value().tokens.empty());
    auto after = m.generate(prompt, greedy(24), {});
    REQUIRE(after.ok());
    CHECK(after.value().text == first.value().text);

    GenerateOptions seeded = greedy(24);
    seeded.temperature = 1.5f, seeded.seed = 7;
    auto a = m.generate(prompt, seeded, {});
    auto b = m.generate(prompt, seeded, {});
    REQUIRE((a.ok() && b.ok()));
    CHECK(a.value().text == b.value().text);
    CHECK(a.value().text != first.value().text);
  }

  TEST_CASE("a full context ends generation") {
    LoadOptions small;
    small.n_ctx = 16;
    Model m = tiny(small);
    GenerateOptions o = greedy(-1);
    o.ignore_eos = true;
    auto r = m.generate("The ls command lists", o, {});
    REQUIRE(r.ok());
    CHECK(r.value().stop == GenerateResult::Stop::kContext);
    CHECK(r.value().n_prompt + r.value().tokens.size() == 17);  // the last one is not in the cache
    const std::vector<int32_t> too_long(17, 1);
    CHECK(m.generate(std::span<const int32_t>(too_long), o, {}).status().code() == Code::kInvalidArgument);
  }

  TEST_CASE("loading can be cancelled and options are checked") {
    LoadOptions o;
    o.progress = [](float) { return false; };
    CHECK(Model::load(kTiny, o).status().code() == Code::kCancelled);
    CHECK(Model::load("/nonexistent.gguf", {}).status().code() == Code::kNotFound);
    LoadOptions bad;
    bad.n_threads = 0;
    CHECK(Model::load(kTiny, bad).status().code() == Code::kInvalidArgument);
    bad = {};
    bad.n_batch = 0;
    CHECK(Model::load(kTiny, bad).status().code() == Code::kInvalidArgument);
    bad = {};
    bad.activation = "relu2";  // only bitnet files leave the activation open
    CHECK(Model::load(kTiny, bad).status().code() == Code::kInvalidArgument);
  }
}

}  // namespace sterna
