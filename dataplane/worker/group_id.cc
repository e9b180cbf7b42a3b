#include "dataplane/worker/group_id.h"

#include <openssl/sha.h>

#include <array>

#include "ipc/base/bytes.h"

namespace phalanx::worker {

GroupId group_id(std::span<const std::byte> name) noexcept {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  return load_le<GroupId>(reinterpret_cast<const std::byte*>(digest.data()));
}

}  // namespace phalanx::worker
