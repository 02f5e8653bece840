// The small kernels that a Decoder calls, looked up once.
#pragma once

#include "kernels/contract/elementwise.h"
#include "kernels/registry.h"
#include "llm/models/decoder.h"

namespace sterna::models {

struct Decoder::Kernels {
  using Family = kernels::Family;
  kernels::RmsNormFn* rmsnorm = kernels::find_fn<kernels::RmsNormFn>(Family::rmsnorm, "f32");
  kernels::RopeFn* rope;
  kernels::GluFn* glu;
  kernels::AddFn* add = kernels::find_fn<kernels::AddFn>(Family::add, "f32");

  explicit Kernels(const DecoderSpec& s)
      : rope(kernels::find_fn<kernels::RopeFn>(Family::rope, s.rope.interleaved ? "norm" : "neox")),
        glu(kernels::find_fn<kernels::GluFn>(Family::glu, s.activation)) {}
};

}  // namespace sterna::models
