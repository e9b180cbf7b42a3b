#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

struct rte_mempool;

namespace phalanx::transport::dpdk {

/// How a port is to be set up, and what it turned out to offer.
struct PortOptions {
  std::string device;              ///< "net_af_packet0,iface=eth1", "0000:3b:00.0".
  std::uint32_t mtu = 0;           ///< 0: none is set (memif knows none).
  std::uint16_t queue_frames = 0;  ///< Of each ring; 0: what the driver likes.
  rte_mempool* pool = nullptr;
};

/// One ethdev with one receive and one transmit queue. Closed, and its device given back, when it
/// is destroyed. Cold; the data path uses number() with DPDK's burst functions.
class Port {
 public:
  struct Features {
    std::string driver;
    std::uint16_t rx_frames = 0;  ///< Length of the receive ring.
    bool ip_checksum = false;     ///< The port computes what it sends.
    bool udp_checksum = false;
    bool tells_link = false;  ///< By interrupts: has_link() reads memory and asks nobody.
    bool loses_link = false;  ///< A cable can be pulled, and has_link() has to ask the device.
    int wait_fd = -1;         ///< Readable while frames wait; -1: the driver has no such thing.
  };

  /// Attaches the device and configures it; start() comes next. Takes a device that is attached
  /// already as well.
  [[nodiscard]] static Expected<Port, Error> open(const PortOptions& options);
  Port(Port&& other) noexcept;
  Port& operator=(Port&&) = delete;
  ~Port();

  [[nodiscard]] std::uint16_t number() const noexcept { return number_; }
  [[nodiscard]] const Features& features() const noexcept { return features_; }
  [[nodiscard]] bool start() noexcept;
  void stop() noexcept;
  [[nodiscard]] bool has_link() const noexcept;

 private:
  Port(std::string name, std::uint16_t number, bool attached) noexcept
      : name_(std::move(name)), number_(number), attached_(attached) {}
  [[nodiscard]] Expected<void, Error> configure(const PortOptions& options);
  [[nodiscard]] Expected<void, Error> set_mtu(const PortOptions& options);

  std::string name_;
  std::uint16_t number_;
  bool attached_;  ///< By us.
  bool started_ = false;
  bool owned_ = true;
  Features features_;
};

}  // namespace phalanx::transport::dpdk
