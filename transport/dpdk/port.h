#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

struct rte_mempool;

namespace phalanx::transport::dpdk {

/// How a port is to be set up, and what it turned out to offer.
struct PortOptions {
  std::string device;                  ///< "net_af_packet0,iface=eth1", "0000:3b:00.0".
  std::string key = "transport.port";  ///< Where the configuration says so: for errors.
  std::uint32_t mtu = 0;               ///< 0: none is set (memif knows none).
  std::uint16_t queue_frames = 0;      ///< Of each ring; 0: what the driver likes.
  std::vector<rte_mempool*> pools;     ///< One for each pair of queues, of which a worker has one.
};

/// One ethdev with a receive and a transmit queue for each worker. What comes is spread over the
/// queues by a hash, where the driver has one. Closed, and its device given back, when it is
/// destroyed. Cold; the data path uses number() with DPDK's burst functions.
class Port {
 public:
  struct Features {
    std::string driver;
    std::uint16_t rx_frames = 0;  ///< Length of each receive ring.
    bool ip_checksum = false;     ///< The port computes what it sends.
    bool udp_checksum = false;
    bool tells_link = false;  ///< By interrupts: has_link() reads memory and asks nobody.
    bool loses_link = false;  ///< A cable can be pulled, and has_link() has to ask the device.
    /// Of each queue: readable while frames wait. Empty: the driver has no such thing.
    std::vector<int> wait_fds;
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
  [[nodiscard]] Expected<void, Error> make_queues(const PortOptions& options,
                                                  std::uint16_t rx_frames, std::uint16_t tx_frames);
  [[nodiscard]] Expected<void, Error> set_mtu(const PortOptions& options);

  std::string name_;
  std::uint16_t number_;
  bool attached_;  ///< By us.
  bool started_ = false;
  bool owned_ = true;
  Features features_;
};

}  // namespace phalanx::transport::dpdk
