// Prompt lookup: what is proposed, and that it never changes what is generated, however that ends.
#include "llm/engine/lookup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sterna/sterna.h"

namespace sterna {
namespace {

using Tokens = std::vector<int32_t>;

Model model(const std::string& name, const LoadOptions& options = {}) {
  auto m = Model::load(std::string(STERNA_TEST_DATA_DIR) + "/data/models/" + name + ".gguf", options);
  REQUIRE_MESSAGE(m.ok(), m.status().message());
  return std::move(m.value());
}

/// Generation and everything that its caller sees of it.
struct Run {
  GenerateResult result;
  Tokens streamed;
  std::string text;
};

Run run(Model& m, const Tokens& prompt, const GenerateOptions& o, int max_calls = 1 << 30) {
  Run r;
  auto result = m.generate(std::span<const int32_t>(prompt), o, [&](const Token& t) {
    r.streamed.push_back(t.id), r.text += t.text;
    return --max_calls > 0;
  });
  REQUIRE_MESSAGE(result.ok(), result.status().message());
  r.result = result.value();
  return r;
}

/// The same generation without and with lookup; returns the latter.
GenerateResult compare(Model& m, const Tokens& prompt, GenerateOptions o, int lookup,
                       int max_calls = 1 << 30) {
  const Run plain = run(m, prompt, o, max_calls);
  o.lookup = lookup;
  const Run fast = run(m, prompt, o, max_calls);
  CAPTURE(lookup);
  CAPTURE(o.seed);
  CAPTURE(o.max_tokens);
  CHECK(fast.result.tokens == plain.result.tokens);
  CHECK(fast.result.text == plain.result.text);
  CHECK(fast.result.stop == plain.result.stop);
  CHECK(fast.streamed == plain.streamed);
  CHECK(fast.text == plain.text);
  CHECK(plain.result.n_drafted == 0);
  CHECK(fast.result.n_accepted <= fast.result.n_drafted);
  return fast.result;
}

Tokens repeated(const Tokens& unit, size_t n) {
  Tokens t;
  for (size_t i = 0; i < n; i++) t.push_back(unit[i % unit.size()]);
  return t;
}

/// Options that let `repeated` prompts go on with their own tokens: these become far likelier than others.
GenerateOptions repeating(int n_tokens, uint64_t seed) {
  GenerateOptions o;
  o.max_tokens = n_tokens, o.seed = seed;
  o.repeat_penalty = 0.05f, o.repeat_last_n = -1, o.top_k = 3, o.min_p = 0, o.temperature = 1;
  return o;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("lookup proposes what followed the longest, then latest occurrence") {
    const auto propose = [](const Tokens& history, size_t max_draft, size_t room) {
      return engine::Lookup(max_draft).propose(history, room);
    };
    CHECK(propose({1, 2, 3, 4, 5, 1, 2}, 8, 3) == Tokens{3, 4, 5});
    CHECK(propose({1, 2, 3, 4, 5, 1, 2}, 2, 9) == Tokens{3, 4});
    CHECK(propose({1, 2, 3, 1, 2, 4, 1, 2}, 1, 9) == Tokens{4});                    // the latest
    CHECK(propose({9, 1, 2, 3, 1, 2, 4, 9, 1, 2}, 1, 9) == Tokens{3});              // the longest
    CHECK(propose({7, 8, 9, 7, 8, 9, 7, 8}, 7, 9) == Tokens{9, 7, 8, 9, 7, 8, 9});  // runs into itself
    CHECK(propose({5, 5, 5}, 4, 9) == Tokens{5, 5, 5, 5});
    CHECK(propose({1, 2, 3, 4, 2}, 8, 9).empty());  // one token is not enough
    for (const Tokens& none : {Tokens{}, Tokens{1}, Tokens{1, 1}, Tokens{1, 2, 3}})
      CHECK(propose(none, 8, 9).empty());
    CHECK(propose({1, 2, 3, 1, 2}, 0, 9).empty());
    CHECK(propose({1, 2, 3, 1, 2}, 8, 0).empty());
  }

  TEST_CASE("lookup learns from what came true") {
    const Tokens history = repeated({1, 2, 3}, 30), weak{4, 1, 2, 7, 8, 1, 2};
    engine::Lookup lookup(8);
    const auto length = [&] { return lookup.propose(history, 99).size(); };
    CHECK(length() == 8);
    lookup.learn(8, 2);
    CHECK(length() == 3);
    CHECK(lookup.propose(weak, 99).size() == 3);
    lookup.learn(3, 0);
    CHECK(length() == 1);
    CHECK(lookup.propose(weak, 99).empty());  // two equal tokens are not enough any more
    for (int i = 0; i < 20; i++) lookup.learn(1, 0);
    CHECK(length() == 1);  // a long occurrence is always worth a try
    for (size_t n : {2, 4, 8, 8}) {
      lookup.learn(1, 1);
      CHECK(length() == n);
    }
    CHECK(lookup.propose(weak, 99).size() == 8);
    lookup.learn(0, 0);
    CHECK(length() == 8);
  }

  TEST_CASE("lookup never changes a generation") {
    const Tokens loop = repeated({40, 41, 42, 43, 44}, 23);
    for (const char* name : {"mini-bitnet-i2_s", "mini-llama-mixed", "mini-qwen3-q1_0", "mini-spm"}) {
      CAPTURE(name);
      Model m = model(name);
      size_t drafted = 0, accepted = 0;
      for (uint64_t seed = 0; seed < 6; seed++) {
        for (int lookup : {1, 2, 3, 8, 64}) {
          GenerateOptions greedy;
          greedy.temperature = 0, greedy.max_tokens = 48, greedy.ignore_eos = true, greedy.seed = seed;
          if (seed == 0) compare(m, loop, greedy, lookup);
          const GenerateResult r = compare(m, loop, repeating(40, seed), lookup);
          drafted += r.n_drafted, accepted += r.n_accepted;
          GenerateOptions wild;  // nothing comes true
          wild.temperature = 5, wild.top_k = 0, wild.max_tokens = 24, wild.seed = seed;
          compare(m, loop, wild, lookup);
        }
      }
      CHECK(accepted > 100);
      CHECK(accepted < drafted);  // both ways were taken
    }
  }

  TEST_CASE("lookup and every way to end a generation") {
    Model m = model("mini-llama-mixed");
    const Tokens loop = repeated(m.tokenize("xyz", false, false).value(), 20);
    size_t inside = 0;  // runs that ended with guesses left over
    const auto check = [&](const GenerateOptions& o, int max_calls = 1 << 30) {
      const GenerateResult r = compare(m, loop, o, 8, max_calls);
      inside += r.n_accepted > 0 && r.n_accepted < r.n_drafted;
      return r;
    };
    for (int n = 0; n < 30; n++) {
      check(repeating(n, 3));
      check(repeating(30, 3), n + 1);
    }
    for (uint64_t seed = 0; seed < 20; seed++) {
      GenerateOptions o = repeating(40, seed);
      const std::string text = run(m, loop, o).text;
      REQUIRE(text.size() > 20);
      o.stop = {"never there", text.substr(9, 3)};
      CHECK(check(o).stop == GenerateResult::Stop::kStopText);
    }
    CHECK(inside > 20);

    int ends = 0;
    for (const char* name : {"mini-bitnet-i2_s", "mini-llama-mixed", "mini-qwen3-q1_0", "mini-spm"}) {
      Model other = model(name);
      const int32_t eos = other.info().eos;
      REQUIRE(other.is_eog(eos));
      for (uint64_t seed = 0; seed < 20; seed++) {
        const Tokens prompt = repeated({50, 51, eos}, 20);
        const GenerateResult r = compare(other, prompt, repeating(40, seed), 8);
        ends += r.stop == GenerateResult::Stop::kEnd && r.n_accepted > 0;
        GenerateOptions on = repeating(20, seed);
        on.ignore_eos = true;
        compare(other, prompt, on, 8);
      }
    }
    CHECK(ends > 0);
  }

  TEST_CASE("lookup at the end of the context, in small passes, and cancelled") {
    const Tokens loop = repeated({60, 61, 62, 63}, 21);
    for (int n_ctx = 21; n_ctx < 40; n_ctx++) {
      LoadOptions small;
      small.n_ctx = n_ctx;
      small.n_batch = 1 + n_ctx % 7;
      Model m = model("mini-qwen3-q1_0", small);
      GenerateOptions o = repeating(-1, uint64_t(n_ctx));
      o.ignore_eos = true;
      const GenerateResult r = compare(m, loop, o, 8);
      CHECK(r.stop == GenerateResult::Stop::kContext);
      CHECK(loop.size() + r.tokens.size() == size_t(n_ctx) + 1);
    }
    Model m = model("mini-qwen3-q1_0");
    const Run want = run(m, loop, repeating(30, 1));
    GenerateOptions o = repeating(30, 1);
    o.lookup = 8;
    int cuts = 0;
    for (int calls = 1; calls < 40; calls += 3) {
      int left = calls;
      o.keep_going = [&] { return --left > 0; };
      const Run cut = run(m, loop, o);
      cuts += cut.result.stop == GenerateResult::Stop::kCallback;
      CHECK(std::equal(cut.streamed.begin(), cut.streamed.end(), want.streamed.begin()));
      o.keep_going = {};
      CHECK(run(m, loop, o).result.tokens == want.result.tokens);
      CHECK(run(m, loop, repeating(30, 1)).result.tokens == want.result.tokens);
    }
    CHECK(cuts > 3);
    for (int bad : {-1, 65}) {
      o.lookup = bad;
      CHECK(m.generate(std::span<const int32_t>(loop), o, {}).status().code() == Code::kInvalidArgument);
    }
  }
}

}  // namespace sterna
