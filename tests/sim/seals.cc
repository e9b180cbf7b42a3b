#include "tests/sim/seals.h"

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "ipc/base/assert.h"
#include "tests/sim/keys.h"

namespace phalanx::sim {
namespace {

constexpr std::size_t kClearBytes = wire::kHeaderBytes + wire::kControlPrefixBytes;

class ModelSeals final : public Seals {
 public:
  ModelSeals(Member self, std::size_t nodes, LaneId lanes)
      : self_(self), nodes_(nodes), lanes_(lanes), boot_key_(boot_key(self)) {}

  void begin_turn(TimeNs) override {}

  void hold(const KeysHeld&) override {}
  bool holds(std::uint32_t) const override { return true; }
  std::size_t hellos() const override { return 1; }

  void install(const ViewId& view, std::span<const Member> members, std::uint32_t) override {
    member_keys_.fill({});
    for (const Member& member : members) member_keys_[member.node] = view_key(view, member);
    view_key_ = member_keys_[self_.node];
  }

  std::size_t seal_data(const core::TxItem& item, std::span<std::byte> out) override {
    const wire::FrameHeader header{.type = item.type,
                                   .lane = item.lane,
                                   .sender = self_.node,
                                   .key_tag = view_key_.tag,
                                   .counter = ++counters_[wire::nonce_space(item.lane, false)],
                                   .position = item.position};
    const std::size_t length = wire::kOverheadBytes + item.payload.size();
    PHX_CHECK(length <= out.size());
    wire::encode(header, out.first<wire::kHeaderBytes>());
    std::memcpy(&out[wire::kHeaderBytes], item.payload.data(), item.payload.size());
    seal(view_key_, out.first(length));
    return length;
  }

  void seal_around(const core::TxItem&, std::span<std::byte, wire::kOverheadBytes>) override {
    PHX_CHECK(false);  // Whoever gathers has the production seals.
  }

  std::size_t seal_control(const BootId& receiver, std::span<const std::byte> message,
                           std::span<std::byte> out, std::size_t) override {
    const wire::FrameHeader header{.type = wire::FrameType::Control,
                                   .sender = self_.node,
                                   .key_tag = boot_key_.tag,
                                   .counter = ++counters_[wire::nonce_space(0, true)]};
    wire::encode(header, out.first<wire::kHeaderBytes>());
    std::memcpy(&out[wire::kHeaderBytes], self_.boot.bytes.data(), 16);
    std::memcpy(&out[wire::kHeaderBytes + 16], receiver.bytes.data(), 16);
    std::memcpy(&out[kClearBytes], message.data(), message.size());
    const std::size_t length = message.size() + wire::kControlOverheadBytes;
    seal(boot_key_, out.first(length));
    return length;
  }

  std::uint64_t key_of(const wire::FrameHeader& header) const override {
    return header.type == wire::FrameType::Control ? boot_key_.key : view_key_.key;
  }

  bool check(std::span<const std::byte> frame, Arrival& out) override {
    const auto header = wire::decode(frame);
    if (!header || header->sender == 0 || header->sender > nodes_ || header->sender == self_.node)
      return false;
    out.header = *header;
    out.frame = frame;
    if (out.is_control()) return check_control(out);
    const SealKey& key = member_keys_[header->sender];
    if (key.key == 0 || key.tag != header->key_tag || header->lane >= lanes_) return false;
    out.sealed = frame.subspan(wire::kHeaderBytes, frame.size() - wire::kOverheadBytes);
    return true;
  }

  bool open(Arrival& arrival, std::byte* target) override {
    if (!arrival.sealed.empty()) std::memcpy(target, arrival.sealed.data(), arrival.sealed.size());
    return tag_compares(
        arrival.is_control() ? boot_key(arrival.from) : member_keys_[arrival.header.sender],
        arrival.frame);
  }

  bool refuses_replays() const override { return false; }

 private:
  bool check_control(Arrival& out) const {
    if (out.frame.size() < wire::kControlOverheadBytes + 1) return false;
    const std::byte* clear = out.frame.data() + wire::kHeaderBytes;
    BootId receiver;
    out.from.node = out.header.sender;
    std::memcpy(out.from.boot.bytes.data(), clear, 16);
    std::memcpy(receiver.bytes.data(), clear + 16, 16);
    out.addressed = !receiver.is_none();
    if (out.addressed && receiver != self_.boot) return false;
    out.sealed = out.frame.subspan(kClearBytes, out.frame.size() - wire::kControlOverheadBytes);
    return boot_key(out.from).tag == out.header.key_tag;
  }

  Member self_;
  std::size_t nodes_;
  LaneId lanes_;
  SealKey boot_key_;
  SealKey view_key_;
  std::array<SealKey, kNodesMax + 1> member_keys_{};
  std::array<std::uint64_t, 2 * kLanesMax> counters_{};  ///< By nonce space; never reset.
};

/// The checksum of `insecure` clusters stands for the cipher: keys, nonces, windows and the order
/// of the checks are those of every cluster.
class RealSeals final : public Seals {
 public:
  RealSeals(Member self, std::size_t nodes, LaneId lanes, const KeysHeld& keys)
      : keys_(config(self, nodes, lanes), cluster_key(keys.lowest), next_key(keys)),
        sealer_(keys_),
        opener_(keys_) {}

  void hold(const KeysHeld& keys) override { keys_.hold(cluster_key(keys.lowest), next_key(keys)); }
  bool holds(std::uint32_t key_id) const override { return keys_.holds(key_id); }
  std::size_t hellos() const override { return keys_.held(); }

  void begin_turn(TimeNs now) override { keys_.begin_turn(now); }
  void install(const ViewId& view, std::span<const Member> members, std::uint32_t key_id) override {
    keys_.install(view, members, key_id);
  }
  std::size_t seal_data(const core::TxItem& item, std::span<std::byte> out) override {
    return sealer_.seal_data(item.type, item.lane, item.position, item.payload, out);
  }
  void seal_around(const core::TxItem& item,
                   std::span<std::byte, wire::kOverheadBytes> out) override {
    sealer_.seal_around(item.type, item.lane, item.position, item.payload, out);
  }
  std::size_t seal_control(const BootId& receiver, std::span<const std::byte> message,
                           std::span<std::byte> out, std::size_t which) override {
    if (receiver.is_none()) {
      return sealer_.seal_control(0, receiver, message, out, keys_.boot_seal(which));
    }
    return sealer_.seal_control(0, receiver, message, out);
  }
  std::uint64_t key_of(const wire::FrameHeader& header) const override {
    return std::uint64_t{header.sender} << 32 | header.key_tag;
  }
  bool check(std::span<const std::byte> frame, Arrival& out) override {
    out.checked = opener_.check(frame);
    if (out.checked.verdict != wire::FrameVerdict::Good) return false;
    out.header = out.checked.header;
    out.from = out.checked.sender();
    out.addressed = out.checked.addressed;
    out.sealed = out.checked.sealed;
    out.frame = frame;
    return true;
  }
  bool open(Arrival& arrival, std::byte* target) override {
    const bool good = opener_.open(arrival.checked, target);
    // A cipher has written by the time that it knows; the checksum looks first.
    if (!good && !arrival.sealed.empty())
      std::memcpy(target, arrival.sealed.data(), arrival.sealed.size());
    return good;
  }
  bool refuses_replays() const override { return true; }

 private:
  static wire::ClusterKey cluster_key(std::uint32_t id) {
    wire::ClusterKey key =
        wire::insecure_cluster_key(id == 1 ? "phalanx-sim" : "phalanx-sim " + std::to_string(id));
    key.id = id;
    return key;
  }
  static std::optional<wire::ClusterKey> next_key(const KeysHeld& keys) {
    if (keys.next == 0) return std::nullopt;
    return cluster_key(keys.next);
  }
  static wire::KeyTable::Config config(Member self, std::size_t nodes, LaneId lanes) {
    wire::KeyTable::Config out{
        .cipher = wire::Cipher::Insecure, .self = self, .lanes = lanes, .nodes = {}};
    for (NodeId node = 1; node <= nodes; ++node) out.nodes.push_back(node);
    return out;
  }

  wire::KeyTable keys_;
  wire::FrameSealer sealer_;
  wire::FrameOpener opener_;
};

}  // namespace

std::unique_ptr<Seals> make_model_seals(Member self, std::size_t nodes, LaneId lanes) {
  return std::make_unique<ModelSeals>(self, nodes, lanes);
}

std::unique_ptr<Seals> make_real_seals(Member self, std::size_t nodes, LaneId lanes,
                                       const KeysHeld& keys) {
  return std::make_unique<RealSeals>(self, nodes, lanes, keys);
}

}  // namespace phalanx::sim
