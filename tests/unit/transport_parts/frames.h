#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "transport/transport.h"

namespace phalanx::transport {

using Bytes = std::vector<std::byte>;

/// A directory that lives as long as this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

/// Frame `number` of `length` bytes: no two are alike.
[[nodiscard]] Bytes frame_of(std::size_t number, std::size_t length);

void send(Transport& from, const std::vector<Bytes>& frames, const Destination& to,
          bool can_wait = false);
/// Takes what has come now.
[[nodiscard]] std::vector<Bytes> receive(Transport& at);

/// Turns all nodes until `done`; false when that takes longer than ten seconds.
[[nodiscard]] bool turn_until(const std::function<bool()>& done);

/// Answers every frame with the same, until it is killed or its parent ends.
[[noreturn]] void echo(Transport& node);

/// How often the tests kill a peer: PHX_TEST_KILLS, or 4.
[[nodiscard]] std::size_t kills();

}  // namespace phalanx::transport
