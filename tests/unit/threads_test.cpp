// The pool: every index once, any size, reuse, errors, and life after fork.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <vector>

#include "threads/pool.h"

namespace sterna {

TEST_SUITE("unit") {
  TEST_CASE("every task runs exactly once") {
    for (int n_threads : {1, 2, 3, 7}) {
      auto pool = ThreadPool::create(n_threads);
      REQUIRE(pool.ok());
      CHECK(pool.value()->size() == n_threads);
      for (size_t n : {0, 1, 2, 3, 100, 1000}) {
        for (int round = 0; round < 20; round++) {
          std::vector<std::atomic<int>> count(n);
          pool.value()->run(n, [&](size_t i) { count[i]++; });
          for (size_t i = 0; i < n; i++) REQUIRE(count[i] == 1);
        }
      }
    }
  }

  TEST_CASE("a task without memory: the others are done, and the caller is told, not the process ended") {
    for (int n_threads : {1, 3}) {
      auto pool = ThreadPool::create(n_threads);
      REQUIRE(pool.ok());
      for (int round = 0; round < 50; round++) {
        std::atomic<size_t> done{0};
        const auto run = [&] {
          pool.value()->run(40, [&](size_t i) {
            if (n_threads > 1 ? i % 7 == 3 : i == 39) throw std::bad_alloc();
            done++;
          });
        };
        CHECK_THROWS_AS(run(), std::bad_alloc);
        CHECK(done == (n_threads > 1 ? 34u : 39u));
      }
      std::atomic<size_t> after{0};
      pool.value()->run(40, [&](size_t) { after++; });
      CHECK(after == 40);
    }
  }

  TEST_CASE("a task is told which thread calls it, and no two threads have one number") {
    auto pool = ThreadPool::create(3);
    REQUIRE(pool.ok());
    for (int round = 0; round < 200; round++) {
      std::atomic<int> busy[3] = {};
      std::atomic<bool> ok = true;
      pool.value()->run(50, [&](size_t, size_t thread) {
        if (thread >= 3 || busy[thread]++ != 0) ok = false;
        if (thread < 3) busy[thread]--;
      });
      CHECK(ok);
    }
  }

  TEST_CASE("a pool refuses silly sizes") {
    for (int n : {0, -1, 1000000}) {
      auto pool = ThreadPool::create(n);
      REQUIRE(!pool.ok());
      CHECK(pool.status().code() == Code::kInvalidArgument);
      CHECK(pool.status().message().find(std::to_string(n)) != std::string::npos);
    }
  }

  TEST_CASE("in a forked child the caller does the work alone") {
    auto pool = ThreadPool::create(3);
    REQUIRE(pool.ok());
    pool.value()->run(10, [](size_t) {});
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::atomic<int> sum = 0;
      pool.value()->run(10, [&](size_t i) { sum += int(i); });
      _exit(sum == 45 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

}  // namespace sterna
