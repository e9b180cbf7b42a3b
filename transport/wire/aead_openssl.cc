#include <openssl/evp.h>

#include <memory>

#include "ipc/base/assert.h"
#include "transport/wire/aead_impl.h"

namespace phalanx::wire::openssl {
namespace {

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextFree>;

/// One context a direction, with the key set: a frame only sets its nonce.
struct State {
  Context seal;
  Context open;
};

const std::uint8_t* u8(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}
std::uint8_t* u8(std::byte* bytes) noexcept { return reinterpret_cast<std::uint8_t*>(bytes); }

Context make_context(const Secret& key, int encrypt) {
  Context context(EVP_CIPHER_CTX_new());
  PHX_CHECK(context != nullptr);
  PHX_CHECK(EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.bytes().data(),
                              nullptr, encrypt) == 1);
  return context;
}

/// Sets the nonce and runs over both texts. False only when the library itself fails.
bool run(EVP_CIPHER_CTX* context, const AeadText& in, std::byte* out) noexcept {
  int done = 0;
  return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, in.nonce.bytes.data(), -1) == 1 &&
         EVP_CipherUpdate(context, nullptr, &done, u8(in.associated),
                          static_cast<int>(in.associated.size())) == 1 &&
         (in.text.empty() || EVP_CipherUpdate(context, u8(out), &done, u8(in.text),
                                              static_cast<int>(in.text.size())) == 1);
}

}  // namespace

void* make(const Secret& key) {
  return new State{.seal = make_context(key, 1), .open = make_context(key, 0)};
}

void free(void* state) noexcept { delete static_cast<State*>(state); }

void seal(const void* state, const AeadText& in, std::byte* out, TagOut tag) noexcept {
  EVP_CIPHER_CTX* context = static_cast<const State*>(state)->seal.get();
  int done = 0;
  std::uint8_t none[16];
  PHX_CHECK(run(context, in, out) && EVP_CipherFinal_ex(context, none, &done) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) == 1);
}

bool open(const void* state, const AeadText& in, TagIn tag, std::byte* out) noexcept {
  EVP_CIPHER_CTX* context = static_cast<const State*>(state)->open.get();
  int done = 0;
  std::uint8_t none[16];
  // The control only reads the tag, but its parameter is not const. Final compares it in constant
  // time.
  return run(context, in, out) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes,
                             const_cast<std::byte*>(tag.data())) == 1 &&
         EVP_CipherFinal_ex(context, none, &done) == 1;
}

}  // namespace phalanx::wire::openssl
