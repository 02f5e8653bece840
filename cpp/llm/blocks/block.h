// A block: what is between two joins of the residual stream. One file per kind of block says which tensors it
// has, what it keeps of a sequence, and what it computes.
#pragma once

#include "backends/cpu/rows.h"

namespace sterna::blocks {

class Block {
 public:
  virtual ~Block() = default;
  /// x.delta = what the block adds to the stream, after x is joined. Weights never change.
  virtual void run(cpu::RowOps& ops, cpu::Residual& x) const = 0;
};

}  // namespace sterna::blocks
