// Names that the lists expand to: a kernel's descriptor is <family>_<variant>[_<algorithm>]_<isa>, the table
// of an ISA kernels_<isa>.
#pragma once

#define STERNA_STR2(x) #x
#define STERNA_STR(x) STERNA_STR2(x)
#define STERNA_NAME2(family, variant, isa) family##_##variant##_##isa
#define STERNA_NAME(family, variant, isa) STERNA_NAME2(family, variant, isa)
#define STERNA_TABLE2(isa) kernels_##isa
#define STERNA_TABLE(isa) STERNA_TABLE2(isa)
