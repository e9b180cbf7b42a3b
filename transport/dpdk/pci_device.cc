#include "transport/dpdk/pci_device.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <utility>

#include "ipc/base/fd.h"

namespace phalanx::transport::dpdk {
namespace {

namespace fs = std::filesystem;

/// DPDK shares the device with these; all others it takes from the kernel as a whole.
constexpr std::array<std::string_view, 2> kSharedWithKernel{"mlx5_core", "mlx4_core"};

std::string full_address(const std::string& port) {
  const std::string whole = with_domain(port);
  return whole.substr(0, whole.find(','));
}

std::string line_of(const fs::path& path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

/// The last part of where a link leads; empty: there is no link.
std::string target_of(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename().string();
}

/// "0x8086" and "0x10d3" to "8086:10d3".
std::string name_of(const fs::path& device) {
  const auto digits = [](const std::string& hex) {
    return hex.starts_with("0x") ? hex.substr(2) : hex;
  };
  return digits(line_of(device / "vendor")) + ":" + digits(line_of(device / "device"));
}

/// What lies in a folder; of one that goes away meanwhile, a part.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    out.push_back(at->path());
  }
  return out;
}

std::vector<std::string> held_in(const fs::path& group, const std::string& but) {
  std::vector<std::string> out;
  for (const fs::path& entry : entries_of(group / "devices")) {
    const std::string address = entry.filename().string();
    const std::string driver = target_of(entry / "driver");
    const bool bridge = line_of(entry / "class").starts_with("0x0604");
    if (address == but || driver.empty() || driver == "vfio-pci" || bridge) continue;
    out.push_back(address + " (" + driver + ")");
  }
  std::ranges::sort(out);
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string bind_command(const PciDevice& device) {
  return std::string(device.group.empty()
                         ? "switch the IOMMU on (intel_iommu=on or amd_iommu=on for the kernel, "
                           "VT-d or AMD-Vi in the firmware), then: "
                         : "") +
         "dpdk-devbind.py -b vfio-pci " + device.address +
         "; or leave it to the kernel: port = \"net_af_xdp0,iface=NAME\"";
}

class Refusal {
 public:
  Refusal(std::string key, std::string port) : key_(std::move(key)), port_(std::move(port)) {}
  [[nodiscard]] tl::unexpected<Error> operator()(std::string observed, std::string remedy,
                                                 ExitCode code = ExitCode::Usage) const {
    return fail(Error{.code = code,
                      .attempted = "cannot open " + key_ + " = \"" + port_ + "\"",
                      .observed = std::move(observed),
                      .remedy = std::move(remedy)});
  }

 private:
  std::string key_;
  std::string port_;
};

/// A group is opened by one process at a time, which says what no file in /sys does.
Expected<void, Error> try_group(const PciDevice& device, const fs::path& root,
                                const Refusal& refusal) {
  const std::string file = "/dev/vfio/" + device.group;
  const Fd group(open((root / file.substr(1)).c_str(), O_RDWR | O_CLOEXEC));
  if (group) return {};
  const int why = errno;
  if (why == EBUSY) {
    const std::string holders = holders_of(file, root);
    return refusal("another process has it: " + (holders.empty() ? "one of another user" : holders),
                   "stop that process, or give this node another device");
  }
  if (why == EACCES || why == EPERM) {
    return refusal("open " + file + ": this user may not",
                   "run the data plane as root, or: chown USER " + file, ExitCode::Permission);
  }
  Error error = system_error({}, ("open " + file).c_str(), why);
  return refusal(error.observed,
                 "modprobe vfio-pci, and bind the device again: " + bind_command(device));
}

}  // namespace

std::string with_domain(const std::string& port) {
  constexpr std::size_t kShort = std::string_view("bb:dd.f").size();
  return std::min(port.find(','), port.size()) == kShort ? "0000:" + port : port;
}

std::optional<PciDevice> read_pci_device(const std::string& port, const fs::path& root) {
  PciDevice out{.address = full_address(port),
                .device_class = {},
                .name = {},
                .driver = {},
                .group = {},
                .held_with_it = {}};
  const fs::path device = root / "sys/bus/pci/devices" / out.address;
  std::error_code error;
  if (!fs::exists(device, error)) return std::nullopt;
  out.device_class = line_of(device / "class");
  out.name = name_of(device);
  out.driver = target_of(device / "driver");
  out.group = target_of(device / "iommu_group");
  if (!out.group.empty()) out.held_with_it = held_in(device / "iommu_group", out.address);
  return out;
}

Expected<void, Error> check_pci_device(const std::string& port, const std::string& key,
                                       const fs::path& root) {
  const Refusal refusal(key, port);
  const auto device = read_pci_device(port, root);
  if (!device) {
    return refusal("there is no PCI device " + full_address(port),
                   "lspci -D -d ::0200 lists the Ethernet devices of this host");
  }
  if (!device->device_class.starts_with("0x02")) {
    return refusal("it is no network device: its class is " + device->device_class,
                   "lspci -D -d ::0200 lists the Ethernet devices of this host");
  }
  if (std::ranges::find(kSharedWithKernel, device->driver) != kSharedWithKernel.end()) return {};
  // Without an IOMMU a device is given physical addresses, which are not for us to know.
  const std::string unguarded = device->group.empty() ? ", and there is no IOMMU" : "";
  if (device->driver.empty()) {
    return refusal("it is bound to no driver" + unguarded, bind_command(*device));
  }
  if (device->driver != "vfio-pci") {
    return refusal("the driver " + device->driver + " has it, vfio-pci is needed" + unguarded,
                   bind_command(*device));
  }
  if (device->group.empty()) {
    return refusal("it is bound to vfio-pci, but there is no IOMMU", bind_command(*device));
  }
  if (!device->held_with_it.empty()) {
    return refusal("its IOMMU group " + device->group +
                       " holds devices of the kernel: " + joined(device->held_with_it),
                   "bind these to vfio-pci as well, or put the card into another slot");
  }
  return try_group(*device, root, refusal);
}

std::string holders_of(const std::string& file, const fs::path& root) {
  std::string out;
  for (const fs::path& process : entries_of(root / "proc")) {
    const std::string pid = process.filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::vector<fs::path> open = entries_of(process / "fd");
    std::error_code gone;
    const bool holds = std::ranges::any_of(
        open, [&](const fs::path& fd) { return fs::read_symlink(fd, gone) == file; });
    if (!holds) continue;
    out += (out.empty() ? "" : ", ") + line_of(process / "comm") + " (pid " + pid + ")";
  }
  return out;
}

}  // namespace phalanx::transport::dpdk
