#include <openssl/crypto.h>

#include <array>
#include <cstring>

#include "transport/wire/aead_impl.h"

/// No cipher: the text is copied, and the tag is four CRC-32C side by side, each over every fourth
/// 8-byte word of what a cipher would authenticate. They start at words of the key, so that frames
/// of another cluster, sender or view do not match. It keeps mistakes out, not people.
namespace phalanx::wire::insecure {
namespace {

#ifndef __SSE4_2__
constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = crc;
  }
  return table;
}();
#endif

std::uint32_t crc_word(std::uint32_t crc, std::uint64_t word) noexcept {
#ifdef __SSE4_2__
  return static_cast<std::uint32_t>(__builtin_ia32_crc32di(crc, word));
#else
  for (int i = 0; i < 8; ++i) {
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<std::uint32_t>(word >> (8 * i))) & 0xff];
  }
  return crc;
#endif
}

struct State {
  std::array<std::uint32_t, 4> start;
};

/// Four chains hide the latency of the instruction behind one another.
class Checksum {
 public:
  explicit Checksum(const State& state) noexcept : crc_(state.start) {}

  void add_word(std::size_t chain, std::uint64_t word) noexcept {
    crc_[chain] = crc_word(crc_[chain], word);
  }

  /// Whole words in turn; then into chain 3 what is left over, zero-padded, and the length.
  void add(std::span<const std::byte> bytes) noexcept {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 32; left -= 32, at += 32) {
      for (std::size_t chain = 0; chain < 4; ++chain) {
        add_word(chain, load_le<std::uint64_t>(at + 8 * chain));
      }
    }
    std::size_t chain = 0;
    for (; left >= 8; left -= 8, at += 8) add_word(chain++, load_le<std::uint64_t>(at));
    std::array<std::byte, 8> last{};
    if (left > 0) std::memcpy(last.data(), at, left);
    add_word(3, load_le<std::uint64_t>(last.data()));
    add_word(3, bytes.size());
  }

  void finish(TagOut tag) const noexcept {
    for (std::size_t chain = 0; chain < 4; ++chain) store_le(tag.data() + 4 * chain, crc_[chain]);
  }

 private:
  std::array<std::uint32_t, 4> crc_;
};

void tag_of(const State& state, const AeadText& in, TagOut tag) noexcept {
  Checksum sum(state);
  sum.add(std::as_bytes(std::span(in.nonce.bytes)));
  sum.add(in.associated);
  sum.add(in.text);
  sum.finish(tag);
}

}  // namespace

void* make(const Secret& key) {
  auto* state = new State;
  for (std::size_t i = 0; i < 4; ++i) {
    state->start[i] = load_le<std::uint32_t>(std::as_bytes(key.bytes()).data() + 4 * i);
  }
  return state;
}

void free(void* state) noexcept { delete static_cast<State*>(state); }

void seal(const void* state, const AeadText& in, std::byte* out, TagOut tag) noexcept {
  if (!in.text.empty()) std::memcpy(out, in.text.data(), in.text.size());
  tag_of(*static_cast<const State*>(state), in, tag);
}

void tag(const void* state, const AeadText& in, TagOut out) noexcept {
  tag_of(*static_cast<const State*>(state), in, out);
}

bool open(const void* state, const AeadText& in, TagIn tag, std::byte* out) noexcept {
  // What is checked is the copy: the text may lie where others can still write.
  if (!in.text.empty()) std::memcpy(out, in.text.data(), in.text.size());
  std::array<std::byte, kTagBytes> expected;
  tag_of(*static_cast<const State*>(state),
         {.nonce = in.nonce, .associated = in.associated, .text = {out, in.text.size()}}, expected);
  return CRYPTO_memcmp(expected.data(), tag.data(), kTagBytes) == 0;
}

}  // namespace phalanx::wire::insecure
