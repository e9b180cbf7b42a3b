#include "transport/verbs/verbs_transport.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "ipc/base/fd.h"
#include "transport/verbs/announcer.h"
#include "transport/verbs/back_off.h"
#include "transport/verbs/gid.h"
#include "transport/verbs/lent_memory.h"
#include "transport/verbs/peers.h"
#include "transport/verbs/port_watch.h"
#include "transport/verbs/queue_pair.h"
#include "transport/verbs/receive_queue.h"
#include "transport/verbs/region.h"
#include "transport/verbs/send_queue.h"
#include "transport/verbs/trouble.h"

namespace phalanx::transport::verbs {
namespace {

constexpr std::uint32_t kDepthLeast = 64;
constexpr std::size_t kLine = 64;
constexpr TimeNs kPatience = 2 * kSecond;  ///< With a subnet manager that has just changed.
constexpr TimeNs kListenOften = 20 * kMillisecond;
constexpr std::uint32_t kSendsMost = 4;  ///< Times the buffers: copies share one.

std::size_t in_lines(std::size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

struct Sizes {
  std::uint32_t depth = 0;
  std::uint32_t frame_bytes = 0;

  std::uint32_t copies = 1;  ///< Of one frame, at most.
  std::uint32_t sends = 0;   ///< That the queue pair takes.
  bool gathers = false;

  [[nodiscard]] std::size_t rx_stride() const { return in_lines(kGrhBytes + frame_bytes); }
  [[nodiscard]] std::size_t tx_stride() const { return in_lines(frame_bytes); }
  [[nodiscard]] std::size_t bytes() const { return depth * (rx_stride() + tx_stride()); }
};

class Verbs final : public Transport {
 public:
  Verbs(Device device, Region region, QueuePair pair, Announcer announcer, Fd wait,
        const VerbsConfig& config, const Sizes& sizes);
  Verbs(const Verbs&) = delete;
  Verbs& operator=(const Verbs&) = delete;
  ~Verbs() override { (void)pair_.reset(); }  // Nothing may be posted with a handle that is freed.
  bool start() noexcept {
    receives_.post_all();
    return !receives_.is_broken() && pair_.start();
  }

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override {
    if (is_broken()) [[unlikely]]
      mend();
    return receives_.poll(out, counters_);
  }
  void rx_release(std::span<const RxFrame> frames) noexcept override { receives_.release(frames); }
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override {
    return sends_.lend(out, counters_);
  }
  void tx_burst(std::span<const TxFrame> frames) noexcept override {
    sends_.send(frames, peers_, !is_broken(), counters_);
  }
  [[nodiscard]] Expected<bool, Error> lend_memory(
      std::span<const std::span<const std::byte>> memory) override;
  void authenticated(NodeId sender, const RxFrame& frame) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override {
    peers_.set_members(members);
  }
  [[nodiscard]] int wait_fd() const noexcept override { return wait_.get(); }
  [[nodiscard]] bool arm_wait() noexcept override;
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override { return counters_; }
  [[nodiscard]] TransportPorts ports() noexcept override;
  [[nodiscard]] std::size_t extended(std::span<ExtendedCounter> out) const noexcept override;

 private:
  [[nodiscard]] bool is_broken() const noexcept {
    return receives_.is_broken() || sends_.is_broken() || reset_needed_;
  }
  void mend() noexcept;
  void look(TimeNs now) noexcept;
  void rebuild(TimeNs now) noexcept;
  void listen(TimeNs now) noexcept;
  [[nodiscard]] ibv_ah* handle_for(const Source& at) noexcept;

  Device device_;
  Region region_;
  LentMemory lent_;
  QueuePair pair_;
  Announcer announcer_;
  Fd wait_;
  std::uint8_t service_level_;
  std::uint32_t qkey_;
  bool gathers_;
  Trouble trouble_;
  Peers peers_;
  ReceiveQueue receives_;
  SendQueue sends_;
  PortWatch watch_;
  BackOff rebuilds_;
  BackOff rejoins_;
  TimeNs listen_due_ = 0;
  bool armed_ = false;         ///< The completion channel tells of the next frame.
  bool reset_needed_ = false;  ///< An event said so, or the last try failed.
  bool rejoin_needed_ = false;
  TimeNs patient_until_ = 0;  ///< Until then that does not count as a port that is down.
  TransportLimits limits_;
  TransportCounters counters_;
};

Verbs::Verbs(Device device, Region region, QueuePair pair, Announcer announcer, Fd wait,
             const VerbsConfig& config, const Sizes& sizes)
    : device_(std::move(device)),
      region_(std::move(region)),
      lent_(device_.pd),
      pair_(std::move(pair)),
      announcer_(std::move(announcer)),
      wait_(std::move(wait)),
      service_level_(config.service_level),
      qkey_(config.qkey),
      gathers_(sizes.gathers),
      peers_(config.nodes, config.self, device_.is_infiniband()),
      receives_(pair_, device_,
                {.memory = region_.data(),
                 .stride = sizes.rx_stride(),
                 .key = region_.key(),
                 .frame_bytes = sizes.frame_bytes,
                 .depth = sizes.depth},
                trouble_),
      sends_(pair_, config.qkey,
             {.memory = region_.data() + sizes.depth * sizes.rx_stride(),
              .stride = sizes.tx_stride(),
              .key = region_.key(),
              .frame_bytes = sizes.frame_bytes,
              .depth = sizes.depth},
             lent_, sizes.copies, sizes.sends, trouble_),
      watch_(device_, sizes.frame_bytes, trouble_),
      limits_{.frame_bytes_max = sizes.frame_bytes,
              .burst_frames_max = SendQueue::kBurst,
              // A group gives a sender its own frames back.
              .rx_ring_frames = pair_.group != nullptr ? sizes.depth / 2 : sizes.depth} {}

Expected<bool, Error> Verbs::lend_memory(std::span<const std::span<const std::byte>> memory) {
  if (!gathers_) return false;
  if (auto taken = lent_.take(memory); !taken) {
    return fail(std::move(taken.error()));
  }
  return true;
}

std::size_t Verbs::extended(std::span<ExtendedCounter> out) const noexcept {
  if (out.empty() || sends_.gathered() == 0) return 0;
  out[0] = {.name = "tx_gathered", .value = sends_.gathered()};
  return 1;
}

ibv_ah* Verbs::handle_for(const Source& at) noexcept {
  return make_handle(device_, service_level_, at.gid, at.lid);
}

void Verbs::authenticated(NodeId sender, const RxFrame& frame) noexcept {
  const Source& from = receives_.source_of(frame);
  const bool known = peers_.learn(sender, from, sends_.posted(), sends_.completed(),
                                  [this, &from] { return handle_for(from); });
  if (!known) ++counters_.rx_refused;
}

/// Twenty milliseconds apart, as it is asked of the kernel.
void Verbs::listen(TimeNs now) noexcept {
  if (now < listen_due_) return;
  listen_due_ = now + kListenOften;
  announcer_.listen([this, now](const Announcement& heard) {
    if (device_.is_infiniband() != is_unicast_lid(heard.lid)) return;
    const auto misfit = [this, now, &heard](const char* what, std::uint32_t theirs, auto ours) {
      if (theirs == ours) return false;
      if (peers_.is_news(heard.node, what, theirs, now)) {
        trouble_.mismatch(heard.node, what, theirs, static_cast<std::uint32_t>(ours));
      }
      return true;
    };
    if (misfit("Q_Key", heard.qkey, qkey_) ||
        misfit("frame bytes", heard.frame_bytes, limits_.frame_bytes_max)) {
      return;
    }
    const Source at{.gid = heard.gid, .queue_pair = heard.queue_pair, .lid = heard.lid};
    const bool known = peers_.announced(heard.node, at, sends_.posted(), sends_.completed(), now,
                                        [this, &at] { return handle_for(at); });
    if (!known) ++counters_.rx_refused;
  });
  if (announcer_.moved(watch_.lid())) peers_.doubt_all();
  announcer_.ask(peers_, now);
}

/// What the channel has told is taken away here only, so that turns cost no system call. A frame
/// that came before it was asked to tell wakes nobody: it is looked for afterwards.
bool Verbs::arm_wait() noexcept {
  if (watch_.is_gone())
    return true;  // Nothing will come, and the channel tells of errors for ever.
  while (armed_ && calls::take_cq_event(pair_.channel)) armed_ = false;
  if (!armed_) armed_ = calls::req_notify_cq(pair_.receives) == 0;
  return is_broken() || (armed_ && !receives_.look_ahead());
}

void Verbs::mend() noexcept {
  const TimeNs now = calls::now();
  if (watch_.is_gone() || !rebuilds_.is_due(now)) return;
  watch_.suspect();
  look(now);
  rebuild(now);
}

void Verbs::look(TimeNs now) noexcept {
  if (watch_.is_gone()) return;
  const PortWatch::Change change = watch_.look(now);
  reset_needed_ = reset_needed_ || change.broken;
  if (change.rejoin && !std::exchange(rejoin_needed_, true)) patient_until_ = now + kPatience;
  if (change.lapsed) patient_until_ = 0;
  if (watch_.is_gone()) {  // It would wake the worker for ever.
    for (const int fd : {pair_.channel->fd, calls::async_fd(device_.context)}) {
      epoll_ctl(wait_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
    return;
  }
  if (!rejoin_needed_ || !watch_.can_send() || !rejoins_.is_due(now)) return;
  rejoins_.tried(now);
  rejoin_needed_ = !pair_.rejoin(now);
  if (!pair_.is_waiting()) patient_until_ = 0;
}

/// Number and group stay the same, so that peers see nothing but some lost frames.
void Verbs::rebuild(TimeNs now) noexcept {
  if (watch_.is_gone()) return;
  rebuilds_.tried(now);
  reset_needed_ = true;
  if (!pair_.reset()) return trouble_.refused("ibv_modify_qp", errno);
  std::array<ibv_wc, 32> stale;
  for (ibv_cq* queue : {pair_.receives, pair_.sends}) {
    while (calls::poll_cq(queue, static_cast<int>(stale.size()), stale.data()) > 0) {
    }
  }
  sends_.forget();
  reset_needed_ = !start();
  if (reset_needed_) trouble_.refused("ibv_modify_qp", errno);
}

/// A new subnet manager makes all nodes join again at the same time: if each counted as down until
/// the answer, no view would be left. The link is there, and most often so is the group.
TransportPorts Verbs::ports() noexcept {
  const TimeNs now = calls::now();
  look(now);
  listen(now);
  const bool heard = !rejoin_needed_ || now < patient_until_;
  const bool carries = watch_.can_send() && heard && !reset_needed_;
  return {.driver = watch_.told(),
          .count = 1,
          .up = carries ? 1U : 0U,
          .trouble = trouble_.text(),
          .troubles = trouble_.count(),
          .trouble_at = trouble_.at()};
}

/// Readable when the device has something to say: a frame came, or its port changed.
Expected<Fd, Error> wait_for(const Device& device, const QueuePair& pair) {
  Fd out(epoll_create1(EPOLL_CLOEXEC));
  if (!out) return fail(system_error("cannot wait for " + device.name, "epoll_create1", errno));
  for (const int fd : {pair.channel->fd, calls::async_fd(device.context)}) {
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (epoll_ctl(out.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return fail(system_error("cannot wait for " + device.name, "epoll_ctl", errno));
    }
  }
  return out;
}

}  // namespace

std::uint32_t frame_bytes_of(std::uint32_t mtu) noexcept {
  constexpr std::uint32_t kHeaders = 96;  // What the kernel takes off for the longest of its own.
  for (std::uint32_t bytes = 4096; bytes >= 256; bytes /= 2) {
    if (bytes + kHeaders <= mtu) return bytes;
  }
  return 0;
}

Expected<std::unique_ptr<Transport>, Error> open(const VerbsConfig& config) {
  if (config.qkey == 0 || config.qkey > 0x7fffffff) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot use the Q_Key " + std::to_string(config.qkey),
                      .observed = "0, or its upper bit is set: that makes the adapter take the "
                                  "queue pair's own key instead",
                      .remedy = "set transport.verbs.qkey to 1 to 2147483647 on all nodes"});
  }
  const auto self = std::ranges::find(config.nodes, config.self, &VerbsNode::node);
  const std::string address = self == config.nodes.end() ? std::string() : self->address;
  const bool copies = config.group.empty();
  auto group = copies ? std::nullopt : gid_of(config.group);
  auto device = Device::open({.name = config.device,
                              .port = config.port,
                              .gid_index = config.gid_index,
                              .address = address,
                              .pkey = config.pkey,
                              .frame_bytes = config.frame_bytes,
                              .multicast = !copies});
  if (!device) return fail(std::move(device.error()));
  const bool ipv4 = is_ipv4(gid_of(address).value_or(ibv_gid{}));
  if (!copies && (!group || is_ipv4(*group) != ipv4 ||
                  (ipv4 ? (group->raw[12] & 0xf0) != 0xe0 : group->raw[0] != 0xff))) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot use the multicast group \"" + config.group + "\"",
                      .observed = "it is none of the family of the node's address",
                      .remedy = std::string("write a group such as ") +
                                (ipv4 ? "239.77.0.1" : "ff15::77:1") +
                                ", or none on all nodes to send copies"});
  }
  // What a queue pair has joined comes to it: another worker's frames would fill its ring.
  if (group) group->raw[15] = static_cast<std::uint8_t>(group->raw[15] + config.worker);
  const std::uint32_t depth = std::min(config.depth, device->queue_most);
  if (depth < kDepthLeast || config.service_level > 15) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot open queues on " + device->name,
                      .observed = "depth " + std::to_string(depth) + ", service level " +
                                  std::to_string(config.service_level),
                      .remedy = "use a depth of 64 or more, and a service level of 15 or less"});
  }
  const auto peers = static_cast<std::uint32_t>(std::max<std::size_t>(config.nodes.size(), 2) - 1);
  const std::uint32_t each = copies ? peers : 1;
  const bool gathers = config.gathers && device->pieces_most >= SendQueue::kPieces;
  const Sizes sizes{
      .depth = depth,
      .frame_bytes = config.frame_bytes != 0 ? config.frame_bytes : device->mtu_bytes,
      .copies = each,
      .sends = std::min(std::max(depth * std::min(each, kSendsMost), each), device->queue_most),
      .gathers = gathers};
  auto region = Region::create(device->pd, sizes.bytes());
  if (!region) return fail(std::move(region.error()));
  auto pair = QueuePair::create(*device, {.group = group,
                                          .qkey = config.qkey,
                                          .service_level = config.service_level,
                                          .receives = depth,
                                          .sends = sizes.sends,
                                          .pieces = gathers ? SendQueue::kPieces : 1});
  if (!pair) return fail(std::move(pair.error()));
  auto announcer = Announcer::open(config.nodes, {.node = config.self,
                                                  .queue_pair = pair->qp->qp_num,
                                                  .qkey = config.qkey,
                                                  .frame_bytes = sizes.frame_bytes,
                                                  .lid = device->lid,
                                                  .gid = device->gid.gid});
  if (!announcer) return fail(std::move(announcer.error()));
  auto wait = wait_for(*device, *pair);
  if (!wait) return fail(std::move(wait.error()));
  auto made = std::make_unique<Verbs>(std::move(*device), std::move(*region), std::move(*pair),
                                      std::move(*announcer), std::move(*wait), config, sizes);
  if (!made->start()) {
    return fail(system_error("cannot start the queue pair", "ibv_modify_qp", errno,
                             "see dmesg for what the adapter's driver says"));
  }
  return std::unique_ptr<Transport>(std::move(made));
}

}  // namespace phalanx::transport::verbs
