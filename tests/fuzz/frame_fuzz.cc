#include <vector>

#include "ipc/base/assert.h"
#include "transport/wire/frame_seal.h"

namespace {

using namespace phalanx;
using namespace phalanx::wire;

/// A node that knows its peer, as in a running cluster. Keys are made once: they cost the most.
struct Receiver {
  Receiver()
      : keys({.cipher = Cipher::OpenSsl, .self = {2, BootId{{2}}}, .lanes = 2, .nodes = {1, 2}},
             insecure_cluster_key("fuzz")),
        opener(keys) {
    const Member members[] = {{1, BootId{{1}}}, {2, BootId{{2}}}};
    keys.install({1, 1, BootId{{1}}}, members);
  }
  KeyTable keys;
  FrameOpener opener;
};

}  // namespace

// Nobody without the key makes a frame that opens, whatever it looks like to the checks before.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Receiver receiver;
  static TimeNs now = 0;
  receiver.keys.begin_turn(now += kSecond);
  CheckedFrame frame = receiver.opener.check(std::as_bytes(std::span(data, size)));
  if (frame.verdict != FrameVerdict::Good) return 0;
  std::vector<std::byte> opened(frame.sealed.size());
  PHX_CHECK(!receiver.opener.open(frame, opened.data()));
  return 0;
}
