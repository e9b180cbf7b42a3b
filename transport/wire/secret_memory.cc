#include "transport/wire/secret_memory.h"

#include <openssl/crypto.h>

#include <cstdlib>
#include <cstring>

#include "ipc/base/assert.h"

namespace phalanx::wire {
namespace {

/// All keys of 64 nodes in the middle of a view change and of a rotation: 512 of 2 KiB, and as
/// much.
constexpr std::size_t kRegionBytes = std::size_t{2} << 20;
constexpr std::size_t kLeastBytes = 32;
constexpr std::size_t kAlignment = 64;

/// The library's region: mapped apart, MADV_DONTDUMP, locked page by page as they are touched.
void open_region() {
  static const bool kOpen = CRYPTO_secure_malloc_initialized() == 1 ||
                            CRYPTO_secure_malloc_init(kRegionBytes, kLeastBytes) != 0;
  PHX_CHECK(kOpen);
}

}  // namespace

void* allocate_secret(std::size_t bytes) {
  open_region();
  void* memory = OPENSSL_secure_zalloc(bytes);
  if (memory != nullptr) return memory;
  memory = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  PHX_CHECK(memory != nullptr);
  std::memset(memory, 0, bytes);
  return memory;
}

void free_secret(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
  if (CRYPTO_secure_allocated(memory) == 1) return OPENSSL_secure_clear_free(memory, bytes);
  OPENSSL_cleanse(memory, bytes);
  std::free(memory);
}

}  // namespace phalanx::wire
