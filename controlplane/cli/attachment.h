#pragma once

#include <phalanx/phalanx.h>

#include <string>
#include <utility>

#include "controlplane/cli/program.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// An attachment of this process to a data plane, given back at the end. Move-only.
class Attachment {
 public:
  explicit Attachment(phx_handle handle) noexcept : handle_(handle) {}
  Attachment(Attachment&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Attachment& operator=(Attachment&&) = delete;
  ~Attachment() {
    if (handle_ != 0) phx_finalize(handle_);
  }

  [[nodiscard]] phx_handle get() const noexcept { return handle_; }

 private:
  phx_handle handle_;
};

/// Attaches to the instance asked for. `context` must outlive the attachment.
[[nodiscard]] Expected<Attachment, Error> attach(const Instance& instance,
                                                 const phx_callbacks& callbacks, void* context,
                                                 phx_delivery delivery = PHX_DELIVERY_PRIVATE);

/// What the library said, with the exit code that belongs to it.
[[nodiscard]] Error library_error(std::string attempted, phx_status status);

}  // namespace phalanx::cli
