#include "ipc/base/assert.h"
#include "transport/wire/aead_impl.h"

#ifdef PHX_HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <array>
#include <new>
#include <type_traits>

#include "transport/wire/secret_memory.h"

namespace phalanx::wire::ipsec_mb {
namespace {

struct State {
  gcm_key_data key;
  aes_gcm_enc_dec_t seal;
  aes_gcm_enc_dec_t open;
};

/// The library's table of functions for this processor: made at the first key, kept for ever.
/// Null when the processor has no AES instructions or the library's own test failed.
const IMB_MGR* manager() noexcept {
  static const IMB_MGR* const kManager = []() -> const IMB_MGR* {
    IMB_MGR* made = alloc_mb_mgr(0);
    if (made == nullptr) return nullptr;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(made, &arch);
    if (imb_get_errno(made) == 0 && arch >= IMB_ARCH_SSE && (made->features & IMB_FEATURE_AESNI)) {
      return made;
    }
    free_mb_mgr(made);
    return nullptr;
  }();
  return kManager;
}

}  // namespace

bool available() noexcept { return manager() != nullptr; }

void* make(const Secret& key) {
  auto* state = new (allocate_secret(sizeof(State)))
      State{.key = {}, .seal = manager()->gcm256_enc, .open = manager()->gcm256_dec};
  manager()->gcm256_pre(key.bytes().data(), &state->key);
  return state;
}

void free(void* state) noexcept {
  static_assert(std::is_trivially_destructible_v<State>);
  free_secret(state, sizeof(State));
}

void seal(const void* state, const AeadText& in, std::byte* out, TagOut tag) noexcept {
  gcm_context_data context;
  manager()->gcm256_enc(
      &static_cast<const State*>(state)->key, &context, reinterpret_cast<std::uint8_t*>(out),
      reinterpret_cast<const std::uint8_t*>(in.text.data()), in.text.size(), in.nonce.bytes.data(),
      reinterpret_cast<const std::uint8_t*>(in.associated.data()), in.associated.size(),
      reinterpret_cast<std::uint8_t*>(tag.data()), kTagBytes);
}

bool open(const void* state, const AeadText& in, TagIn tag, std::byte* out) noexcept {
  gcm_context_data context;
  std::array<std::uint8_t, kTagBytes> expected;
  manager()->gcm256_dec(
      &static_cast<const State*>(state)->key, &context, reinterpret_cast<std::uint8_t*>(out),
      reinterpret_cast<const std::uint8_t*>(in.text.data()), in.text.size(), in.nonce.bytes.data(),
      reinterpret_cast<const std::uint8_t*>(in.associated.data()), in.associated.size(),
      expected.data(), kTagBytes);
  // The library only computes the tag: comparing it is ours.
  return CRYPTO_memcmp(expected.data(), tag.data(), kTagBytes) == 0;
}

}  // namespace phalanx::wire::ipsec_mb

#else

namespace phalanx::wire::ipsec_mb {

bool available() noexcept { return false; }
void* make(const Secret&) { return nullptr; }
void free(void*) noexcept {}
void seal(const void*, const AeadText&, std::byte*, TagOut) noexcept { PHX_CHECK(available()); }
bool open(const void*, const AeadText&, TagIn, std::byte*) noexcept { return false; }

}  // namespace phalanx::wire::ipsec_mb

#endif
