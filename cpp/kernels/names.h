// The names of kernels, made and read here and nowhere else. What there is to name: contract/families.inc,
// contract/variants.inc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/contract/kernel.h"
#include "kernels/contract/qgemm.h"
#include "kernels/contract/tables.h"

namespace sterna::kernels {

/// A line of variants.inc.
struct Variant {
  Family family;
  const char* name;
  QGemmVariant qgemm;    ///< Its typed entry, of this family only,
  TablesVariant tables;  ///< and of this.
};
std::span<const Variant> all_variants();

const char* family_name(Family family);

/// The typed entry of a name; null if the list has no such variant.
const QGemmVariant* qgemm_variant(std::string_view name);
const TablesVariant* tables_variant(std::string_view name);
/// The name of a typed entry; null if the list has no such variant.
const char* name_of(const QGemmVariant& variant);
const char* name_of(const TablesVariant& variant);

/// "qgemm_w2_row", and with algorithm and instruction set "qgemm_w1_row_table_avx512".
std::string base_name(const Kernel& k);
std::string full_name(const Kernel& k);

/// Whether a kernel of qgemm reads tables (contract/tables.h).
inline bool looks_up(const Kernel& k) { return k.algorithm == std::string_view("table"); }

}  // namespace sterna::kernels
