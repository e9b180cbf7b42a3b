#include "transport/wire/management.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "ipc/base/bytes.h"
#include "transport/wire/aead.h"
#include "transport/wire/key_ring.h"

namespace phalanx::wire {
namespace {

constexpr std::uint8_t kManagementMagic = 0xA8;
constexpr std::uint8_t kManagementVersion = 1;
constexpr std::size_t kHeadBytes = 40;
constexpr std::size_t kBodyBytes = 32;
static_assert(kHeadBytes + kBodyBytes + kTagBytes == kManagementBytes);
constexpr std::uint32_t kLinkUp = 1;
constexpr std::size_t kKeysMax = 2 * kNodesMax;

void store(const BootId& boot, std::byte* out) noexcept {
  std::transform(boot.bytes.begin(), boot.bytes.end(), out,
                 [](std::uint8_t byte) { return std::byte{byte}; });
}

BootId load_boot(const std::byte* from) noexcept {
  BootId boot;
  std::transform(from, from + boot.bytes.size(), boot.bytes.begin(),
                 [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return boot;
}

bool of_device(ManagementKind kind) noexcept {
  return kind == ManagementKind::Ask || kind == ManagementKind::Answer;
}

std::size_t size_of(ManagementKind kind) noexcept {
  return kind == ManagementKind::Order ? kOrderBytes : kManagementBytes;
}

/// The text is filled up with zeros, so that its length shows to nobody.
void store(const OrderWord& word, std::byte* out) noexcept {
  const std::size_t bytes = std::min(word.text.size(), kOrderTextBytes);
  store_le<std::uint32_t>(out, word.number);
  store_le<std::uint32_t>(out + 4, word.to);
  store_le<std::uint8_t>(out + 8, static_cast<std::uint8_t>(word.kind));
  store_le<std::uint8_t>(out + 9, word.dry ? 1 : 0);
  store_le<std::uint16_t>(out + 10, static_cast<std::uint16_t>(bytes));
  std::transform(word.text.begin(), word.text.begin() + static_cast<std::ptrdiff_t>(bytes),
                 out + kBodyBytes, [](char c) { return static_cast<std::byte>(c); });
}

OrderWord load_order(const std::byte* from) {
  const std::size_t bytes =
      std::min<std::size_t>(load_le<std::uint16_t>(from + 10), kOrderTextBytes);
  OrderWord word{.kind = static_cast<OrderWord::Kind>(from[8]),
                 .dry = from[9] != std::byte{0},
                 .number = load_le<std::uint32_t>(from),
                 .to = load_le<std::uint32_t>(from + 4),
                 .text = std::string(bytes, ' ')};
  std::transform(from + kBodyBytes, from + kBodyBytes + bytes, word.text.begin(),
                 [](std::byte b) { return static_cast<char>(b); });
  return word;
}

/// What a datagram may say, beside their tag being right.
bool makes_sense(const ManagementMessage& message) noexcept {
  if (message.kind == ManagementKind::Vouch) return message.counter > 0;
  if (message.kind == ManagementKind::Order) {
    const OrderWord& word = message.order;
    return message.counter > 0 && word.number != 0 && word.to != 0 &&
           word.to != message.sealer.node && word.kind >= OrderWord::Kind::Check &&
           word.kind <= OrderWord::Kind::GoOver;
  }
  if (of_device(message.kind)) {
    const bool from_device = message.sealer.node == kDeviceNode;
    return message.counter > 0 && from_device == (message.kind == ManagementKind::Answer) &&
           message.device.nodes != 0 && message.device.sequence != 0 &&
           message.device.representative != 0;
  }
  return message.counter == 0 && message.worker == message.sealer.boot && message.link_up;
}

}  // namespace

struct ManagementSeal::Impl {
  struct Prepared {
    BootId boot;
    std::uint32_t tag = 0;
    AeadKey key;
  };

  Prepared prepare(const Member& sealer, With with) const {
    const DerivedKey derived = derive_boot_key(key_of(with), sealer);
    return {.boot = sealer.boot, .tag = derived.tag, .key = AeadKey(cipher, derived.secret)};
  }
  const ClusterKey& key_of(With with) const {
    return with == With::Next && ring->next ? *ring->next : ring->current;
  }

  std::shared_ptr<const KeyRing> ring;
  Cipher cipher;
  /// The last key that proved right, by node and cluster key: deriving one takes some microseconds.
  std::map<std::pair<NodeId, With>, Prepared> proven;
};

ManagementSeal::ManagementSeal(const ClusterKey& key, bool insecure)
    : impl_(new Impl{.ring = std::make_shared<const KeyRing>(key.clone(), std::nullopt),
                     .cipher = insecure ? Cipher::Insecure : Cipher::OpenSsl,
                     .proven = {}}) {}
ManagementSeal::ManagementSeal(ManagementSeal&&) noexcept = default;
ManagementSeal& ManagementSeal::operator=(ManagementSeal&&) noexcept = default;
ManagementSeal::~ManagementSeal() = default;

void ManagementSeal::hold(std::shared_ptr<const KeyRing> ring) {
  impl_->ring = std::move(ring);
  impl_->proven.clear();
}

bool ManagementSeal::has_next() const noexcept { return impl_->ring->next.has_value(); }

std::vector<std::byte> ManagementSeal::seal(const ManagementMessage& message, With with) const {
  const Impl::Prepared prepared = impl_->prepare(message.sealer, with);
  std::vector<std::byte> out(size_of(message.kind));
  std::byte* at = out.data();
  store_le<std::uint8_t>(at, kManagementMagic);
  store_le<std::uint8_t>(at + 1, kManagementVersion);
  store_le<std::uint8_t>(at + 2, static_cast<std::uint8_t>(message.kind));
  store_le<std::uint32_t>(at + 4, message.sealer.node);
  store(message.sealer.boot, at + 8);
  store_le<std::uint64_t>(at + 24, message.counter);
  store_le<std::uint32_t>(at + 32, prepared.tag);

  std::vector<std::byte> body(out.size() - kHeadBytes - kTagBytes);
  store_le<std::uint64_t>(body.data() + 16, message.config_hash);
  if (message.kind == ManagementKind::Order) {
    store(message.order, body.data());
  } else if (of_device(message.kind)) {
    const DeviceWord& word = message.device;
    store_le<std::uint64_t>(body.data(), word.nodes);
    store_le<std::uint64_t>(body.data() + 8, word.sequence);
    store_le<std::uint32_t>(body.data() + 24, word.representative);
    store_le<std::uint32_t>(body.data() + 28, word.epoch << 1 | (word.yes ? 1U : 0U));
  } else {
    store(message.worker, body.data());
    store_le<std::uint32_t>(body.data() + 24, message.link_up ? kLinkUp : 0);
  }
  prepared.key.seal(Nonce::of(kManagementNonceSpace, message.counter),
                    std::span(out).first(kHeadBytes), body, at + kHeadBytes);
  return out;
}

Expected<ManagementMessage, ManagementFault> ManagementSeal::open(
    std::span<const std::byte> datagram, With* with) const {
  if (datagram.size() < 2 || datagram[0] != std::byte{kManagementMagic}) {
    return fail(ManagementFault::Malformed);
  }
  if (datagram[1] != std::byte{kManagementVersion}) return fail(ManagementFault::Version);
  const std::byte* at = datagram.data();
  const auto kind =
      datagram.size() < kManagementBytes ? ManagementKind{} : static_cast<ManagementKind>(at[2]);
  if (datagram.size() != size_of(kind)) return fail(ManagementFault::Malformed);
  ManagementMessage message{
      .kind = kind,
      .sealer = {load_le<std::uint32_t>(at + 4), load_boot(at + 8)},
      .counter = load_le<std::uint64_t>(at + 24),
  };
  if ((kind != ManagementKind::Vouch && kind != ManagementKind::Obituary && !of_device(kind) &&
       kind != ManagementKind::Order) ||
      message.sealer.node == 0 || message.sealer.boot.is_none()) {
    return fail(ManagementFault::Malformed);
  }

  const auto tag = load_le<std::uint32_t>(at + 32);
  std::optional<Impl::Prepared> fresh;
  const Impl::Prepared* found = nullptr;
  With key = With::Current;
  for (const With which : {With::Current, With::Next}) {
    if (found != nullptr || (which == With::Next && !impl_->ring->next)) continue;
    key = which;
    const auto known = impl_->proven.find({message.sealer.node, which});
    if (known != impl_->proven.end() && known->second.boot == message.sealer.boot) {
      if (known->second.tag == tag) found = &known->second;
    } else if (auto made = impl_->prepare(message.sealer, which); made.tag == tag) {
      found = &fresh.emplace(std::move(made));
    }
  }
  if (found == nullptr) return fail(ManagementFault::Key);
  const Impl::Prepared& prepared = *found;

  std::vector<std::byte> body(datagram.size() - kHeadBytes - kTagBytes);
  if (!prepared.key.open(Nonce::of(kManagementNonceSpace, message.counter),
                         datagram.first(kHeadBytes), datagram.subspan(kHeadBytes, body.size()),
                         datagram.last<kTagBytes>(), body.data())) {
    return fail(ManagementFault::Tag);
  }
  message.config_hash = load_le<std::uint64_t>(body.data() + 16);
  if (kind == ManagementKind::Order) {
    message.order = load_order(body.data());
  } else if (of_device(kind)) {
    const auto last = load_le<std::uint32_t>(body.data() + 28);
    message.device = {.nodes = load_le<std::uint64_t>(body.data()),
                      .sequence = load_le<std::uint64_t>(body.data() + 8),
                      .representative = load_le<std::uint32_t>(body.data() + 24),
                      .epoch = last >> 1,
                      .yes = (last & 1) != 0};
  } else {
    message.worker = load_boot(body.data());
    message.link_up = (load_le<std::uint32_t>(body.data() + 24) & kLinkUp) != 0;
  }
  if (!makes_sense(message)) return fail(ManagementFault::Malformed);
  if (fresh) {
    if (impl_->proven.size() >= kKeysMax) impl_->proven.clear();
    impl_->proven[{message.sealer.node, key}] = std::move(*fresh);
  }
  if (with != nullptr) *with = key;
  return message;
}

ManagementDifference ManagementSeal::difference(ManagementFault fault,
                                                std::span<const std::byte> datagram) const {
  if (fault == ManagementFault::Version && datagram.size() >= 2) {
    return {.theirs = std::to_integer<std::uint64_t>(datagram[1]), .mine = kManagementVersion};
  }
  if (fault != ManagementFault::Key || datagram.size() < kManagementBytes) return {};
  const std::byte* at = datagram.data();
  const Member sealer{load_le<std::uint32_t>(at + 4), load_boot(at + 8)};
  return {.theirs = load_le<std::uint32_t>(at + 32),
          .mine = derive_boot_key(impl_->ring->current, sealer).tag};
}

std::vector<std::byte> seal_obituary(const ManagementSeal& seal, Member self,
                                     std::uint64_t config_hash) {
  return seal.seal({.kind = ManagementKind::Obituary,
                    .sealer = self,
                    .counter = 0,
                    .worker = self.boot,
                    .config_hash = config_hash,
                    .link_up = true});
}

}  // namespace phalanx::wire
