// The instructions of emulator.h by their definitions in Intel's Software Developer's Manual, volume 2.
#include "conformance/emulator.h"

#include <cstdint>
#include <cstring>

#include "kernels/registry.h"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/mman.h>
#include <ucontext.h>

namespace sterna::testing {
namespace {

bool has(const std::string& name) {
  for (const kernels::Isa& isa : kernels::isas())
    if (name == isa.name) return isa.supported();
  return false;
}

struct Tile {
  uint8_t rows;
  uint16_t row_bytes;
  uint8_t data[16][64];
};
Tile tiles[8];
bool configured = false;

/// A VEX instruction of opcode map 0F38; its place of operands in memory is computed already.
struct Instruction {
  int length, opcode, prefix;  ///< prefix: 0 none, 1 66, 2 F3, 3 F2
  int reg, rm, vvvv;
  bool wide;  ///< 256 bits
  bool memory, has_sib, relative;
  uint8_t* address;
  int64_t index;  ///< Scaled; 0 if there is none.
};

int64_t displacement(const uint8_t* p, int bytes) {
  int32_t d = 0;
  if (bytes == 1) return int8_t(*p);
  std::memcpy(&d, p, size_t(bytes));
  return d;
}

int64_t general_register(const mcontext_t& m, int number) {
  constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return m.gregs[kOrder[number]];
}

/// False if there is no such instruction at the instruction pointer.
bool decode(const mcontext_t& m, Instruction& in) {
  const auto* p = reinterpret_cast<const uint8_t*>(m.gregs[REG_RIP]);
  if (p[0] != 0xc4 || (p[1] & 31) != 2 || p[2] >> 7) return false;
  const int r = ~p[1] >> 4 & 8, x = ~p[1] >> 3 & 8, b = ~p[1] >> 2 & 8;
  const int mod = p[4] >> 6;
  in = {};
  in.opcode = p[3], in.prefix = p[2] & 3, in.wide = p[2] & 4, in.vvvv = ~p[2] >> 3 & 15;
  in.reg = (p[4] >> 3 & 7) | r, in.rm = (p[4] & 7) | b, in.memory = mod != 3;
  in.length = 5;
  if (!in.memory) return true;
  int64_t base = 0;
  bool no_base = false;
  in.has_sib = (p[4] & 7) == 4;
  if (in.has_sib) {
    const int sib = p[in.length++], index = (sib >> 3 & 7) | x;
    if (index != 4) in.index = general_register(m, index) * (1 << (sib >> 6));
    no_base = mod == 0 && (sib & 7) == 5;
    if (!no_base) base = general_register(m, (sib & 7) | b);
  } else {
    in.relative = mod == 0 && (p[4] & 7) == 5;
    if (!in.relative) base = general_register(m, in.rm);
  }
  const int bytes = mod == 1 ? 1 : mod == 2 || in.relative || no_base ? 4 : 0;
  base += displacement(p + in.length, bytes);
  in.length += bytes;
  if (in.relative) base += m.gregs[REG_RIP] + in.length;
  in.address = reinterpret_cast<uint8_t*>(base);
  return true;
}

/// Replaces a vpdpbusd or vpdpwssd (which clang makes of a product and a sum) in AVX-VNNI's encoding by a
/// jump to the same in AVX-512's, which is a byte longer, and back.
bool redirect_dot_product(const mcontext_t& m, const Instruction& in) {
  alignas(4096) static uint8_t pool[1 << 17];
  static size_t used = 0;
  constexpr size_t kLongest = 16, kJump = 5;
  const auto jump = [](uint8_t* from, const uint8_t* to) {
    const auto distance = int32_t(to - (from + kJump));
    *from = 0xe9;
    std::memcpy(from + 1, &distance, 4);
  };
  auto* const code = reinterpret_cast<uint8_t*>(m.gregs[REG_RIP]);
  auto* const page = reinterpret_cast<uint8_t*>(m.gregs[REG_RIP] & ~4095);
  if (in.relative || used + kLongest > sizeof pool) return false;
  if (mprotect(pool, sizeof pool, PROT_READ | PROT_WRITE | PROT_EXEC) != 0 ||
      mprotect(page, 2 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
    return false;
  uint8_t* to = pool + used;
  const uint8_t head[] = {0x62, uint8_t((code[1] & 0xe0) | 0x12), uint8_t((code[2] & 0x7b) | 4), 0x28,
                          code[3]};
  std::memcpy(to, head, sizeof head);
  to += sizeof head;
  if (code[4] >> 6 == 1) {  // a displacement of 8 bits would be in units of 32 bytes; 32 bits are plain
    *to++ = code[4] ^ 0xc0;
    if (in.has_sib) *to++ = code[5];
    const int32_t displacement = int8_t(code[in.length - 1]);
    std::memcpy(to, &displacement, 4);
    to += 4;
  } else {
    std::memcpy(to, code + 4, size_t(in.length) - 4);
    to += in.length - 4;
  }
  jump(to, code + in.length);
  jump(code, pool + used);
  used += size_t(to + kJump - (pool + used));
  return true;
}

bool ldtilecfg(const uint8_t* config) {
  uint8_t c[64];
  std::memcpy(c, config, 64);
  uint16_t row_bytes[16];
  std::memcpy(row_bytes, c + 16, 32);
  const uint8_t* rows = c + 48;
  if (c[0] != 1) return false;
  for (int i = 1; i < 16; i++)  // start_row and what is reserved
    if (c[i]) return false;
  for (int i = 0; i < 16; i++) {
    if (i >= 8 ? rows[i] || row_bytes[i] : rows[i] > 16 || row_bytes[i] > 64 || !rows[i] != !row_bytes[i])
      return false;
  }
  for (int i = 0; i < 8; i++) tiles[i] = {rows[i], row_bytes[i], {}};
  configured = true;
  return true;
}

bool move_tile(const Instruction& in, bool load) {
  if (!in.memory || !in.has_sib || in.reg >= 8 || in.vvvv != 0 || !configured || !tiles[in.reg].rows)
    return false;
  Tile& t = tiles[in.reg];
  if (load) std::memset(t.data, 0, sizeof t.data);
  for (int i = 0; i < t.rows; i++) {
    uint8_t* const row = in.address + i * in.index;
    if (load)
      std::memcpy(t.data[i], row, t.row_bytes);
    else
      std::memcpy(row, t.data[i], t.row_bytes);
  }
  return true;
}

bool tdpbsud(const Instruction& in) {
  if (in.memory || in.reg >= 8 || in.rm >= 8 || in.vvvv >= 8 || !configured) return false;
  if (in.reg == in.rm || in.reg == in.vvvv || in.rm == in.vvvv) return false;
  Tile& c = tiles[in.reg];
  const Tile &a = tiles[in.rm], &b = tiles[in.vvvv];
  if (!c.rows || !a.rows || !b.rows || (a.row_bytes | b.row_bytes | c.row_bytes) % 4) return false;
  if (a.rows != c.rows || a.row_bytes / 4 != b.rows || b.row_bytes != c.row_bytes) return false;
  for (int m = 0; m < c.rows; m++)
    for (int k = 0; k < a.row_bytes; k += 4)
      for (int n = 0; n < c.row_bytes; n += 4) {
        uint32_t sum;  // modulo 2^32
        std::memcpy(&sum, c.data[m] + n, 4);
        for (int j = 0; j < 4; j++) sum += uint32_t(int8_t(a.data[m][k + j]) * b.data[k / 4][n + j]);
        std::memcpy(c.data[m] + n, &sum, 4);
      }
  return true;
}

/// Executes (dot products: makes executable) the instruction at the instruction pointer; false if not ours.
bool step(mcontext_t& m) {
  enum Prefix { kNone, k66, kF3, kF2 };
  Instruction in;
  if (!decode(m, in)) return false;
  const auto is = [&](int opcode, Prefix prefix) { return in.opcode == opcode && in.prefix == prefix; };
  bool done = false;
  if (in.wide) return (is(0x50, k66) || is(0x52, k66)) && redirect_dot_product(m, in);
  if (is(0x49, kNone)) {
    done = in.reg == 0 && in.vvvv == 0 && (in.memory ? ldtilecfg(in.address) : in.rm == 0);
    if (done && !in.memory) configured = false;  // tilerelease
  } else if (is(0x49, kF2)) {
    done = !in.memory && in.rm == 0 && in.reg < 8 && in.vvvv == 0 && configured && tiles[in.reg].rows;
    if (done) std::memset(tiles[in.reg].data, 0, sizeof tiles[0].data);  // tilezero
  } else if (is(0x4b, kF2)) {
    done = move_tile(in, true);
  } else if (is(0x4b, kF3)) {
    done = move_tile(in, false);
  } else if (is(0x5e, kF3)) {
    done = tdpbsud(in);
  }
  if (done) m.gregs[REG_RIP] += in.length;
  return done;
}

struct sigaction usual_handler;

void on_illegal_instruction(int, siginfo_t*, void* context) {
  mcontext_t& m = static_cast<ucontext_t*>(context)->uc_mcontext;
  if (!step(m)) {
    sigaction(SIGILL, &usual_handler, nullptr);  // which takes over when the instruction is repeated
    return;
  }
  while (step(m)) {  // a trap costs more than many instructions
  }
}

}  // namespace

bool can_emulate(const std::string& isa) {
  return !has(isa) && ((isa == "avxvnni" && has("avx512")) || (isa == "amx" && has("avx512_vbmi")));
}

Emulation::Emulation(const std::string& isa) : active_(can_emulate(isa)) {
  if (!active_) return;
  configured = false;
  struct sigaction action {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &old_);
  usual_handler = old_;
}

Emulation::~Emulation() {
  if (active_) sigaction(SIGILL, &old_, nullptr);
}

std::string Emulation::leftovers() const { return active_ && configured ? "did not release the tiles" : ""; }

}  // namespace sterna::testing
#else
namespace sterna::testing {

bool can_emulate(const std::string&) { return false; }
Emulation::Emulation(const std::string&) : active_(false) {}
Emulation::~Emulation() = default;
std::string Emulation::leftovers() const { return ""; }

}  // namespace sterna::testing
#endif
