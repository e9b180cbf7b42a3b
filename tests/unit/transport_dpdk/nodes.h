#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transport/dpdk/dpdk_transport.h"

namespace phalanx::transport::dpdk {

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

/// What a host without hugepages needs to be told: the tests run there too.
[[nodiscard]] std::string eal_words();

[[nodiscard]] DpdkConfig memif_config(const std::string& directory, NodeId self, std::size_t nodes);
[[nodiscard]] std::unique_ptr<Transport> open_memif_node(const std::string& directory, NodeId self,
                                                         std::size_t nodes);

/// Frame `number` of `length` bytes: no two are alike.
[[nodiscard]] Bytes frame_of(std::size_t number, std::size_t length);

void send(Transport& from, const std::vector<Bytes>& frames, const Destination& to);
/// Takes what has come now.
[[nodiscard]] std::vector<Bytes> receive(Transport& at);

/// Turns all nodes until `done`; false when that takes longer than ten seconds.
[[nodiscard]] bool turn_until(const std::function<bool()>& done);

/// Lets the node on the other side of a link answer every frame with the same, until it is killed.
[[noreturn]] void play_peer(const std::string& directory, NodeId self);

}  // namespace phalanx::transport::dpdk
