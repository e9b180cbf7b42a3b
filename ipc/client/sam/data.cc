#include <cstring>

#include "ipc/client/sam/state.h"

using namespace phalanx::client::sam;

phx_status phx_sam_data_store(const void* data, size_t bytes) {
  if (!is_initialized()) return PHX_BAD_HANDLE;
  if (data == nullptr && bytes > 0) return PHX_INVALID;
  if (bytes > PHX_SAM_DATA_BYTES_MAX) return PHX_TOO_BIG;
  if (is_registered()) {
    const phx_status told = tell(Kind::Store, 0, data, bytes);
    if (told != PHX_OK) return told;
  }
  if (bytes > 0) std::memmove(sam().data, data, bytes);
  sam().data_bytes = static_cast<std::uint32_t>(bytes);
  return PHX_OK;
}

phx_status phx_sam_data_getsize(size_t* bytes) {
  if (!is_initialized()) return PHX_BAD_HANDLE;
  if (bytes == nullptr) return PHX_INVALID;
  *bytes = sam().data_bytes;
  return PHX_OK;
}

phx_status phx_sam_data_restore(void* data, size_t capacity) {
  if (!is_initialized()) return PHX_BAD_HANDLE;
  if (data == nullptr || capacity < sam().data_bytes) return PHX_INVALID;
  std::memcpy(data, sam().data, sam().data_bytes);
  return PHX_OK;
}
