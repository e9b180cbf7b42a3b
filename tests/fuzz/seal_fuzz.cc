#include <algorithm>
#include <vector>

#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"
#include "transport/wire/fragments.h"
#include "transport/wire/frame_seal.h"

namespace {

using namespace phalanx;
using namespace phalanx::wire;
using fuzz::member_of;

KeyTable keys_of(NodeId node) {
  KeyTable keys({.cipher = Cipher::OpenSsl, .self = member_of(node), .lanes = 2, .nodes = {1, 2}},
                insecure_cluster_key("fuzz"));
  const Member members[] = {member_of(1), member_of(2)};
  keys.install({1, 1, member_of(1).boot}, members);
  return keys;
}

bool opens(KeyTable& keys, std::span<const std::byte> frame, std::vector<std::byte>& out) {
  FrameOpener opener(keys);
  CheckedFrame checked = opener.check(frame);
  if (checked.verdict != FrameVerdict::Good) return false;
  out.resize(checked.sealed.size());
  return opener.open(checked, out.data());
}

}  // namespace

// A peer that holds the key seals whatever the input says. It opens as it was sealed, once; not
// when a byte is another, not when it is shorter or longer; and what was in it is decoded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static KeyTable sender = keys_of(1);
  static KeyTable receiver = keys_of(2);
  static TimeNs now = 0;
  receiver.begin_turn(now += kSecond);
  fuzz::Input in(data, size);
  const bool control = in.flip();
  const auto lane = static_cast<LaneId>(in.choose(2));
  const auto type = static_cast<FrameType>(1 + in.choose(7));
  const Position position = in.number();
  const std::uint64_t place = in.take(2);
  const auto flip = static_cast<std::byte>(1U << in.choose(8));
  const auto content = in.bytes(1400);

  std::vector<std::byte> frame(content.size() + kControlOverheadBytes);
  FrameSealer sealer(sender);
  frame.resize(control ? sealer.seal_control(lane, member_of(2).boot, content, frame)
                       : sealer.seal_data(type, lane, position, content, frame));
  std::vector<std::byte> opened;
  std::vector<std::byte> bad = frame;
  bad[place % bad.size()] ^= flip;
  PHX_CHECK(!opens(receiver, bad, opened));
  PHX_CHECK(!opens(receiver, std::span(frame).first(place % frame.size()), opened));
  bad = frame;
  bad.push_back(flip);
  PHX_CHECK(!opens(receiver, bad, opened));

  PHX_CHECK(opens(receiver, frame, opened));
  PHX_CHECK(std::equal(opened.begin(), opened.end(), content.begin(), content.end()));
  PHX_CHECK(!opens(receiver, frame, bad));  // A replay.
  if (!control) return 0;
  static Reassembler reassembler(4, std::size_t{64} * 1024);
  if (const auto fragment = decode_fragment(opened)) {
    (void)reassembler.take(member_of(1), *fragment);
    PHX_CHECK(reassembler.bytes_held() <= std::size_t{64} * 1024);
  }
  return 0;
}
