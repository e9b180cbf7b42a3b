#include "transport/verbs/device_search.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

constexpr std::size_t kGidsMost = 1024;
constexpr std::size_t kSeenMost = 300;

std::vector<ibv_gid_entry> gids_of(ibv_context* context) {
  std::vector<ibv_gid_entry> table(kGidsMost);
  const ssize_t count = calls::query_gid_table(context, table.data(), table.size());
  table.resize(std::min(static_cast<std::size_t>(std::max<ssize_t>(count, 0)), table.size()));
  return table;
}

const char* kind_of(const ibv_gid_entry& entry) {
  if (entry.gid_type == IBV_GID_TYPE_ROCE_V2) return "";
  return entry.gid_type == IBV_GID_TYPE_IB ? " (InfiniBand)" : " (not RoCE v2)";
}

}  // namespace

DeviceSearch::DeviceSearch(const DeviceOptions& options, const ibv_gid& address)
    : options_(options), address_(address), list_(calls::get_device_list(&count_)) {}

DeviceSearch::~DeviceSearch() {
  if (cm_ != nullptr) calls::close_cm(cm_);
  if (list_ != nullptr) calls::free_device_list(list_);
}

std::span<ibv_device*> DeviceSearch::all() const {
  return {list_, list_ == nullptr ? 0U : static_cast<std::size_t>(count_)};
}

Expected<Device, Error> DeviceSearch::find() {
  for (ibv_device* candidate : all()) look_at(candidate);
  if (chosen_ == nullptr) look_for_ipoib();
  if (chosen_ == nullptr) return fail(nothing());
  if (ports_count_ > 1) return fail(ambiguous());
  Device out;
  out.name = calls::get_device_name(chosen_);
  out.context = calls::open_device(chosen_);
  if (out.context == nullptr) {
    return fail(system_error("cannot open " + out.name, "ibv_open_device", errno));
  }
  out.gid = entry_;
  out.port = static_cast<std::uint8_t>(entry_.port_num);
  out.cm = std::exchange(cm_, nullptr);
  out.interface_pkey = pkey_;
  return out;
}

void DeviceSearch::look_at(ibv_device* candidate) {
  const std::string name = calls::get_device_name(candidate);
  names_ += " " + name;
  if (!options_.name.empty() && name != options_.name) return;
  named_ = true;
  ibv_context* context = calls::open_device(candidate);
  if (context == nullptr) {
    open_error_ = errno;
    return;
  }
  look_at_gids(candidate, context);
  calls::close_device(context);
}

void DeviceSearch::look_at_gids(ibv_device* candidate, ibv_context* context) {
  std::uint32_t taken = 0;  // A port counts once: an address may be in its table several times.
  for (const ibv_gid_entry& entry : gids_of(context)) {
    const bool wanted = (options_.port == 0 || entry.port_num == options_.port) &&
                        (options_.gid_index < 0 ||
                         entry.gid_index == static_cast<std::uint32_t>(options_.gid_index));
    if (wanted && entry.gid_type == IBV_GID_TYPE_ROCE_V2 && same(entry.gid, address_)) {
      if (entry.port_num != taken) take(candidate, entry);
      taken = entry.port_num;
    } else if (gids_.size() < kSeenMost) {
      gids_ += " " + std::to_string(entry.port_num) + "/" + std::to_string(entry.gid_index) + " " +
               text(entry.gid) + kind_of(entry);
    }
  }
}

void DeviceSearch::take(ibv_device* candidate, const ibv_gid_entry& entry) {
  ports_ +=
      std::string(" ") + calls::get_device_name(candidate) + "/" + std::to_string(entry.port_num);
  if (++ports_count_ > 1) return;
  chosen_ = candidate;
  entry_ = entry;
}

/// GIDs of InfiniBand ports are no addresses: the kernel knows which of them has the interface.
void DeviceSearch::look_for_ipoib() {
  calls::CmPlace place;
  cm_ = calls::open_cm(address_, &place);
  if (cm_ == nullptr) {
    cm_error_ = errno;
    return;
  }
  if ((!options_.name.empty() && place.device != options_.name) ||
      (options_.port != 0 && place.port != options_.port)) {
    return;
  }
  for (ibv_device* candidate : all()) {
    if (calls::get_device_name(candidate) != place.device) continue;
    ibv_context* context = calls::open_device(candidate);
    if (context == nullptr) continue;
    for (const ibv_gid_entry& entry : gids_of(context)) {
      const bool wanted = options_.gid_index < 0 ||
                          entry.gid_index == static_cast<std::uint32_t>(options_.gid_index);
      if (chosen_ == nullptr && wanted && entry.port_num == place.port &&
          entry.gid_type == IBV_GID_TYPE_IB && same(entry.gid, place.gid)) {
        take(candidate, entry);
        pkey_ = place.pkey;
      }
    }
    calls::close_device(context);
  }
}

Error DeviceSearch::ambiguous() const {
  return {.code = ExitCode::Usage,
          .attempted = "cannot choose an RDMA port for the address " + options_.address,
          .observed = "several carry it:" + ports_,
          .remedy = "set transport.verbs.device and transport.verbs.port on this node"};
}

Error DeviceSearch::nothing() const {
  if (open_error_ != 0 && gids_.empty()) {
    return system_error("cannot open any of the RDMA devices" + names_, "ibv_open_device",
                        open_error_, "let this user read and write /dev/infiniband/uverbs*");
  }
  if (names_.empty()) {
    return {.code = ExitCode::Usage,
            .attempted = "cannot find an RDMA device",
            .observed = "libibverbs lists none",
            .remedy =
                "load the adapter's driver, or make a software device: "
                "rdma link add rxe0 "
                "type rxe netdev IFACE"};
  }
  if (!named_) {
    return {.code = ExitCode::Usage,
            .attempted = "cannot find the RDMA device " + options_.name,
            .observed = "there are:" + names_,
            .remedy =
                "name one of these, or none: the one with the node's "
                "address is taken"};
  }
  const bool infiniband = gids_.find("(InfiniBand)") != std::string::npos;
  std::string remedy =
      "give its network interface this address (ip address add), write one of "
      "these as the "
      "node's address, or leave transport.verbs.port and .gid_index out";
  if (infiniband) {
    remedy = cm_error_ == ENOSYS ? "InfiniBand ports need a build with librdmacm: apt install "
                                   "librdmacm-dev"
                                 : "an InfiniBand port needs an IPoIB interface with this "
                                   "address (modprobe "
                                   "ib_ipoib, ip address add), and /dev/infiniband/rdma_cm; or "
                                   "leave "
                                   "transport.verbs.device, .port and .gid_index out";
  }
  return {.code = ExitCode::Usage,
          .attempted = "cannot find an RDMA port with the address " + options_.address,
          .observed = "GIDs by port and index are:" + (gids_.empty() ? " none" : gids_),
          .remedy = std::move(remedy)};
}

}  // namespace phalanx::transport::verbs
