// Matrices for measurements and the self-test: what a variant's kernels read, with made-up particulars.
#pragma once

#include "packing/packing.h"

namespace sterna::cpu {

/// Codes that the kernels of a variant read, with made-up zero point, block and codebook.
formats::CodeSpec example_spec(const kernels::QGemmVariant& variant);
/// Makes arbitrary codes of a spec with a grid those of patterns: the first codes of each choose one.
void to_patterns(const formats::CodeSpec& spec, uint8_t* codes, size_t n);
/// The packing that they read.
const Packing& packing_of(const kernels::QGemmVariant& variant);

}  // namespace sterna::cpu
