#include <algorithm>
#include <vector>

#include "controlplane/daemon/peer_book.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"
#include "transport/wire/keys.h"
#include "transport/wire/management.h"

namespace {

using namespace phalanx;
using namespace phalanx::wire;

constexpr std::uint64_t kConfigHash = 5;

ManagementMessage draw(fuzz::Input& in) {
  const auto life = [&] { return static_cast<std::uint8_t>(in.choose(4)); };
  ManagementMessage message{.kind = in.flip() ? ManagementKind::Vouch : ManagementKind::Obituary,
                            .sealer = fuzz::member_of(static_cast<NodeId>(in.choose(5)), life()),
                            .counter = in.number(),
                            .config_hash = in.flip() ? kConfigHash : in.number(),
                            .link_up = in.flip()};
  if (in.choose(4) == 0) {
    message.kind = ManagementKind::Order;
    message.link_up = true;
    message.order = {.kind = static_cast<OrderWord::Kind>(in.choose(8)),
                     .dry = in.flip(),
                     .number = static_cast<std::uint32_t>(in.choose(3)),
                     .to = static_cast<NodeId>(in.choose(5)),
                     .text = std::string(in.choose(kOrderTextBytes + 1), 'x')};
    return message;
  }
  message.worker = in.flip() ? message.sealer.boot : fuzz::member_of(9, life()).boot;
  return message;
}

}  // namespace

// What a stranger sends is refused; what a peer that holds the key seals is taken as it was sealed
// or is malformed, and the book of peers believes no vouch twice.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ClusterKey key = insecure_cluster_key("fuzz");
  static const ManagementSeal seals[] = {ManagementSeal(key, false), ManagementSeal(key, true)};
  static const NodeId peers[] = {1, 2, 3};
  controlplane::PeerBook book(peers, kConfigHash, kMillisecond);
  TimeNs now = kSecond;
  fuzz::Input in(data, size);
  while (!in.empty()) {
    const ManagementSeal& seal = seals[in.choose(2)];
    now += in.number() % kSecond;
    if (in.flip()) {
      const auto rubbish = in.bytes(in.choose(128));
      const auto opened = seal.open(rubbish);
      PHX_CHECK(!opened);  // Nobody guesses a tag.
      (void)seal.difference(opened.error(), rubbish);
      continue;
    }
    const ManagementMessage message = draw(in);
    std::vector<std::byte> sealed = seal.seal(message);
    const auto opened = seal.open(sealed);
    PHX_CHECK(opened ? *opened == message : opened.error() == ManagementFault::Malformed);
    if (opened && message.kind != ManagementKind::Obituary) {
      const auto verdict = book.judge(message, now);
      PHX_CHECK(book.judge(message, now) == (verdict == controlplane::BookVerdict::Stranger
                                                 ? verdict
                                                 : controlplane::BookVerdict::Replayed));
    } else if (opened) {
      PHX_CHECK(book.judge(message, now) == controlplane::BookVerdict::Dead);
    }
    sealed[in.choose(sealed.size())] ^= static_cast<std::byte>(1U << in.choose(8));
    PHX_CHECK(!seal.open(sealed));
    PHX_CHECK(!seal.open(std::span(sealed).first(in.choose(sealed.size()))));
  }
  return 0;
}
