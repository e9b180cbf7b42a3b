#include "transport/dpdk/devargs.h"

#include <charconv>

namespace phalanx::transport::dpdk {
namespace {

/// A frame of the ring holds the kernel's header (TPACKET2_HDRLEN, aligned), 14 bytes of Ethernet
/// and the packet.
constexpr std::uint32_t kRingFrameBytes = 2048;
constexpr std::uint32_t kRingHeaderBytes = 128;

}  // namespace

std::uint32_t device_number(const std::string& device, const std::string& name) {
  const std::size_t at = device.find("," + name + "=");
  std::uint32_t value = 0;
  if (at != std::string::npos) {
    std::from_chars(device.data() + at + name.size() + 2, device.data() + device.size(), value);
  }
  return value;
}

std::string completed_devargs(const std::string& device, std::uint32_t mtu, std::size_t queues) {
  const bool packet = device.starts_with("net_af_packet");
  std::string out = device;
  const std::string count = packet                             ? "qpairs"
                            : device.starts_with("net_af_xdp") ? "queue_count"
                                                               : "";
  if (queues > 1 && !count.empty() && device_number(device, count) == 0) {
    out += "," + count + "=" + std::to_string(queues);
  }
  const bool chosen = device_number(device, "framesz") != 0;
  if (!packet || chosen || mtu + kRingHeaderBytes <= kRingFrameBytes) return out;
  // A block is whole pages and whole frames; 512 frames are 5 MiB each way.
  out += ",framesz=10240,blocksz=40960";
  if (device_number(device, "framecnt") == 0) out += ",framecnt=512";
  return out;
}

}  // namespace phalanx::transport::dpdk
