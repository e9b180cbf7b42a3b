#pragma once

#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::dataplane {

/// `dataplane.sock` of an instance: held by one data plane alone. Made with mode 0600, in a
/// directory that is made with mode 0700 where it is missing; removed when destroyed.
class ControlListener {
 public:
  [[nodiscard]] static Expected<ControlListener, Error> open(const std::string& instance_directory);

  ControlListener(ControlListener&& other) noexcept = default;
  ControlListener& operator=(ControlListener&&) = delete;
  ~ControlListener();

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  /// The next control plane that connected, or an empty Fd.
  [[nodiscard]] Fd accept() const noexcept;

 private:
  ControlListener(std::string path, Fd lock, Fd socket) noexcept
      : path_(std::move(path)), lock_(std::move(lock)), socket_(std::move(socket)) {}

  std::string path_;
  Fd lock_;
  Fd socket_;
};

}  // namespace phalanx::dataplane
