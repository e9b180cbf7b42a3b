#include "transport/dpdk/port.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "transport/dpdk/capture.h"
#include "transport/dpdk/devargs.h"
#include "transport/dpdk/eal.h"
#include "transport/dpdk/eal_arguments.h"
#include "transport/dpdk/flow_rules.h"
#include "transport/dpdk/kernel_interface.h"
#include "transport/dpdk/packet_socket.h"
#include "transport/dpdk/pci_device.h"

namespace phalanx::transport::dpdk {
namespace {

std::string attempt(const PortOptions& options) {
  return "cannot open " + options.key + " = \"" + options.device + "\"";
}

Error refusal(const PortOptions& options, std::string observed, std::string remedy) {
  return {.code = ExitCode::Usage,
          .attempted = attempt(options),
          .observed = std::move(observed),
          .remedy = std::move(remedy)};
}

Error failed_call(const PortOptions& options, const char* call, int result) {
  return refusal(options, std::string(call) + ": " + rte_strerror(-result),
                 "see that no other process has the device, and what the driver allows: "
                 "dpdk-testpmd -a DEVICE, then `show port info all`");
}

/// Driver fault of 22.11: e1000 never routes this interrupt to a vector of MSI-X.
bool interrupts_on_link(const rte_eth_dev_info& info) {
  const bool mute = std::string_view(info.driver_name) == "net_e1000_em" && uses_msix();
  return !mute && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
}

/// Drivers that stand on a socket a queue: the kernel spreads what comes over all that were made.
bool has_sockets(const rte_eth_dev_info& info) {
  const std::string_view driver = info.driver_name;
  return driver == "net_af_xdp" || driver == "net_af_packet";
}

/// A pair for each worker, and, where what comes to others would be lost, no more.
Expected<void, Error> check_queues(const PortOptions& options, const rte_eth_dev_info& info) {
  const std::size_t wanted = options.pools.size();
  const std::size_t there = std::min(info.max_rx_queues, info.max_tx_queues);
  if (there == 0) {
    return fail(refusal(options, "it has no queue to receive or to send", "use another device"));
  }
  if (there < wanted) {
    return fail(refusal(options,
                        "it has queues for " + std::to_string(there) +
                            " of worker.count = " + std::to_string(wanted) + " workers",
                        "set worker.count = " + std::to_string(there) +
                            " on all nodes, or use a device with more queues"));
  }
  if (has_sockets(info) && info.max_rx_queues > wanted) {
    return fail(refusal(options,
                        "it is told to have " + std::to_string(info.max_rx_queues) +
                            " queues, of which " + std::to_string(wanted) +
                            " have a worker: what comes to the others would be lost",
                        "leave qpairs and queue_count out of " + options.key));
  }
  return {};
}

/// What the driver of af_xdp does not say itself.
Expected<void, Error> check_interface_queues(const PortOptions& options) {
  if (!options.device.starts_with("net_af_xdp")) return {};
  const std::string interface = interface_of(options.device);
  const std::uint32_t first = device_number(options.device, "start_queue");
  const auto last = first + static_cast<std::uint32_t>(options.pools.size()) - 1;
  const std::uint32_t queues = interface_queues(interface);
  if (last < queues || queues == 0 || last == 0) return {};
  return fail(refusal(options,
                      "queue " + std::to_string(last) + " is asked for, and " + interface +
                          " has " + std::to_string(queues) + ", counted from 0",
                      first == 0
                          ? "ethtool -L " + interface + " combined " + std::to_string(last + 1) +
                                ", if it can have as many; or set a lower worker.count"
                          : "ask for a queue that is there, or leave start_queue out"));
}

/// The device could be had, as check_pci_device() found, and was not taken.
Error not_taken(const PortOptions& options, const std::string& said) {
  const auto device = read_pci_device(options.device);
  return refusal(
      options,
      "no driver of DPDK takes this device" + (device ? " (" + device->name + ")" : std::string()) +
          (said.empty() ? "" : ": " + said),
      "see dpdk-testpmd -a " + options.device + "; or leave it to the kernel: " + options.key +
          " = \"net_af_xdp0,iface=NAME\"");
}

}  // namespace

Expected<Port, Error> Port::open(const PortOptions& options) {
  if (auto there = check_interface_queues(options); !there) return fail(std::move(there.error()));
  const std::string name = options.device.substr(0, options.device.find(','));
  const std::vector<int> sockets = packet_sockets();
  std::uint16_t number = 0;
  bool attached = false;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &number) != 0) {
    std::string said;
    {
      const Capture capture;
      attached = rte_dev_probe(options.device.c_str()) == 0 &&
                 rte_eth_dev_get_port_by_name(name.c_str(), &number) == 0;
      said = capture.last_lines();
    }
    if (!attached && is_pci_address(options.device)) return fail(not_taken(options, said));
    if (!attached) {
      return fail(refusal(options, said.empty() ? "no driver knows a device of this name" : said,
                          "write it like \"memif\", \"net_af_packet0,iface=eth1\" or "
                          "\"0000:3b:00.0\""));
    }
  }
  Port port(name, number, attached);
  const DriversSpeak loud;
  const Capture capture;
  if (auto configured = port.configure(options); !configured) {
    Error error = std::move(configured.error());
    if (const std::string said = capture.last_lines(); !said.empty()) {
      error.observed += " (" + said + ")";
    }
    return fail(std::move(error));
  }
  port.features_.wait_fds = new_ones(sockets, packet_sockets(), options.pools.size());
  return port;
}

Port::Port(Port&& other) noexcept
    : name_(std::move(other.name_)),
      number_(other.number_),
      attached_(other.attached_),
      started_(other.started_),
      owned_(std::exchange(other.owned_, false)),
      features_(std::move(other.features_)) {}

Port::~Port() {
  if (!owned_) return;
  stop();
  if (!attached_) return;
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(number_, &info);
  rte_eth_dev_close(number_);
  if (info.device != nullptr) rte_dev_remove(info.device);
}

Expected<void, Error> Port::configure(const PortOptions& options) {
  rte_eth_dev_info info{};
  if (const int bad = rte_eth_dev_info_get(number_, &info); bad != 0) {
    return fail(failed_call(options, "rte_eth_dev_info_get", bad));
  }
  if (auto there = check_queues(options, info); !there) return there;
  rte_eth_conf conf{};
  constexpr std::uint64_t kReceive = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
  constexpr std::uint64_t kSend = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
  conf.rxmode.offloads = info.rx_offload_capa & kReceive;
  conf.txmode.offloads = info.tx_offload_capa & kSend;
  const bool kernels = !interface_of(options.device).empty();
  if (!kernels && options.mtu <= info.max_mtu) conf.rxmode.mtu = options.mtu;
  const bool tells_link = is_pci_address(options.device) && interrupts_on_link(info);
  conf.intr_conf.lsc = tells_link ? 1 : 0;
  const auto hash = hash_of_packets(info.flow_type_rss_offloads);
  if (options.pools.size() > 1 && hash) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = *hash;
  }
  const auto queues = static_cast<std::uint16_t>(options.pools.size());
  if (const int bad = rte_eth_dev_configure(number_, queues, queues, &conf); bad != 0) {
    return fail(failed_call(options, "rte_eth_dev_configure", bad));
  }
  if (auto fits = set_mtu(options); !fits) return fits;
  std::uint16_t rx_frames = options.queue_frames == 0 ? 1024 : options.queue_frames;
  std::uint16_t tx_frames = rx_frames;
  rte_eth_dev_adjust_nb_rx_tx_desc(number_, &rx_frames, &tx_frames);
  if (auto made = make_queues(options, rx_frames, tx_frames); !made) return made;
  features_ = {.driver = info.driver_name,
               .rx_frames = rx_frames,
               .ip_checksum = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0,
               .udp_checksum = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0,
               .tells_link = tells_link,
               .loses_link = is_pci_address(options.device) && !tells_link,
               .wait_fds = {}};
  return {};
}

Expected<void, Error> Port::make_queues(const PortOptions& options, std::uint16_t rx_frames,
                                        std::uint16_t tx_frames) {
  const auto numa = static_cast<unsigned>(rte_eth_dev_socket_id(number_));
  const auto queues = static_cast<std::uint16_t>(options.pools.size());
  for (std::uint16_t queue = 0; queue < queues; ++queue) {
    if (const int bad =
            rte_eth_rx_queue_setup(number_, queue, rx_frames, numa, nullptr, options.pools[queue]);
        bad != 0) {
      return fail(failed_call(options, "rte_eth_rx_queue_setup", bad));
    }
    if (const int bad = rte_eth_tx_queue_setup(number_, queue, tx_frames, numa, nullptr);
        bad != 0) {
      return fail(failed_call(options, "rte_eth_tx_queue_setup", bad));
    }
  }
  return {};
}

Expected<void, Error> Port::set_mtu(const PortOptions& options) {
  if (options.mtu == 0) return {};
  const std::string interface = interface_of(options.device);
  std::uint16_t now = 0;
  if (!interface.empty()) {
    now = interface_mtu(interface);
  } else if (rte_eth_dev_get_mtu(number_, &now) != 0) {
    return {};
  }
  if (now >= options.mtu) return {};
  const auto wanted = static_cast<std::uint16_t>(options.mtu);
  if (interface.empty() && rte_eth_dev_set_mtu(number_, wanted) == 0) return {};
  return fail(refusal(
      options,
      "transport.mtu is " + std::to_string(wanted) + ", the port's is " + std::to_string(now),
      "set transport.mtu = \"" + std::to_string(now) + "B\" on all nodes" +
          (interface.empty()
               ? ""
               : ", or: ip link set " + interface + " mtu " + std::to_string(wanted))));
}

bool Port::start() noexcept {
  if (!started_) started_ = rte_eth_dev_start(number_) == 0;
  return started_;
}

void Port::stop() noexcept {
  if (started_) rte_eth_dev_stop(number_);
  started_ = false;
}

bool Port::has_link() const noexcept {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(number_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace phalanx::transport::dpdk
