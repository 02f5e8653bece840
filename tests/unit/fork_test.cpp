// fork() while other threads use a model, weights or nothing: the child works or is told why; it never waits.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "sterna/sterna.h"
#include "threads/turn.h"

namespace sterna {
namespace {

/// Runs `child` in a forked process of at most ten seconds; true if it returned true there.
bool in_child(const std::function<bool()>& child) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(10);
    _exit(child() ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Model load() {
  LoadOptions options;
  options.n_threads = 2, options.n_ctx = 64;
  auto m = Model::load(std::string(STERNA_TEST_DATA_DIR) + "/data/models/mini-qwen3-q1_0.gguf", options);
  REQUIRE_MESSAGE(m.ok(), m.status().message());
  return std::move(m.value());
}

GenerateOptions greedy(int n) {
  GenerateOptions o;
  o.max_tokens = n, o.temperature = 0, o.ignore_eos = true;
  return o;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a turn held by a thread that the child does not have is an error there") {
    Turn turn;
    REQUIRE(turn.take("test").ok());
    CHECK(in_child([&] { return turn.take("test").code() == Code::kUnsupported; }));
    turn.give_back();
    CHECK(in_child([&] { return turn.take("test").ok(); }));
    REQUIRE(turn.take("test").ok());
    turn.give_back();
  }

  TEST_CASE("a callback that calls its own model is told so") {
    Model m = load();
    Code code = Code::kOk;
    const std::vector<int32_t> one = {1};
    const auto r = m.generate("ab", greedy(4), [&](const Token&) {
      std::vector<float> out(m.info().n_vocab);
      code = m.forward(one, out, {}).code();
      return m.tokenize("ab", false, false).ok();
    });
    CHECK((r.ok() && r.value().tokens.size() == 4));
    CHECK(code == Code::kInvalidArgument);
  }

  TEST_CASE("turns are taken by one thread at a time") {
    Turn turn;
    std::atomic<int> inside{0}, most{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
      threads.emplace_back([&] {
        for (int n = 0; n < 2000; n++) {
          const Status s = in_turn(turn, "test", [&]() -> Status {
            if (++inside > 1) most = 2;
            --inside;
            return {};
          });
          if (!s.ok()) most = 3;
        }
      });
    for (std::thread& t : threads) t.join();
    CHECK(most == 0);
  }

  TEST_CASE("the child of an idle process uses the model and the weights") {
    Model m = load();
    const auto want = m.generate("ab", greedy(4), {});
    const std::vector<uint8_t> codes(64 * 64, 2);
    const std::vector<float> scales(64, 1), x(64, 1);
    auto w = PackedWeights::pack(codes, scales, 64, 64, {});
    std::vector<float> y(64);
    REQUIRE(w.value().matmul(x, y, 1, 2).ok());
    CHECK(in_child([&] {
      std::vector<float> z(64);
      const auto got = m.generate("ab", greedy(4), {});
      return got.ok() && got.value().tokens == want.value().tokens && w.value().matmul(x, z, 1, 2).ok() &&
             z == y;
    }));
  }

  TEST_CASE("the child of a busy process is told so") {
    Model m = load();
    std::atomic<bool> began{false}, stop{false};
    std::thread busy([&] {
      GenerateOptions o = greedy(-1);
      const auto r = m.generate("ab", o, [&](const Token&) {
        began = true;
        while (!stop) std::this_thread::yield();
        return false;
      });
      REQUIRE(r.ok());
    });
    while (!began) std::this_thread::yield();
    CHECK(in_child([&] {
      std::vector<float> out(m.info().n_vocab);
      const std::vector<int32_t> one = {1};
      return m.generate("ab", greedy(2), {}).status().code() == Code::kUnsupported &&
             m.forward(one, out, {}).code() == Code::kUnsupported &&
             m.perplexity(one, 2, {}).status().code() == Code::kUnsupported &&
             m.bench(1, 1, 0, {}).status().code() == Code::kUnsupported &&
             m.tokenize("ab", false, false).ok();
    }));
    CHECK(in_child([&] { return load().generate("ab", greedy(2), {}).ok(); }));  // one of its own
    stop = true;
    busy.join();
    CHECK(m.generate("ab", greedy(2), {}).ok());
  }
}

}  // namespace sterna
