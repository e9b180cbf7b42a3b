#include <algorithm>
#include <vector>

#include "controlplane/membership/tape.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using namespace phalanx::membership;

Member member(NodeId node) {
  Member m{.node = node, .boot = {}};
  m.boot.bytes[0] = static_cast<std::uint8_t>(node);
  return m;
}

}  // namespace

// A tape of a machine that is told rubbish replays to the same decisions. Scribbled on and cut, it
// replays as far as it is sound, and never differs. Images and inputs of any bytes are refused or
// taken, and what is taken is the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  // Numbers begin anew with each input: what an earlier one left would follow on.
  static std::vector<std::byte> memory(kTapeLayout.bytes());
  constexpr std::size_t kUsedMost = 64 * 1024;
  std::fill_n(memory.begin(), kUsedMost, std::byte{0});
  Tape tape(memory);
  Membership machine({.self = member(1), .nodes = {1, 2, 3}}, 0);
  tape.begin(machine);
  TimeNs now = kSecond;
  for (std::size_t steps = in.choose(24); steps > 0; --steps) {
    Input input{.kind = static_cast<InputKind>(3 + in.choose(13)), .now = now};
    now += in.take(3);
    input.from = member(static_cast<NodeId>(in.choose(5)));
    input.message = static_cast<wire::MessageKind>(1 + in.choose(6));
    input.up = in.flip();
    input.view = {in.number(), 1, member(1).boot};
    const auto bytes = in.bytes(in.choose(64));
    input.bytes.assign(bytes.begin(), bytes.end());
    if (input.view.is_none()) input.view = {};
    const auto actions = apply(machine, input);
    tape.step(machine, input, outcome_of(actions, machine));
  }
  const auto last = recorder::read_tape(memory, kTapeLayout).back().payload;
  PHX_CHECK(last.data() + last.size() + 64 <= memory.data() + kUsedMost);
  const Replay whole = replay(memory);
  PHX_CHECK(!whole.differs && whole.spoilt == 0);

  for (std::size_t scribbles = in.choose(4); scribbles > 0; --scribbles) {
    memory[in.take(2) % 8192] ^= static_cast<std::byte>(in.take(1));
  }
  const Replay some = replay(std::span(memory).first(in.take(3) % memory.size()));
  PHX_CHECK(!some.differs && some.steps <= whole.steps);

  const auto rest = in.bytes(4096);
  if (const auto again = Membership::of_image(rest)) PHX_CHECK(!again->image().empty());
  if (const auto input = decode_input(rest)) {
    std::vector<std::byte> back;
    encode(*input, back);
    PHX_CHECK(decode_input(back) == *input);
  }
  return 0;
}
