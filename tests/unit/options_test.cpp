// The options of load() and generate(): the structs, their table and their bounds say the same.
#include "sterna/options.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "sterna/model.h"

using namespace sterna;

namespace {

std::string refusal(const LoadOptions& o) { return check_options(o).message(); }
std::string refusal(const GenerateOptions& o) { return check_options(o).message(); }

const OptionInfo& info(std::string_view name) {
  for (const OptionInfo& o : options())
    if (o.name == name) return o;
  FAIL("no such option");
  return options()[0];
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("options can be initialized by name, in the order of the list, and keep their defaults") {
    const LoadOptions load{.n_threads = 2, .n_ctx = 16, .kv_type = "int8", .head_bits = 4, .progress = {}};
    CHECK(load.n_threads == 2);
    CHECK(load.n_batch == 512);
    CHECK(load.screen == "auto");
    const GenerateOptions generate{.max_tokens = 3, .top_p = 0.5f, .ignore_eos = true, .stop = {"x"}};
    CHECK(generate.temperature == 0.8f);
    CHECK(generate.min_p == 0.05f);
    CHECK(generate.repeat_last_n == 64);
    CHECK(generate.parse_special);
    CHECK_FALSE(LoadOptions().n_ctx.has_value());
  }

  TEST_CASE("the table has the options of the structs, with their defaults") {
    std::set<std::string_view> names, flags;
    for (const OptionInfo& o : options()) {
      CHECK_MESSAGE(names.insert(o.name).second, o.name);
      CHECK((o.call == "load" || o.call == "generate"));
      CHECK_FALSE(o.help.empty());
      CHECK((o.flags.empty() || flags.insert(o.flags).second));
      CHECK(o.placeholder.empty() == (o.type == "bool"));
    }
    CHECK(names.contains("lookup"));
    CHECK(std::get<std::monostate>(info("n_threads").value) == std::monostate());
    CHECK(std::get<int64_t>(info("n_batch").value) == LoadOptions().n_batch);
    CHECK(std::get<std::string_view>(info("kv_type").value) == LoadOptions().kv_type);
    CHECK(std::get<std::string_view>(info("pre").value).empty());
    CHECK(std::get<double>(info("temperature").value) == 0.8);
    CHECK(float(std::get<double>(info("top_p").value)) == GenerateOptions().top_p);
    CHECK_FALSE(std::get<bool>(info("ignore_eos").value));
    CHECK(info("seed").type == "seed");
    CHECK(info("n_threads").type == "int");
  }

  TEST_CASE("the defaults are within their bounds") {
    CHECK(check_options(LoadOptions()).ok());
    CHECK(check_options(GenerateOptions()).ok());
  }

  TEST_CASE("values at the edge of their bounds pass, those beyond are named with what was expected") {
    CHECK(refusal(LoadOptions{.n_threads = 1}).empty());
    CHECK(refusal(LoadOptions{.n_threads = 1024}).empty());
    CHECK(refusal(LoadOptions{.n_threads = 0}) == "[load] n_threads, got 0, expected 1 to 1024");
    CHECK(refusal(LoadOptions{.n_threads = 1025}) == "[load] n_threads, got 1025, expected 1 to 1024");
    CHECK(refusal(LoadOptions{.n_ctx = 0}).empty());
    CHECK(refusal(LoadOptions{.n_ctx = -1}) == "[load] n_ctx, got -1, expected 0 (the model's) or more");
    CHECK(refusal(LoadOptions{.n_batch = 65536}).empty());
    CHECK(refusal(LoadOptions{.n_batch = 65537}) == "[load] n_batch, got 65537, expected 1 to 65536");
    CHECK(refusal(LoadOptions{.screen = "on"}).empty());
    CHECK(refusal(LoadOptions{.screen = ""}) == "[load] screen, got '', expected auto, on or off");
    for (const int bits : {0, 4, 6, 8}) CHECK(refusal(LoadOptions{.head_bits = bits}).empty());
    CHECK(refusal(LoadOptions{.head_bits = 5}) ==
          "[load] head_bits, got 5, expected 8, 6, 4, or 0 (as in the file)");
  }

  TEST_CASE("bounds of numbers, and what is not a number") {
    const float inf = std::numeric_limits<float>::infinity();
    CHECK(refusal(GenerateOptions{.max_tokens = -2}) == "[generate] max_tokens, got -2, expected -1 or more");
    CHECK(refusal(GenerateOptions{.temperature = -5}).empty());
    CHECK(refusal(GenerateOptions{.temperature = inf}) ==
          "[generate] temperature, got inf, expected a finite number");
    CHECK(refusal(GenerateOptions{.top_p = 0}).empty());
    CHECK(refusal(GenerateOptions{.top_p = inf}).empty());
    CHECK(refusal(GenerateOptions{.top_p = -1}) ==
          "[generate] top_p, got -1.000000, expected a number from 0");
    CHECK(refusal(GenerateOptions{.min_p = 1}).empty());
    CHECK(refusal(GenerateOptions{.min_p = 2}) ==
          "[generate] min_p, got 2.000000, expected a number up to 1");
    CHECK(refusal(GenerateOptions{.repeat_penalty = 0}) ==
          "[generate] repeat_penalty, got 0.000000, expected a finite number above 0");
    CHECK_FALSE(refusal(GenerateOptions{.repeat_penalty = inf}).empty());
    CHECK(refusal(GenerateOptions{.lookup = 64}).empty());
    CHECK(refusal(GenerateOptions{.lookup = 65}) == "[generate] lookup, got 65, expected 0 to 64");
    for (float GenerateOptions::*number : {&GenerateOptions::temperature, &GenerateOptions::top_p,
                                           &GenerateOptions::min_p, &GenerateOptions::repeat_penalty}) {
      GenerateOptions o;
      o.*number = NAN;
      CHECK_FALSE(check_options(o).ok());
    }
  }
}
