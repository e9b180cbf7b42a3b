#pragma once

#include "ipc/base/assert.h"
#include "transport/wire/ballot.h"
#include "transport/wire/codec.h"

namespace phalanx::wire {

inline constexpr std::size_t kElectorateBytes = 16;
inline constexpr std::size_t kBallotBytesMin = 3 * 4 + 1 + kElectorateBytes + 1;

inline void put(Writer& to, const Ballot& ballot) {
  PHX_CHECK(ballot.open.size() <= Ballot::kOpenMax);
  to.put(ballot.votes);
  to.put(ballot.expected);
  to.put(ballot.device_votes);
  to.put(static_cast<std::uint8_t>(ballot.forgotten ? 1 : 0));
  to.put(ballot.settled.sequence);
  to.put(ballot.settled.nodes);
  to.put(static_cast<std::uint8_t>(ballot.open.size()));
  for (const Electorate& electorate : ballot.open) {
    to.put(electorate.sequence);
    to.put(electorate.nodes);
  }
}

[[nodiscard]] inline Electorate take_electorate(Reader& from) noexcept {
  Electorate electorate;
  electorate.sequence = from.take<std::uint64_t>();
  electorate.nodes = from.take<std::uint64_t>();
  from.require((electorate.sequence == 0) == (electorate.nodes == 0));
  return electorate;
}

[[nodiscard]] inline Ballot take_ballot(Reader& from) {
  Ballot ballot;
  ballot.votes = from.take<std::uint32_t>();
  ballot.expected = from.take<std::uint32_t>();
  ballot.device_votes = from.take<std::uint32_t>();
  const auto forgotten = from.take<std::uint8_t>();
  from.require(forgotten <= 1);
  ballot.forgotten = forgotten == 1;
  ballot.settled = take_electorate(from);
  ballot.open.resize(from.take_count<std::uint8_t>(Ballot::kOpenMax, kElectorateBytes));
  Electorate before = ballot.settled;
  for (Electorate& electorate : ballot.open) {
    electorate = take_electorate(from);
    from.require(before < electorate);
    before = electorate;
  }
  return ballot;
}

}  // namespace phalanx::wire
